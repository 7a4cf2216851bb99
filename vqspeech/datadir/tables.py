"""The text tables of a data directory: which there are, what a line of each holds, and how one is read.

Reading never fails on what a file holds: every oddity (a byte-order mark, Windows line ends, another encoding) becomes
an issue, and the rows are still given, so that ``validate`` sees all faults at once and ``fix`` can repair them.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vqspeech.counts import counted
from vqspeech.datadir.issue import ValidationIssue


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its first word, all that follows it, and the white space between and behind."""

    line: int
    key: str
    value: str
    gap: str = " "


@dataclass(frozen=True, slots=True)
class Kind:
    """What a table holds.

    Attributes:
        index: what its first column names.
        fault: returns what is wrong with a value, or None.
        hint: how a wrong value is put right.
    """

    index: Literal["utterance", "speaker", "recording"]
    fault: Callable[[str], str | None]
    hint: str


def seconds(word: str) -> float | None:
    """A plain finite number, or None. Unlike ``float``, takes no ``nan``, ``inf`` or ``1_0``."""
    plain = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", word, re.ASCII)
    return number if plain and math.isfinite(number := float(word)) else None


def _one_word(value: str) -> str | None:
    return None if len(value.split()) == 1 else f"expected one word after the id, found {len(value.split())}"


def _some_words(value: str) -> str | None:
    return None if value else "nothing follows the id"


def _recording(value: str) -> str | None:
    if not value:
        return "no audio follows the id"
    return "Kaldi does not expand a path that starts with ~" if value.startswith("~") else None


def _transcript(value: str) -> str | None:
    if not value:
        return "empty transcript"
    found = re.search(r"(?<!\w)(<s>|</s>|#0)(?!\w)", value)
    return f"the transcript holds the reserved symbol {found[1]}" if found else None


def _segment(value: str) -> str | None:
    words = value.split()
    if len(words) != 3:
        return f"expected recording, start and end after the id, found {len(words)} words"
    start, end = seconds(words[1]), seconds(words[2])
    if start is None or end is None:
        return f"start {words[1]!r} or end {words[2]!r} is not a number of seconds"
    if start < 0:
        return f"the segment starts before its recording ({words[1]} s)"
    return None if end > start else f"the segment ends ({words[2]} s) no later than it starts ({words[1]} s)"


def _gender(value: str) -> str | None:
    return None if value in ("m", "f") else f"expected m or f, found {value!r}"


def _positive(value: str) -> str | None:
    number = seconds(value)
    return None if number is not None and number > 0 else f"expected a positive number, found {value!r}"


def _count(value: str) -> str | None:
    return None if value.isdecimal() and int(value) > 0 else f"expected a positive whole number, found {value!r}"


def _warp(value: str) -> str | None:
    number = seconds(value)
    return None if number is not None and 0.5 < number < 1.5 else f"expected 0.5 < factor < 1.5, found {value!r}"


def _file_and_channel(value: str) -> str | None:
    words = value.split()
    return None if len(words) == 2 and words[1] in ("A", "B", "1") else "expected a file and a channel, A or B"


_DROP = "correct the line, or drop the utterance with 'vqspeech fix'"

#: Every table that Kaldi's own validation looks at. The order is the order of the issues.
KINDS: dict[str, Kind] = {
    "utt2spk": Kind("utterance", _one_word, "a line is 'utterance-id speaker-id'"),
    "spk2utt": Kind("speaker", _some_words, "rebuild it with 'vqspeech fix'"),
    "segments": Kind("utterance", _segment, _DROP),
    "wav.scp": Kind("recording", _recording, "a line is 'id path' or 'id command |', the path absolute"),
    "text": Kind("utterance", _transcript, _DROP),
    "spk2gender": Kind("speaker", _gender, "a line is 'speaker-id m' or 'speaker-id f'"),
    "utt2dur": Kind("utterance", _positive, "a line is 'utterance-id seconds'"),
    "utt2num_frames": Kind("utterance", _count, "a line is 'utterance-id frames'"),
    "utt2lang": Kind("utterance", _some_words, "a line is 'utterance-id language'"),
    "utt2uniq": Kind("utterance", _some_words, "a line is 'utterance-id original-id'"),
    "utt2warp": Kind("utterance", _warp, "a line is 'utterance-id factor'"),
    "spk2warp": Kind("speaker", _warp, "a line is 'speaker-id factor'"),
    "reco2dur": Kind("recording", _positive, "a line is 'recording-id seconds'"),
    "reco2file_and_channel": Kind("recording", _file_and_channel, "a line is 'recording-id file A'"),
    "feats.scp": Kind("utterance", _some_words, "a line is 'utterance-id file:offset'"),
    "vad.scp": Kind("utterance", _some_words, "a line is 'utterance-id file:offset'"),
    "cmvn.scp": Kind("speaker", _some_words, "a line is 'speaker-id file:offset'"),
}

_FIX = "'vqspeech fix' repairs it"


def decode(content: bytes) -> tuple[str, str | None]:
    """Text of a file in whatever encoding it is, and what was wrong with that encoding (None: plain UTF-8)."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            try:
                name = "a byte-order mark" if encoding == "utf-8" else "UTF-16 text"
                return content.decode("utf-8-sig" if encoding == "utf-8" else encoding), f"starts with {name}"
            except UnicodeDecodeError:
                break
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError:
        lines = [_decode_line(line) for line in content.split(b"\n")]
        return "\n".join(lines), "not UTF-8"


def _decode_line(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:
            return line.decode("latin-1")


def clean(text: str) -> str:
    """``text`` with every run of white space of any kind as one space, and no control or invisible characters."""
    if text.isprintable():
        return " ".join(text.split())
    return " ".join(
        "".join(c if c.isspace() or unicodedata.category(c) != "Cc" else "" for c in text).replace("\ufeff", "").split()
    )


def divide(line: str) -> tuple[str, str, str]:
    """First word of a line, white space, and the rest as it stands (a path may hold several spaces)."""
    key, *others = re.split(r"([ \t]+)", line.strip(" \t\r"), maxsplit=1)
    gap, value = others or ("", "")
    return key, gap, value


def read_table(path: Path) -> tuple[list[Row], list[ValidationIssue]]:
    """All rows of a table in the file's order, and what is wrong with its bytes and white space."""
    try:
        content = path.read_bytes()
    except OSError as error:
        return [], [
            ValidationIssue(path, None, f"cannot be read: {error.strerror}", "check the file and its permissions")
        ]
    if not content.strip():
        return [], [ValidationIssue(path, None, "the file is empty", "write it anew, or remove it if it is optional")]
    issues = []
    text, odd = decode(content)
    if odd == "not UTF-8":
        bad = [n for n, line in enumerate(content.split(b"\n"), 1) if _not_utf8(line)]
        issues += [ValidationIssue(path, n, "not UTF-8", "save the file as UTF-8") for n in bad]
    elif odd:
        issues.append(ValidationIssue(path, 1, odd, f"save the file as plain UTF-8; {_FIX}"))
    if not text.endswith("\n"):
        issues.append(ValidationIssue(path, text.count("\n") + 1, "no line end after the last line", _FIX))
    rows = []
    returns = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if line.endswith("\r"):
            returns.append(number)
            line = line[:-1]
        problem = odd_character(line, path=path.name == "wav.scp")
        if problem is None and line[0] in " \t":
            problem = "the line starts with white space"
        if problem:
            issues.append(ValidationIssue(path, number, problem, _FIX))
        key, gap, value = divide(line)
        if key:
            rows.append(Row(number, key, value, gap + line[len(line.rstrip(" \t")) :]))
    if returns:
        issues.append(ValidationIssue(path, returns[0], f"Windows line end (on {counted(len(returns), 'line')})", _FIX))
    return rows, issues


def _not_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def odd_character(line: str, *, path: bool = False) -> str | None:
    """The first character that a table must not hold: a control character, or white space other than space and tab.

    Paths may hold any white space that does not end a line. An empty line is odd too.
    """
    for character in "" if line.isprintable() else line:
        kind = unicodedata.category(character)
        if character == "\ufeff" or kind in ("Cs", "Zl", "Zp") or (kind == "Cc" and character != "\t"):
            return f"control character (U+{ord(character):04X})"
        if kind == "Zs" and character != " " and not path:
            return f"white space other than space and tab (U+{ord(character):04X})"
    return None if line.strip() else "blank line"


def without_controls(line: str) -> str:
    """A line that names a path, its white space as it is."""
    kept = (c for c in line if c == "\t" or unicodedata.category(c) not in ("Cc", "Zl", "Zp"))
    return "".join(kept).replace("\ufeff", "")
