"""A small preset of a unit model, and speech-like packs for it."""

from __future__ import annotations

import numpy as np

from vqspeech.training.pack import Pack
from vqspeech.training.units.config import UnitsPreset, read_units_preset

RATE = 16_000
SMALL = [
    "model.encoder.channels=24",
    "model.encoder.dilations=[1, 2]",
    "model.encoder.dimension=8",
    "model.encoder.mel_bands=12",
    "model.quantizer.codes=6",
    "training.segment=16000",
    "training.batch=4",
    "training.steps=6",
    "training.targets.clusters=5",
    "training.targets.frames=400",
    "training.precision=fp32",
    "training.optimizer.warm_up=2",
]


def small_preset(*changes: str) -> UnitsPreset:
    """The packaged preset, made small."""
    return read_units_preset("units-50hz", [*SMALL, *changes])


def vowels(seconds: float, seed: int) -> np.ndarray:
    """A row of tones in two colours of noise, 0.1 s each: something to tell apart, ``(samples,)`` int16."""
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(round(seconds * 10)):
        time = np.arange(RATE // 10) / RATE
        tones = sum(np.sin(2 * np.pi * f * time) for f in ((300, 900), (600, 2400), (250, 3000))[rng.integers(3)])
        pieces.append(0.1 * tones + 0.01 * rng.standard_normal(len(time)))
    return np.asarray(np.concatenate(pieces) * 32767, np.int16)


def make_pack(lengths: dict[str, list[float]], seed: int = 0) -> Pack:
    """A pack of utterances of so many seconds; the grid of 320 samples does not fit them, on purpose."""
    samples, ends, speaker_ends, names = [], [], [], []
    total = 0
    for speaker, seconds in lengths.items():
        for number, length in enumerate(seconds):
            samples.append(vowels(length, seed + 100 * len(ends))[: -77 or None])
            total += len(samples[-1])
            ends.append(total)
            names.append(f"{speaker}-{number}")
        speaker_ends.append(total)
    return Pack(
        samples=np.concatenate(samples),
        perturbed=np.zeros((0, total), np.int16),
        ends=np.array(ends),
        speaker_ends=np.array(speaker_ends),
        sample_rate=RATE,
        rms=0.06,
        speakers=tuple(lengths),
        utterances=tuple(names),
    )
