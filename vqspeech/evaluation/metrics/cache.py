"""Judges that write down what they say, so that a long hearing can be broken off, and shared among jobs.

An answer is found again by the judge's name and the waveform's content, whoever asks and in whatever order. Numbers are
kept so that the very same come back: a report made from answers that were remembered is the same to the byte.
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
from vqspeech.evaluation.metrics import Judges, QualityJudge, Recogniser, SpeakerJudge
from vqspeech.evaluation.metrics.asr import WordErrors
from vqspeech.evaluation.metrics.f0 import Contour

Waveform = NDArray[np.float32]


class Memory:
    """Answers in a folder: every job appends to a file of its own, and reads those of all.

    Args:
        folder: where the answers are.
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

    def ask(self, judge: str, waveforms: tuple[Waveform, ...], answer: Callable[[], Any]) -> Any:
        """What the judge has said of these waveforms, or says now."""
        digest = hashlib.sha256(f"{__version__} {judge}".encode())
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


def remembering(judges: Judges, folder: Path, *, job: str = "all", setting: str = "") -> Judges:
    """The same judges, who look into ``folder`` before they listen, and write there what they say.

    Args:
        judges: who is there.
        folder: where the answers are.
        job: of several at work at the same time, each has a name of its own.
        setting: what else their answers depend on, such as the language.
    """
    memory = Memory(folder, job)
    pitch, cepstra = judges.pitch, judges.cepstra
    return replace(
        judges,
        similarity=judges.similarity and _Similarity(judges.similarity.name, judges.similarity, memory),
        words=judges.words and _Words(judges.words.name, judges.words, memory, setting),
        quality=judges.quality and _Quality(judges.quality.name, judges.quality, memory),
        pitch=pitch and (lambda waveform: _contour(memory, pitch, waveform)),
        cepstra=cepstra
        and (lambda first, second: memory.ask("cepstra", (first, second), lambda: float(cepstra(first, second)))),
    )


def _contour(memory: Memory, pitch: Callable[[Waveform], Contour], waveform: Waveform) -> Contour:
    def answer() -> list[list[float]]:
        found = pitch(waveform)
        return [found.hertz.tolist(), found.times.tolist()]

    hertz, times = memory.ask("pitch", (waveform,), answer)
    return Contour(np.array(hertz, np.float64), np.array(times, np.float64))


@dataclass
class _Similarity:
    name: str
    judge: SpeakerJudge
    memory: Memory

    def embed(self, waveform: Waveform) -> Waveform:
        answer = self.memory.ask(f"voice {self.name}", (waveform,), lambda: self.judge.embed(waveform).tolist())
        return np.array(answer, np.float32)


@dataclass
class _Words:
    name: str
    judge: Recogniser
    memory: Memory
    setting: str

    def transcribe(self, waveform: Waveform) -> str:
        return str(
            self.memory.ask(f"words {self.name} {self.setting}", (waveform,), lambda: self.judge.transcribe(waveform))
        )

    def errors(self, said: str, heard: str) -> WordErrors | None:
        return self.judge.errors(said, heard)


@dataclass
class _Quality:
    name: str
    judge: QualityJudge
    memory: Memory

    def score(self, waveform: Waveform) -> float:
        return float(self.memory.ask(f"quality {self.name}", (waveform,), lambda: float(self.judge.score(waveform))))
