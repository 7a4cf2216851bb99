"""Whether a conversion says the same words, in the target's voice, and sounds well: pairs, rows, means.

Recordings go in and figures come out; whatever made the converted ones is of no concern here. Beside them stand, on
the same pairs, what has the right words or the right voice already: the source as it is, its mu-law round trip,
Griffin-Lim from its mel bands, and a real recording of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.evaluation.bootstrap import FEWEST_SPEAKERS, RESAMPLES, Intervals
from vqspeech.evaluation.judges import Judges
from vqspeech.evaluation.judges.pitch import Contour, correlation
from vqspeech.evaluation.judges.text import normalise

Reader = Callable[[], NDArray[np.float32]]
Relation = Literal["same", "cross"]

#: Recordings of a speaker that make up what the voice is compared with, at most.
MOST_REFERENCES = 8


@dataclass(frozen=True, slots=True)
class Recording:
    """Speech to be judged.

    Attributes:
        name: no two recordings that differ have the same.
        speaker: who speaks.
        read: gives the waveform, ``(samples,)`` at 16 kHz.
        text: what is said, where known.
        gender: the speaker's, ``m`` or ``f``, where known.
        duration: seconds, where known.
    """

    name: str
    speaker: str
    read: Reader = field(compare=False)
    text: str | None = None
    gender: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A recording and the speaker whose voice it is to have.

    Attributes:
        source: the recording.
        target: the speaker.
        gender: whether the two speakers are of the same; None where that is not known.
        seen: whether the system was trained on the source's speaker; None where that is not known.
    """

    source: Recording
    target: str
    gender: Relation | None = None
    seen: bool | None = None

    @property
    def name(self) -> str:
        """``utterance-target``, the stem of the converted file."""
        return f"{self.source.name}-{self.target}"


@dataclass(frozen=True, slots=True)
class Row:
    """What the judges say of one pair; None where a judge was missing or had nothing to go by.

    Attributes:
        source: the source's speaker.
        target: the target speaker.
        utterance: the source's name.
        gender: as ``Pair``.
        seen: as ``Pair``.
        similarity_target: cosine of the speaker embedding to the mean of the target's recordings.
        similarity_source: the same to the source speaker's other recordings.
        target_wins: whether the former is the greater.
        wer: word errors a word of the reference.
        words: how many words the reference has.
        heard: what the recogniser wrote.
        dnsmos: overall opinion score, 1 to 5.
        f0_mean: in Hz.
        f0_mean_target: of the target's recordings, in Hz.
        f0_difference: how far the former is from the latter, in semitones, without sign.
        f0_range: 5th to 95th percentile, in semitones.
        f0_range_target: of the target's recordings.
        f0_correlation: of log F0 with the source's, where both are voiced.
        mcd: mel-cepstral distortion against a reading of the same words by the target, in dB.
        duration: in seconds.
    """

    source: str
    target: str
    utterance: str
    gender: Relation | None = None
    seen: bool | None = None
    similarity_target: float | None = None
    similarity_source: float | None = None
    target_wins: bool | None = None
    wer: float | None = None
    words: int | None = None
    heard: str | None = None
    dnsmos: float | None = None
    f0_mean: float | None = None
    f0_mean_target: float | None = None
    f0_difference: float | None = None
    f0_range: float | None = None
    f0_range_target: float | None = None
    f0_correlation: float | None = None
    mcd: float | None = None
    duration: float | None = None


#: What each judge fills in.
FIELDS: dict[str, tuple[str, ...]] = {
    "similarity": ("similarity_target", "similarity_source", "target_wins"),
    "words": ("wer", "words", "heard"),
    "quality": ("dnsmos",),
    "pitch": ("f0_mean", "f0_mean_target", "f0_difference", "f0_range", "f0_range_target", "f0_correlation"),
    "cepstra": ("mcd",),
}
#: Figures of a row that have a mean.
FIGURES = (*(name for names in FIELDS.values() for name in names if name not in ("words", "heard")), "duration")


@dataclass(frozen=True)
class System:
    """One way to get from the source to the target, judged on all pairs.

    Attributes:
        rows: one a pair.
        mean: figure -> mean over the rows that have it; ``wer`` is errors of all rows by words of all rows.
    """

    rows: tuple[Row, ...]
    mean: dict[str, float | None]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> System:
        """Take the means."""
        kept = tuple(rows)
        return cls(kept, means(kept))


@dataclass(frozen=True)
class Result:
    """A system between its floors and ceilings.

    Attributes:
        converted: the system that was evaluated.
        floors: name -> a system that has the words and not the voice.
        ceilings: name -> one that has both, or all that the system's parts allow.
        intervals: of the means of ``converted``.
        groups: name of a group of pairs -> its means.
        judges: measure -> name of the judge, of those who were there.
        columns: the figures that were measured.
        notes: what the reader must know, a sentence each.
    """

    converted: System
    floors: dict[str, System]
    ceilings: dict[str, System]
    intervals: Intervals
    groups: dict[str, dict[str, float | None]]
    judges: dict[str, str]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = ()


def balanced(candidates: Iterable[Pair], number: int, *, seed: int = 0) -> list[Pair]:
    """Draw pairs so that targets, genders, known and unknown sources, speakers and utterances occur alike.

    One pair after the other: of the targets drawn least so far the one whose kind (gender, seen), then source speaker,
    then utterance was drawn least; what is still equal is decided by the seed.

    Args:
        candidates: those to draw from.
        number: how many; all there are, if fewer.
        seed: the same seed draws the same pairs from the same candidates.
    """
    generator = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in candidates:
        groups.setdefault((pair.target, pair.source.speaker), []).append(pair)
    for group in groups.values():
        generator.shuffle(group)  # type: ignore[arg-type]
    names = sorted(groups)
    generator.shuffle(names)  # type: ignore[arg-type]
    times: dict[Any, int] = {}

    def counts(*keys: Any) -> list[int]:
        return [times.get(key, 0) for key in keys]

    drawn: list[Pair] = []
    while names and len(drawn) < number:

        def rarity(name: tuple[str, str]) -> list[int]:
            target, source = name
            first = groups[name][0]
            kind = (first.gender, first.seen)
            return counts(("target", target), ("kind", target, kind), ("kind", kind), ("source", source), name)

        chosen = min(names, key=rarity)
        pair = min(groups[chosen], key=lambda one: times.get(("utterance", one.source.name), 0))
        groups[chosen].remove(pair)
        if not groups[chosen]:
            names.remove(chosen)
        drawn.append(pair)
        target, source = chosen
        kind = (pair.gender, pair.seen)
        for key in (
            ("target", target),
            ("kind", target, kind),
            ("kind", kind),
            ("source", source),
            chosen,
            ("utterance", pair.source.name),
        ):
            times[key] = times.get(key, 0) + 1
    return drawn


def relation(first: str | None, second: str | None) -> Relation | None:
    """Of two genders."""
    if first is None or second is None:
        return None
    return "same" if first == second else "cross"


def evaluate(
    pairs: Sequence[Pair],
    converted: Mapping[str, Reader],
    references: Mapping[str, Sequence[Recording]],
    judges: Judges,
    *,
    resyntheses: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Judge conversions, and what stands above and below them.

    Every recording is brought to the level of ``audio.normalise_level`` first. A pair whose target is the source's own
    speaker is a reconstruction: its real recording is the source itself, and there is no source to be nearer to.

    Args:
        pairs: what was to be converted.
        converted: name of a pair -> its converted waveform.
        references: speaker -> real recordings, of the targets and, as far as there are, of the sources. A recording
            is never compared with itself as long as its speaker has another.
        judges: who is there.
        resyntheses: name of a ceiling -> what turns the source into it, such as ``resynthesis.griffin_lim``.
        seed: of the draw of references and of the bootstrap.
        progress: called with rows done and rows in all.
    """
    panel = _Panel(judges, references, seed)
    reconstruction = all(pair.source.speaker == pair.target for pair in pairs)
    real = [pair.source if reconstruction else panel.real(pair, number) for number, pair in enumerate(pairs)]
    made: dict[str, list[Recording]] = {
        "converted": [_made("converted", pair.name, pair.target, converted[pair.name]) for pair in pairs],
        **{
            name: [
                _made(name, pair.source.name, pair.source.speaker, _through(change, pair.source.read)) for pair in pairs
            ]
            for name, change in resyntheses.items()
        },
    }
    if not reconstruction:
        made["source"] = [pair.source for pair in pairs]
    total, done = (len(made) + 1) * len(pairs), 0
    systems = {}
    for name, recordings in {**made, "real_target": real}.items():
        rows = []
        for pair, recording in zip(pairs, recordings, strict=True):
            rows.append(panel.row(pair, recording, real=name == "real_target"))
            done += 1
            if progress:
                progress(done, total)
        systems[name] = System.of(rows)
    rows = list(systems["converted"].rows)
    measured = [name for name in FIELDS if getattr(judges, name) is not None]
    columns = [name for name in FIGURES if name == "duration" or any(name in FIELDS[judge] for judge in measured)]
    if reconstruction:
        columns = [name for name in columns if name not in ("similarity_source", "target_wins")]
    return Result(
        converted=systems["converted"],
        floors={name: systems[name] for name in ("source",) if name in systems},
        ceilings={name: systems[name] for name in (*resyntheses, "real_target")},
        intervals=intervals(rows, columns, seed=seed),
        groups={name: means(group) for name, group in _grouped(rows).items()},
        judges={name: getattr(getattr(judges, name), "name", _NAMES.get(name, name)) for name in measured},
        columns=tuple(columns),
        notes=(*judges.missing, *panel.notes(pairs)),
    )


_NAMES = {"pitch": "Praat, autocorrelation", "cepstra": "mel-cepstral distortion, time-warped"}


def _made(kind: str, name: str, speaker: str, read: Reader) -> Recording:
    return Recording(f"{kind}: {name}", speaker, read)


def _through(change: Callable[[NDArray[np.float32]], NDArray[np.float32]], read: Reader) -> Reader:
    return lambda: change(read())


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.gender:
            groups.setdefault(f"{row.gender} gender", []).append(row)
        if row.seen is not None:
            groups.setdefault("sources of the training" if row.seen else "strangers as sources", []).append(row)
    for row in sorted(rows, key=lambda row: row.target):
        groups.setdefault(f"target {row.target}", []).append(row)
    return groups


def means(rows: Sequence[Row]) -> dict[str, float | None]:
    """Means of all figures over the rows that have them; ``wer`` weighs each row by its words."""
    return {name: _mean(*_weighed(rows, name)) for name in FIGURES}


def _weighed(rows: Sequence[Row], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A figure of each row and its weight, which is 0 where there is none; ``(rows,)`` each."""
    values = [getattr(row, name) for row in rows]
    weights = [
        0 if value is None else (row.words or 0) if name == "wer" else 1
        for row, value in zip(rows, values, strict=True)
    ]
    return np.array([value or 0 for value in values], np.float64), np.array(weights, np.float64)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float | None:
    return float(values @ weights / weights.sum()) if weights.sum() else None


def intervals(rows: Sequence[Row], columns: Sequence[str], *, seed: int = 0, confidence: float = 0.95) -> Intervals:
    """How far the means would move with other targets: percentiles of a bootstrap over target speakers.

    Pairs are drawn where there are under five targets.

    Args:
        rows: one a pair.
        columns: figures whose mean is wanted.
        seed: of the draw.
        confidence: share of resamples inside an interval.
    """
    _, group = np.unique([row.target for row in rows], return_inverse=True)
    unit: Literal["speakers", "utterances"] = "speakers"
    if group.max(initial=-1) + 1 < FEWEST_SPEAKERS:
        unit, group = "utterances", np.arange(len(rows))
    units = int(group.max(initial=-1)) + 1
    if units < 2:
        return Intervals(None, units, confidence)
    drawn = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=RESAMPLES)
    tail = (1 - confidence) / 2
    bounds = {}
    for name in columns:
        values, weights = _weighed(rows, name)
        above = drawn @ np.bincount(group, weights=values * weights, minlength=units)
        below = drawn @ np.bincount(group, weights=weights, minlength=units)
        if (below > 0).any():
            low, high = np.quantile(above[below > 0] / below[below > 0], [tail, 1 - tail])
            bounds[name] = (float(low), float(high))
    return Intervals(unit, units, confidence, bounds)


class _Panel:
    """The judges, and what they have said already: nobody is asked twice about one recording."""

    def __init__(self, judges: Judges, references: Mapping[str, Sequence[Recording]], seed: int) -> None:
        self.judges = judges
        self.all = references
        self.references: dict[str, list[Recording]] = {}
        generator = np.random.default_rng(seed)
        for speaker in sorted(references):
            # Long ones say more about the voice; very long ones only take time.
            fit = [one for one in references[speaker] if one.duration is None or 2 <= one.duration <= 15]
            order = generator.permutation(len(fit or references[speaker]))
            self.references[speaker] = [(fit or references[speaker])[index] for index in order[:MOST_REFERENCES]]
        self._said: dict[tuple[str, str], Any] = {}
        #: The recording that is being judged and its waveform once it was read; references come in between.
        self._current = ""
        self._waveform: NDArray[np.float32] | None = None

    def _hear(self, recording: Recording) -> NDArray[np.float32]:
        if recording.name != self._current:
            return audio.normalise_level(recording.read())
        if self._waveform is None:
            self._waveform = audio.normalise_level(recording.read())
        return self._waveform

    def _ask(self, measure: str, recording: Recording, judge: Callable[[NDArray[np.float32]], Any]) -> Any:
        key = measure, recording.name
        if key not in self._said:
            self._said[key] = judge(self._hear(recording))
        return self._said[key]

    def real(self, pair: Pair, number: int) -> Recording:
        """A real recording of the target: the same words if it has read them, else one with a text."""
        parallel = self.parallel(pair)
        if parallel:
            return parallel
        drawn = self.references[pair.target]
        spoken = [one for one in drawn if one.text and one != pair.source] or drawn
        return spoken[number % len(spoken)]

    def parallel(self, pair: Pair) -> Recording | None:
        """The target's reading of the source's words, if there is one."""
        if pair.source.speaker == pair.target:
            return pair.source
        words = normalise(pair.source.text or "")
        if not words:
            return None
        same = (one for one in self.all.get(pair.target, ()) if one.text and normalise(one.text) == words)
        return next(same, None)

    def _others(self, speaker: str, *without: str) -> list[Recording]:
        """References of a speaker, those named left out as long as another remains."""
        mine = self.references.get(speaker, [])
        return [one for one in mine if one.name not in without] or mine

    def row(self, pair: Pair, recording: Recording, *, real: bool) -> Row:
        """Judge one recording that stands for the conversion of a pair."""
        judges, found = self.judges, dict[str, Any]()
        self._current, self._waveform = recording.name, None
        target = self._others(pair.target, pair.source.name, recording.name)
        if judges.similarity:
            found |= self._voice(pair, recording, target)
        if judges.words:
            found |= self._words(recording if real else pair.source, recording)
        if judges.quality:
            found["dnsmos"] = self._ask("quality", recording, judges.quality.score)
        if judges.pitch:
            found |= self._pitch(pair, recording, target, aligned=not real or recording == pair.source)
        if judges.cepstra:
            parallel = self.parallel(pair)
            if parallel and parallel.name != recording.name:
                found["mcd"] = judges.cepstra(self._hear(recording), self._hear(parallel))
        return Row(
            source=pair.source.speaker,
            target=pair.target,
            utterance=pair.source.name,
            gender=pair.gender,
            seen=pair.seen,
            duration=self._ask("duration", recording, lambda waveform: len(waveform) / audio.SAMPLE_RATE),
            **found,
        )

    def _voice(self, pair: Pair, recording: Recording, target: Sequence[Recording]) -> dict[str, Any]:
        assert self.judges.similarity
        embed = self.judges.similarity.embed
        voice = self._ask("similarity", recording, embed)

        def cosine(others: Sequence[Recording]) -> float | None:
            if not others:
                return None
            mean = np.mean([self._ask("similarity", one, embed) for one in others], axis=0)
            return float(voice @ mean / max(np.linalg.norm(mean) * np.linalg.norm(voice), 1e-9))

        nearness = cosine(target)
        if pair.source.speaker == pair.target:
            return {"similarity_target": nearness}
        source = cosine(self._others(pair.source.speaker, pair.source.name, recording.name) or [pair.source])
        wins = None if nearness is None or source is None else nearness > source
        return {"similarity_target": nearness, "similarity_source": source, "target_wins": wins}

    def _words(self, said: Recording, recording: Recording) -> dict[str, Any]:
        from vqspeech.evaluation.judges import words

        assert self.judges.words
        transcribe = self.judges.words.transcribe
        heard = self._ask("words", recording, transcribe)
        text = said.text
        if text is None:
            if said.name == recording.name:
                return {"heard": heard}
            text = self._ask("words", said, transcribe)
        errors = words.count(text, heard)
        return {"heard": heard} | ({"wer": errors.rate, "words": errors.words} if errors else {})

    def _pitch(
        self, pair: Pair, recording: Recording, target: Sequence[Recording], *, aligned: bool
    ) -> dict[str, float | None]:
        assert self.judges.pitch
        track = self.judges.pitch
        mine: Contour = self._ask("pitch", recording, track)
        theirs: list[Contour] = [self._ask("pitch", one, track) for one in target]
        mean = _average([one.mean for one in theirs])
        return {
            "f0_mean": mine.mean,
            "f0_mean_target": mean,
            "f0_difference": None if mine.mean is None or mean is None else float(12 * abs(np.log2(mine.mean / mean))),
            "f0_range": mine.range,
            "f0_range_target": _average([one.range for one in theirs]),
            "f0_correlation": correlation(mine, self._ask("pitch", pair.source, track)) if aligned else None,
        }

    def notes(self, pairs: Sequence[Pair]) -> list[str]:
        """What the reader of the figures must know."""
        found = []
        silent = sum(pair.source.text is None for pair in pairs)
        if silent and self.judges.words:
            found.append(
                f"{silent} of {len(pairs)} sources have no text: their word errors are counted against what "
                f"{self.judges.words.name} hears in the source"
            )
        if self.judges.cepstra and not any(self.parallel(pair) for pair in pairs):
            found.append("no target has read a source's words: there is no mel-cepstral distortion")
        few = sorted({pair.target for pair in pairs if len(self.references.get(pair.target, ())) < 2})
        if few:
            found.append(f"one recording alone to compare with, so that it is compared with itself: {', '.join(few)}")
        return found


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
