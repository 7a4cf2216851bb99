"""A data directory in memory: an immutable, sorted collection of utterances."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path

from vqspeech.datadir.tables import KINDS, clean, odd_character
from vqspeech.datadir.validation import load
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, name_fault
from vqspeech.pipes import recording


@dataclass(frozen=True, slots=True)
class Utterance:
    """A segment of speech by one speaker.

    Attributes:
        id: begins with the speaker id (``p225_001``), so that sorting by utterance also sorts by speaker.
        speaker: the speaker's id.
        recording: a path, or a Kaldi pipe (``sox a.flac -t wav - |``), then a ``vqspeech.pipes.Pipe``.
        start: seconds within the recording; None for its beginning.
        end: seconds within the recording; None for its end.
        text: the transcript.
        gender: the speaker's, ``m`` or ``f``.
        duration: seconds; None when not known.
        recording_id: the name of the recording in ``segments``; None for the utterance's own.
    """

    id: str
    speaker: str
    recording: str
    start: float | None = None
    end: float | None = None
    text: str | None = None
    gender: str | None = None
    duration: float | None = None
    recording_id: str | None = None


@dataclass(frozen=True)
class DataDir:
    """Utterances in the order of ``LC_ALL=C sort`` by id, whatever order they were given in.

    Attributes:
        utterances: all of them.
        path: where they were read from or last meant for; no part of equality.

    Raises:
        InputError: an id is empty, holds white space or is there twice.
    """

    utterances: tuple[Utterance, ...]
    path: Path | None = field(default=None, compare=False)

    def __init__(self, utterances: Iterable[Utterance], path: Path | None = None) -> None:
        # The order of code points is the order of UTF-8 bytes, which is what LC_ALL=C sorts by.
        object.__setattr__(self, "utterances", tuple(sorted(utterances, key=lambda u: u.id)))
        object.__setattr__(self, "path", path)
        for utterance in self.utterances:
            for word in (utterance.id, utterance.speaker):
                if word.split() != [word] or clean(word) != word:
                    raise InputError(f"{word!r} cannot be an id", where=path, hint="use ids without white space")
                if fault := name_fault(word):
                    raise InputError(f"no id: {fault}", where=path, hint="rename it: ids become names of files")
        for before, after in itertools.pairwise(self.utterances):
            if before.id == after.id:
                raise InputError(f"utterance {after.id} is there twice", where=path, hint="give each its own id")

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    def __getitem__(self, utterance_id: str) -> Utterance:
        return self._index[utterance_id]

    def __contains__(self, utterance_id: object) -> bool:
        return utterance_id in self._index

    @cached_property
    def _index(self) -> dict[str, Utterance]:
        return {utterance.id: utterance for utterance in self.utterances}

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """The ids of all speakers, sorted."""
        return tuple(sorted({utterance.speaker for utterance in self.utterances}))

    def by_speaker(self) -> dict[str, tuple[Utterance, ...]]:
        """The utterances of each speaker, speakers and utterances sorted."""
        groups: dict[str, list[Utterance]] = {speaker: [] for speaker in self.speakers}
        for utterance in self.utterances:
            groups[utterance.speaker].append(utterance)
        return {speaker: tuple(group) for speaker, group in groups.items()}

    @property
    def hours(self) -> float | None:
        """Length of all speech in hours; None when a duration is not known."""
        lengths = [_length(utterance) for utterance in self.utterances]
        return None if None in lengths else sum(length or 0.0 for length in lengths) / 3600

    def subset(self, keep: Callable[[Utterance], bool]) -> DataDir:
        """The utterances for which ``keep`` is true."""
        return DataDir((utterance for utterance in self.utterances if keep(utterance)), self.path)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> DataDir:
        """Read a data directory that is valid (audio files are looked at when they are read, not here).

        Raises:
            InputError: at the first fault, naming file, line and hint.
        """
        path = Path(path)
        tables, issues = load(path)
        if issues:
            raise issues[0].error()
        columns = {name: {row.key: row.value for row in rows} for name, rows in tables.items()}
        text, durations, genders = (columns.get(name, {}) for name in ("text", "utt2dur", "spk2gender"))
        utterances = []
        for utterance_id, speaker in columns["utt2spk"].items():
            recording_id, start, end = None, None, None
            if "segments" in columns:
                recording_id, *times = columns["segments"][utterance_id].split()
                start, end = map(float, times)
            duration = durations.get(utterance_id)
            utterances.append(
                Utterance(
                    id=utterance_id,
                    speaker=speaker,
                    recording=recording(columns["wav.scp"][recording_id or utterance_id]),
                    start=start,
                    end=end,
                    text=text.get(utterance_id),
                    gender=genders.get(speaker),
                    duration=None if duration is None else float(duration),
                    recording_id=recording_id,
                )
            )
        return cls(utterances, path)

    def write(self, path: str | PathLike[str]) -> None:
        """Write the directory as Kaldi's validation accepts it; each file is there in full or not at all.

        ``wav.scp``, ``utt2spk`` and ``spk2utt`` always; ``segments`` when an utterance is a part of a recording;
        ``text``, ``utt2dur`` and ``spk2gender`` when known for every utterance (Kaldi accepts no partial ones).
        Those of an earlier directory in the same place that no longer apply are removed.

        Raises:
            InputError: there is nothing to write, or no valid directory can say it (the hint says why).
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise InputError("not a folder", where=path, hint="name a folder to write the data directory in")
        if not self.utterances:
            raise InputError("no utterances to write", where=path, hint="a data directory needs at least one")
        tables = self._tables(path)
        path.mkdir(parents=True, exist_ok=True)
        for name in ("segments", "text", "utt2dur", "spk2gender"):
            if name not in tables:
                (path / name).unlink(missing_ok=True)
        for name, table in tables.items():
            with atomic_open(path / name) as file:
                file.writelines(f"{key} {value}\n" for key, value in sorted(table.items()))

    def _tables(self, path: Path) -> dict[str, dict[str, str]]:
        self._check_speaker_order(path)
        whole = [u.start is None and u.end is None and u.recording_id in (None, u.id) for u in self.utterances]
        recordings: dict[str, str] = {}
        for u in self.utterances:
            name = u.recording_id or u.id
            if recordings.setdefault(name, u.recording) != u.recording:
                raise InputError(f"recording id {name} stands for two recordings", where=path, hint="rename one")
            if odd_character(u.recording, path=True) or u.recording.strip() != u.recording or u.recording[0] == "~":
                raise InputError(f"{u.recording!r} cannot stand in wav.scp", where=path, hint="move or link the audio")
        tables = {
            "wav.scp": recordings,
            "utt2spk": {u.id: u.speaker for u in self.utterances},
            "spk2utt": {s: " ".join(u.id for u in group) for s, group in self.by_speaker().items()},
        }
        if not all(whole):
            tables["segments"] = {u.id: _segment(u, path) for u in self.utterances}
        texts = {u.id: clean(u.text) for u in self.utterances if u.text}
        lengths = {u.id: _length(u) for u in self.utterances}
        if len(texts) == len(self) and all(texts.values()):
            tables["text"] = texts
        if all(lengths.values()):
            tables["utt2dur"] = {name: _number(length) for name, length in lengths.items() if length}
        genders = self._genders(path)
        if len(genders) == len(self.speakers):
            tables["spk2gender"] = genders
        for name, table in tables.items():
            for key, value in table.items():
                if problem := KINDS[name].fault(value):
                    raise InputError(f"{key}: {problem}", where=path / name, hint=KINDS[name].hint)
        return tables

    def _genders(self, path: Path) -> dict[str, str]:
        genders: dict[str, str] = {}
        for u in self.utterances:
            if u.gender is not None and genders.setdefault(u.speaker, u.gender) != u.gender:
                raise InputError(f"speaker {u.speaker} is both m and f", where=path, hint="give two speakers two ids")
        return genders

    def _check_speaker_order(self, path: Path) -> None:
        for before, after in itertools.pairwise(self.utterances):
            if before.speaker > after.speaker:
                raise InputError(
                    f"utterance {before.id} of speaker {before.speaker} sorts before {after.id} of {after.speaker}",
                    where=path,
                    hint="make each utterance id its speaker id, a hyphen and a name",
                )


def _length(utterance: Utterance) -> float | None:
    """Seconds of an utterance from its own duration or its segment."""
    if utterance.duration is not None or utterance.end is None:
        return utterance.duration
    return utterance.end - (utterance.start or 0.0)


def _segment(utterance: Utterance, path: Path) -> str:
    start, end = utterance.start or 0.0, utterance.end
    if end is None and utterance.duration is not None:
        end = start + utterance.duration
    if end is None or not 0 <= start < end:
        raise InputError(
            f"utterance {utterance.id} needs a start and a later end for segments, not {start} and {end}",
            where=path,
            hint="give its end or its duration in seconds",
        )
    return f"{utterance.recording_id or utterance.id} {_number(start)} {_number(end)}"


def _number(value: float) -> str:
    """The shortest decimal that reads back as the same float."""
    text = repr(float(value))
    return f"{value:.9f}" if "e" in text else text
