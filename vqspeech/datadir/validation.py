"""What is wrong with a data directory: all that Kaldi's ``validate_data_dir.sh --no-feats`` refuses, and more."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from vqspeech.datadir.issue import ValidationIssue
from vqspeech.datadir.tables import KINDS, Kind, Row, read_table, seconds
from vqspeech.files import name_fault

#: An aligner's last frame may end this much (seconds) after the audio does.
_CTM_TOLERANCE = 0.05


def validate(path: str | PathLike[str], *, require_text: bool = True) -> list[ValidationIssue]:
    """All faults of a data directory, also missing audio files and faults of ``phones.ctm``; empty when there are none.

    Args:
        path: the data directory.
        require_text: whether a directory without transcripts is at fault, as it is to Kaldi.
    """
    path = Path(path)
    tables, issues = load(path)
    if require_text and path.is_dir() and not (path / "text").exists():
        issues.append(
            ValidationIssue(
                path / "text", None, "no such file", "write the transcripts, or say --no-text if there are none"
            )
        )
    issues += _missing_audio(path / "wav.scp", tables.get("wav.scp", []))
    if (path / "phones.ctm").exists():
        issues += _ctm_faults(path / "phones.ctm", tables)
    return issues


def load(path: Path) -> tuple[dict[str, list[Row]], list[ValidationIssue]]:
    """The tables of a data directory as they stand, and the faults in and between them."""
    if not path.is_dir():
        return {}, [ValidationIssue(path, None, "no such folder", "name a Kaldi data directory")]
    tables: dict[str, list[Row]] = {}
    issues: list[ValidationIssue] = []
    for name, hint in (
        ("utt2spk", "write 'utterance-id speaker-id' for each utterance"),
        ("spk2utt", "'vqspeech fix' makes it from utt2spk"),
        ("wav.scp", "write 'id path' for each recording"),
    ):
        if not (path / name).exists():
            issues.append(ValidationIssue(path / name, None, "no such file", hint))
    for name, kind in KINDS.items():
        if (path / name).exists():
            tables[name], faults = read_table(path / name)
            issues += faults
            issues += _row_faults(path / name, kind, tables[name])
    if "utt2spk" in tables:
        issues += _speaker_order(path / "utt2spk", tables["utt2spk"])
        issues += _disagreements(path, tables)
    return tables, issues


def _row_faults(file: Path, kind: Kind, rows: list[Row]) -> Iterator[ValidationIssue]:
    """Values that make no sense, ids out of order, ids there twice."""
    first: dict[str, int] = {}
    highest = ""
    for row in rows:
        if problem := kind.fault(row.value):
            yield ValidationIssue(file, row.line, f"{row.key}: {problem}", kind.hint)
        for name in (row.key, row.value) if file.name == "utt2spk" else (row.key,):
            if kind.index != "recording" and (problem := name_fault(name)):
                yield ValidationIssue(file, row.line, f"no id: {problem}", "rename it: ids become names of files")
        if row.key in first:
            problem = f"{kind.index} {row.key} is there twice, first on line {first[row.key]}"
            yield ValidationIssue(file, row.line, problem, "remove one; 'vqspeech fix' keeps the first")
        elif row.key < highest:
            problem = f"not in sorted order: {row.key} comes after {highest}"
            yield ValidationIssue(file, row.line, problem, "sort it with LC_ALL=C, or 'vqspeech fix'")
        first.setdefault(row.key, row.line)
        highest = max(highest, row.key)


def _speaker_order(file: Path, rows: list[Row]) -> Iterator[ValidationIssue]:
    """Sorted by utterance, the table must be sorted by speaker too."""
    for row in rows:
        if row.gap != rows[0].gap:
            problem = f"{row.key} has other white space between or behind its ids than line {rows[0].line}"
            yield ValidationIssue(file, row.line, problem, "Kaldi's sort heeds it; 'vqspeech fix' makes it one space")
            break
    ordered = sorted(rows, key=lambda row: row.key)
    highest = Row(0, "", "")
    for row in ordered:
        if row.value < highest.value:
            lacking = row if not row.key.startswith(row.value) else highest
            problem = (
                f"not sorted by speaker: {row.key} of speaker {row.value} comes after {highest.key} of {highest.value}"
            )
            if not lacking.key.startswith(lacking.value):
                problem += f", and {lacking.key} does not begin with its speaker id {lacking.value}"
            yield ValidationIssue(file, row.line, problem, "make each utterance id its speaker id, a hyphen and a name")
        else:
            highest = row


def _disagreements(path: Path, tables: dict[str, list[Row]]) -> Iterator[ValidationIssue]:
    """Tables must hold exactly the utterances of utt2spk, its speakers, and the recordings they are cut from."""
    speakers: dict[str, tuple[str, int]] = {}
    for row in tables["utt2spk"]:
        speakers.setdefault(row.value, ("utt2spk", row.line))
    utterances = {row.key: ("utt2spk", row.line) for row in tables["utt2spk"]}
    recordings = utterances
    if "segments" in tables:
        recordings = {}
        for row in tables["segments"]:
            recordings.setdefault((row.value.split() or [""])[0], ("segments", row.line))
    owners = {"utterance": utterances, "speaker": speakers, "recording": recordings}
    for name, rows in tables.items():
        if name == "utt2spk":
            continue
        index = KINDS[name].index
        owner = owners[index]
        source = "segments" if index == "recording" and "segments" in tables else "utt2spk"
        present = {row.key for row in rows}
        hint = f"complete {name}; 'vqspeech fix' keeps what is in every file"
        for key, (where, line) in owner.items():
            if key and key not in present:
                yield ValidationIssue(path / where, line, f"{index} {key} is not in {name}", hint)
        for row in rows:
            if row.key not in owner:
                problem = f"{index} {row.key} is not in {source}"
                yield ValidationIssue(path / name, row.line, problem, f"remove the line; {hint.split('; ')[1]}")
    if "spk2utt" in tables:
        yield from _inversion(path / "spk2utt", tables)


def _inversion(file: Path, tables: dict[str, list[Row]]) -> Iterator[ValidationIssue]:
    """spk2utt must be utt2spk turned round, utterances in the same order."""
    groups: dict[str, list[str]] = {}
    for row in tables["utt2spk"]:
        groups.setdefault(row.value, []).append(row.key)
    for row in tables["spk2utt"]:
        listed, expected = row.value.split(), groups.get(row.key)
        if expected is None or listed == expected:
            continue
        if odd := [name for name in expected if name not in set(listed)]:
            problem = f"speaker {row.key} lacks utterance {odd[0]}, which utt2spk gives to it"
        elif odd := [name for name in listed if name not in set(expected)]:
            problem = f"speaker {row.key} has utterance {odd[0]}, which utt2spk does not give to it"
        else:
            problem = f"the utterances of speaker {row.key} are not in the order of utt2spk, or are there twice"
        yield ValidationIssue(file, row.line, problem, "'vqspeech fix' makes spk2utt from utt2spk")


def missing_audio(value: str) -> bool:
    """Whether a ``wav.scp`` value is a path to a file that is not there (pipes are not run to find out)."""
    if not value or value.endswith("|") or value.startswith("|") or value == "-":
        return False
    archive, colon, offset = value.rpartition(":")
    return not (Path(value).is_file() or (colon and offset.isdecimal() and Path(archive).is_file()))


def _missing_audio(file: Path, rows: list[Row]) -> Iterator[ValidationIssue]:
    for row in rows:
        if missing_audio(row.value) and not row.value.startswith("~"):
            problem = f"{row.key}: no audio file {row.value}"
            yield ValidationIssue(
                file, row.line, problem, "correct the path, or drop the utterance with 'vqspeech fix'"
            )


def ctm_fault(words: list[str], durations: dict[str, float]) -> str | None:
    """What is wrong with one line of a CTM file by itself: ``utterance channel start duration phone [confidence]``."""
    if len(words) not in (5, 6):
        return f"expected 'utterance channel start duration phone', found {len(words)} words"
    start, duration = seconds(words[2]), seconds(words[3])
    if start is None or duration is None or start < 0 or duration < 0:
        return f"{words[0]}: start {words[2]!r} or duration {words[3]!r} is not a time in seconds"
    length = durations.get(words[0])
    if length is not None and start + duration > length + _CTM_TOLERANCE:
        return f"{words[0]}: phone {words[4]} ends at {start + duration:.3f} s, the utterance at {length:.3f} s"
    return None


def _ctm_faults(file: Path, tables: dict[str, list[Row]]) -> Iterator[ValidationIssue]:
    rows, faults = read_table(file)
    yield from faults
    known = {row.key for row in tables.get("utt2spk", [])}
    durations = {row.key: seconds(row.value) or 0.0 for row in tables.get("utt2dur", [])}
    hint = "align the directory anew, or correct the line"
    utterance, end = "", 0.0
    for row in rows:
        if row.key.startswith(";;"):
            continue
        words = [row.key, *row.value.split()]
        if problem := ctm_fault(words, durations):
            yield ValidationIssue(file, row.line, problem, hint)
            continue
        if row.key not in known:
            yield ValidationIssue(file, row.line, f"utterance {row.key} is not in utt2spk", "remove the line")
        if row.key < utterance:
            problem = f"not in sorted order: {row.key} comes after {utterance}"
            yield ValidationIssue(file, row.line, problem, "sort the file by utterance, then start")
        start = float(words[2])
        # Times are often written with two decimals, so that neighbours can seem to overlap by one unit of them.
        if row.key == utterance and start < end - 0.011:
            problem = f"{row.key}: phone {words[4]} starts at {words[2]} s, before the one in front ends ({end:.3f} s)"
            yield ValidationIssue(file, row.line, problem, hint)
        utterance, end = row.key, start + float(words[3])
