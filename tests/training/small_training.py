"""Very small training runs for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from vqspeech.datadir import DataDir, Utterance
from vqspeech.training.config import Preset, read_preset
from vqspeech.training.pack import Pack

RATE = 8000

#: What makes the preset ``tiny`` run a dozen steps in a second.
CHANGES = (
    "model.audio.sample_rate=8000",
    "model.encoder.channels=8",
    "model.encoder.dimension=4",
    "model.quantizer.codes=8",
    "model.conditioner.channels=8",
    "model.conditioner.speaker_dimension=2",
    "model.conditioner.mel_bands=8",
    "model.decoder.layers=3",
    "model.decoder.cycle=3",
    "model.decoder.residual=8",
    "model.decoder.gate=8",
    "model.decoder.skip=8",
    "model.decoder.output=8",
    "training.steps=12",
    "training.batch=2",
    "training.segment=1024",
    "training.crop=256",
    "training.quantize_from=3",
    "training.decode_from=5",
    "training.precision=fp32",
    "training.least_code_gap=-1.0",
    "training.optimizer.warm_up=2",
)


def make_preset(*changes: str) -> Preset:
    """The preset ``tiny``, made tinier still, with changes."""
    return read_preset("tiny", (*CHANGES, *changes))


def voice(samples: int, seed: int, rate: int = RATE) -> NDArray[np.float32]:
    """A buzz of some pitch that comes and goes, with noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    pitch = rng.uniform(90, 220)
    buzz = np.sign(np.sin(2 * np.pi * pitch * time)) * (1 + np.sin(2 * np.pi * rng.uniform(2, 6) * time))
    sound: NDArray[np.float32] = (0.05 * buzz + 0.01 * rng.standard_normal(samples)).astype(np.float32)
    return sound


def make_pack(
    lengths: dict[str, list[int]] | None = None, *, copies: int = 0, rate: int = RATE, numbered: bool = False
) -> Pack:
    """A pack in memory.

    Args:
        lengths: samples of each utterance of each speaker.
        copies: perturbed copies.
        rate: in Hz.
        numbered: let each sample be its own number, and in a perturbed copy that number negative.
    """
    lengths = lengths or {"ann": [3000, 2500], "bob": [4000, 2000], "cyd": [1500]}
    each = [length for speaker in lengths.values() for length in speaker]
    total = sum(each)
    if numbered:
        samples = np.arange(total).astype(np.int16)
    else:
        pieces = [voice(length, seed, rate) for seed, length in enumerate(each)]
        samples = np.rint(32767 * np.concatenate(pieces)).astype(np.int16)
    return Pack(
        samples=samples,
        perturbed=np.stack([-samples] * copies) if copies else np.zeros((0, total), np.int16),
        ends=np.cumsum(each),
        speaker_ends=np.cumsum([sum(speaker) for speaker in lengths.values()]),
        sample_rate=rate,
        rms=0.06,
        speakers=tuple(lengths),
        utterances=tuple(f"{name}-{i}" for name, speaker in lengths.items() for i in range(len(speaker))),
    )


def write_data(folder: Path, lengths: dict[str, list[int]] | None = None) -> Path:
    """A data directory of short WAV files."""
    lengths = lengths or {"ann": [3000, 2500], "bob": [4000, 2000], "cyd": [1500]}
    folder.mkdir(parents=True)
    utterances = []
    for name, speaker in lengths.items():
        for index, samples in enumerate(speaker):
            file = folder / f"{name}-{index}.wav"
            soundfile.write(file, voice(samples, len(utterances)), RATE)
            utterances.append(Utterance(id=f"{name}-{index}", speaker=name, recording=str(file)))
    DataDir(utterances).write(folder / "data")
    return folder / "data"
