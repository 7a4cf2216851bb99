"""Metrics whose values are cached on disk, so that a long evaluation can be interrupted, and shared among jobs.

A value is found by the metric's name and the waveform's content. Numbers are
kept so that the very same come back: a report made from cached values is the same to the byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech import __version__
from vqspeech.evaluation.metrics import MetricSet, QualityPredictor, Recogniser, SpeakerEncoder
from vqspeech.evaluation.metrics.asr import WordErrors
from vqspeech.evaluation.metrics.f0 import Contour

Waveform = NDArray[np.float32]


class MetricCache:
    """Values in a folder: every job appends to a file of its own, and reads those of all.

    Args:
        folder: where the values are.
        job: name of this job's file.
    """

    def __init__(self, folder: Path, job: str) -> None:
        self.answers: dict[str, Any] = {}
        self._path = folder / f"{job}.jsonl"
        self._file: IO[str] | None = None
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    key, answer = json.loads(line)
                except (json.JSONDecodeError, ValueError, TypeError):
                    continue  # the line at which a job was killed
                self.answers[key] = answer

    def get(self, metric: str, waveforms: tuple[Waveform, ...], answer: Callable[[], Any]) -> Any:
        """The cached value of a metric for these waveforms, computed if need be."""
        digest = hashlib.sha256(f"{__version__} {metric}".encode())
        for waveform in waveforms:
            digest.update(len(waveform).to_bytes(8, "little") + np.ascontiguousarray(waveform).tobytes())
        key = digest.hexdigest()
        if key not in self.answers:
            said = answer()
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8")
                self._file.write("\n")  # ends what a job that was killed left of a line
            self._file.write(json.dumps([key, said]) + "\n")
            self._file.flush()
            self.answers[key] = said
        return self.answers[key]


def cached(metric_set: MetricSet, folder: Path, *, job: str = "all", setting: str = "") -> MetricSet:
    """The same metrics with a cache in ``folder``.

    Args:
        metric_set: the metrics.
        folder: where the values are.
        job: of several at work at the same time, each has a name of its own.
        setting: what else the values depend on, such as the language.
    """
    cache = MetricCache(folder, job)
    pitch, cepstra = metric_set.pitch, metric_set.cepstra
    return replace(
        metric_set,
        similarity=metric_set.similarity and _Similarity(metric_set.similarity.name, metric_set.similarity, cache),
        words=metric_set.words and _Words(metric_set.words.name, metric_set.words, cache, setting),
        quality=metric_set.quality and _Quality(metric_set.quality.name, metric_set.quality, cache),
        pitch=pitch and (lambda waveform: _contour(cache, pitch, waveform)),
        cepstra=cepstra
        and (lambda first, second: cache.get("cepstra", (first, second), lambda: float(cepstra(first, second)))),
    )


def _contour(cache: MetricCache, pitch: Callable[[Waveform], Contour], waveform: Waveform) -> Contour:
    def answer() -> list[list[float]]:
        found = pitch(waveform)
        return [found.hertz.tolist(), found.times.tolist()]

    hertz, times = cache.get("pitch", (waveform,), answer)
    return Contour(np.array(hertz, np.float64), np.array(times, np.float64))


@dataclass
class _Similarity:
    name: str
    metric: SpeakerEncoder
    cache: MetricCache

    def embed(self, waveform: Waveform) -> Waveform:
        answer = self.cache.get(f"voice {self.name}", (waveform,), lambda: self.metric.embed(waveform).tolist())
        return np.array(answer, np.float32)


@dataclass
class _Words:
    name: str
    metric: Recogniser
    cache: MetricCache
    setting: str

    def transcribe(self, waveform: Waveform) -> str:
        return str(
            self.cache.get(f"words {self.name} {self.setting}", (waveform,), lambda: self.metric.transcribe(waveform))
        )

    def errors(self, reference: str, transcript: str) -> WordErrors | None:
        return self.metric.errors(reference, transcript)


@dataclass
class _Quality:
    name: str
    metric: QualityPredictor
    cache: MetricCache

    def score(self, waveform: Waveform) -> float:
        return float(self.cache.get(f"quality {self.name}", (waveform,), lambda: float(self.metric.score(waveform))))
