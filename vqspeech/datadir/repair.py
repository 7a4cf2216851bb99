"""Repair of a data directory in place, the originals kept."""

from __future__ import annotations

import itertools
import shutil
from os import PathLike
from pathlib import Path

from vqspeech.counts import counted
from vqspeech.datadir.tables import KINDS, clean, decode, divide, without_controls
from vqspeech.datadir.validation import ctm_fault, missing_audio
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

#: Without an entry in each of these (those that are there) an utterance is incomplete. Kaldi drops by the same.
_ESSENTIAL = ("wav.scp", "segments", "text", "feats.scp", "utt2lang")


def fix(path: str | PathLike[str]) -> list[str]:
    """Sort every table, drop what is incomplete or makes no sense, and make ``spk2utt`` anew.

    An utterance stays if it has a speaker, audio that is there, and a sound line in each of ``segments``, ``text``,
    ``feats.scp`` and ``utt2lang`` that the directory has. Of two lines with the same id the first stays. A table of
    lesser importance (``utt2dur``, ``spk2gender`` ...) that does not cover what stays costs no speech: it is set
    aside. Files are read in whatever encoding they are and written as UTF-8.

    Whatever is changed is first copied to ``.backup/`` in the directory, or ``.backup.1/`` and so on when there is
    one already. A directory in good order is not touched.

    Returns:
        What was done, a sentence each; empty when there was nothing to do.

    Raises:
        InputError: there is nothing to repair from, or nothing would be left. The directory is then unchanged.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError("no such folder", where=path, hint="name a Kaldi data directory")
    notes: list[str] = []
    tables = {name: _sound_rows(path / name, notes) for name in KINDS if (path / name).is_file()}
    if not tables.get("utt2spk") and tables.get("spk2utt"):
        tables["utt2spk"] = {u: s for s, group in tables["spk2utt"].items() for u in group.split()}
        notes.append("utt2spk: made from spk2utt")
    if not tables.get("utt2spk") or not tables.get("wav.scp"):
        name = "wav.scp" if tables.get("utt2spk") else "utt2spk"
        raise InputError(
            "missing, or no sound line in it", where=path / name, hint="write it anew; it cannot be guessed"
        )
    for name in [name for name, table in tables.items() if not table and name not in ("spk2utt", "segments")]:
        notes.append(f"{name}: set aside, there is no sound line in it")
        del tables[name]
    kept = _complete(path, tables, notes)
    _trim(tables, kept, notes)
    contents = {name: _lines(table) for name, table in tables.items()}
    if (path / "phones.ctm").is_file():
        contents["phones.ctm"] = _phones(path / "phones.ctm", tables, notes)
    return notes + _replace(path, contents)


def _sound_rows(file: Path, notes: list[str]) -> dict[str, str]:
    kind = KINDS[file.name]
    rows: dict[str, str] = {}
    text, odd = _text(file)
    if odd == "not UTF-8":
        notes.append(f"{file.name}: not UTF-8, read as Western European (check the letters beyond ASCII)")
    for number, line in enumerate(text.split("\n"), 1):
        key, _, value = divide(without_controls(line) if file.name == "wav.scp" else clean(line))
        if not key:
            continue
        problem = kind.fault(value)
        if key in rows and rows[key] != value:
            problem = f"{key} is there twice, the first is kept"
        if problem and file.name != "spk2utt":
            notes.append(f"{file.name}:{number}: dropped {key}: {problem}")
        else:
            rows.setdefault(key, value)
    return rows


def _text(file: Path) -> tuple[str, str | None]:
    try:
        return decode(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=file, hint="check its permissions") from None


def _complete(path: Path, tables: dict[str, dict[str, str]], notes: list[str]) -> set[str]:
    """The utterances that have all they need."""
    segments, wav = tables.get("segments"), tables["wav.scp"]
    gone = {name for name, value in wav.items() if missing_audio(value)}
    if gone and len(gone) == len(wav):
        raise InputError(
            "none of its audio files is there",
            where=path / "wav.scp",
            hint="correct the paths, or start where they hold; nothing was changed",
        )
    kept = set()
    for utterance in tables["utt2spk"]:
        recording = utterance if segments is None else (segments.get(utterance) or " ").split(" ")[0]
        lacking = [name for name in _ESSENTIAL[1:] if name in tables and utterance not in tables[name]]
        if not lacking and recording not in wav:
            lacking = ["wav.scp"]
        if lacking:
            notes.append(f"dropped utterance {utterance}: not in {lacking[0]}")
        elif recording in gone:
            notes.append(f"dropped utterance {utterance}: no audio file {wav[recording]}")
        else:
            kept.add(utterance)
    if not kept:
        raise InputError(
            "no utterance is in every file", where=path, hint="use the same ids in all files; nothing was changed"
        )
    return kept


def _trim(tables: dict[str, dict[str, str]], utterances: set[str], notes: list[str]) -> None:
    """Reduce every table to what stays, and set aside those that do not cover it."""
    segments = tables.get("segments")
    recordings = utterances if segments is None else {segments[u].split(" ")[0] for u in utterances}
    speakers: dict[str, list[str]] = {}
    for utterance in sorted(utterances):
        speakers.setdefault(tables["utt2spk"][utterance], []).append(utterance)
    needed = {"utterance": utterances, "recording": recordings, "speaker": set(speakers)}
    for name in sorted(tables.keys() - {"spk2utt"}, key=lambda name: name == "utt2spk"):
        keys = needed[KINDS[name].index]
        strangers = [key for key in tables[name] if key not in keys and key not in tables["utt2spk"]]
        if strangers:
            notes.append(
                f"{name}: removed {counted(len(strangers), 'line')} that nothing needs (such as {strangers[0]})"
            )
        tables[name] = {key: value for key, value in tables[name].items() if key in keys}
        if len(tables[name]) < len(keys):
            notes.append(
                f"{name}: set aside, {len(keys) - len(tables[name])} of "
                f"{counted(len(keys), 'entry', 'entries')} missing"
            )
            del tables[name]
    tables["spk2utt"] = {speaker: " ".join(group) for speaker, group in speakers.items()}


def _lines(table: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in sorted(table.items()))


def _phones(file: Path, tables: dict[str, dict[str, str]], notes: list[str]) -> str:
    """The alignment without the utterances that are gone, or that have a faulty line."""
    durations = {name: float(value) for name, value in tables.get("utt2dur", {}).items()}
    lines: dict[str, list[list[str]]] = {}
    bad: dict[str, str] = {}
    for number, line in enumerate(_text(file)[0].split("\n"), 1):
        words = clean(line).split()
        if not words:
            continue
        problem = ctm_fault(words, durations)
        if words[0].startswith(";;"):
            continue
        if words[0] not in tables["utt2spk"]:
            problem = "no such utterance"
        if problem:
            bad.setdefault(words[0], f"phones.ctm:{number}: dropped the phones of {words[0]}: {problem}")
        else:
            lines.setdefault(words[0], []).append(words)
    for name, group in lines.items():
        group.sort(key=lambda words: float(words[2]))
        for before, after in itertools.pairwise(group):
            if float(after[2]) < float(before[2]) + float(before[3]) - 0.011:
                bad.setdefault(name, f"phones.ctm: dropped the phones of {name}: they overlap at {after[2]} s")
    notes.extend(bad.values())
    return "".join(" ".join(words) + "\n" for name in sorted(lines) if name not in bad for words in lines[name])


def _replace(path: Path, contents: dict[str, str]) -> list[str]:
    """Write the files that differ, after a copy of what they replace."""
    before = {name: (path / name).read_bytes() for name in (*KINDS, "phones.ctm") if (path / name).is_file()}
    after = {name: content.encode() for name, content in contents.items() if content}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if not changed:
        return []
    backup = path / ".backup"
    number = 0
    while backup.exists():
        number += 1
        backup = path / f".backup.{number}"
    backup.mkdir()
    for name in before:
        shutil.copy2(path / name, backup / name)
    for name in changed:
        if name in after:
            with atomic_open(path / name, "wb") as file:
                file.write(after[name])
        else:
            (path / name).unlink(missing_ok=True)
    return [f"rewrote {', '.join(changed)}", f"the files as they were are in {backup}"]
