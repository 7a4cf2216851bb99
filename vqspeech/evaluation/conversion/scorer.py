"""Scoring: the metrics of one recording as the conversion of a pair."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.counts import counted
from vqspeech.evaluation.conversion.metrics import PairMetrics
from vqspeech.evaluation.conversion.pairs import Pair, Recording
from vqspeech.evaluation.metrics import MetricSet
from vqspeech.evaluation.metrics.f0 import Contour, correlation
from vqspeech.evaluation.metrics.text_normalisation import plain_words

#: Recordings of a speaker that make up what the voice is compared with, at most.
MOST_REFERENCES = 8
#: Seconds they last where there is a choice: longer ones say more of the voice, very long ones only take time.
_SHORTEST, _LONGEST = 2.0, 15.0


class ConversionScorer:
    """Applies the metrics; none is computed twice for one recording.

    Args:
        metric_set: who is there.
        references: speaker -> real recordings.
        seed: of the draw of references.
    """

    def __init__(self, metric_set: MetricSet, references: Mapping[str, Sequence[Recording]], seed: int) -> None:
        self.metric_set = metric_set
        self.all = references
        self.references: dict[str, list[Recording]] = {}
        for speaker in sorted(references):
            # A draw of its own for each, so that a speaker more or less changes nothing for the others.
            generator = np.random.default_rng([seed, zlib.crc32(speaker.encode())])
            fit = [one for one in references[speaker] if one.duration is None or _SHORTEST <= one.duration <= _LONGEST]
            kept = fit if len(fit) > 1 else list(references[speaker])
            order = generator.permutation(len(kept))[:MOST_REFERENCES]
            self.references[speaker] = [kept[index] for index in order]
        self._said: dict[tuple[str, str], Any] = {}
        #: The recording that is being scored and its waveform once it was read; references come in between.
        self._current = ""
        self._waveform: NDArray[np.float32] | None = None

    def _hear(self, recording: Recording) -> NDArray[np.float32]:
        if recording.name != self._current:
            return audio.normalise_level(recording.read())
        if self._waveform is None:
            self._waveform = audio.normalise_level(recording.read())
        return self._waveform

    def _ask(self, measure: str, recording: Recording, metric: Callable[[NDArray[np.float32]], Any]) -> Any:
        key = measure, recording.name
        if key not in self._said:
            self._said[key] = metric(self._hear(recording))
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
        words = plain_words(pair.source.text or "")
        if not words:
            return None
        same = (one for one in self.all.get(pair.target, ()) if one.text and plain_words(one.text) == words)
        return next(same, None)

    def _others(self, speaker: str, *without: str) -> list[Recording]:
        """References of a speaker, those named left out as long as another remains."""
        mine = self.references.get(speaker, [])
        return [one for one in mine if one.name not in without] or mine

    def row(self, pair: Pair, recording: Recording, *, real: bool) -> PairMetrics:
        """Score one recording as the conversion of a pair."""
        metric_set, found = self.metric_set, dict[str, Any]()
        self._current, self._waveform = recording.name, None
        target = self._others(pair.target, pair.source.name, recording.name)
        if metric_set.similarity:
            found |= self._voice(pair, recording, target)
        if metric_set.words:
            found |= self._words(recording if real else pair.source, recording)
        if metric_set.quality:
            found["dnsmos"] = self._ask("quality", recording, metric_set.quality.score)
        if metric_set.pitch:
            found |= self._pitch(pair, recording, target, aligned=not real or recording == pair.source)
        if metric_set.cepstra:
            parallel = self.parallel(pair)
            if parallel and parallel.name != recording.name:
                found["mcd"] = metric_set.cepstra(self._hear(recording), self._hear(parallel))
        return PairMetrics(
            source=pair.source.speaker,
            target=pair.target,
            utterance=pair.source.name,
            gender=pair.gender,
            seen=pair.seen,
            duration=self._ask("duration", recording, lambda waveform: len(waveform) / audio.SAMPLE_RATE),
            **found,
        )

    def _voice(self, pair: Pair, recording: Recording, target: Sequence[Recording]) -> dict[str, Any]:
        assert self.metric_set.similarity
        embed = self.metric_set.similarity.embed
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
        assert self.metric_set.words
        transcribe = self.metric_set.words.transcribe
        transcript = self._ask("words", recording, transcribe)
        text = said.text
        if text is None:
            if said.name == recording.name:
                return {"transcript": transcript}
            text = self._ask("words", said, transcribe)
        errors = self.metric_set.words.errors(text, transcript)
        return {"transcript": transcript} | ({"wer": errors.rate, "words": errors.words} if errors else {})

    def _pitch(
        self, pair: Pair, recording: Recording, target: Sequence[Recording], *, aligned: bool
    ) -> dict[str, float | None]:
        assert self.metric_set.pitch
        track = self.metric_set.pitch
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
        if silent and self.metric_set.words:
            found.append(
                f"no text for {silent} of {counted(len(pairs), 'source')}: word errors are counted against what "
                f"{self.metric_set.words.name} finds in the source"
            )
        if self.metric_set.cepstra and not any(self.parallel(pair) for pair in pairs):
            found.append("no target has read a source's words: there is no mel-cepstral distortion")
        few = sorted({pair.target for pair in pairs if len(self.references.get(pair.target, ())) < 2})
        if few:
            found.append(f"one recording alone to compare with, so that it is compared with itself: {', '.join(few)}")
        return found


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
