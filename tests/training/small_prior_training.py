"""A toy grammar over codes, and very small priors in training on it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vqspeech.training.prior.config import PriorPreset, read_prior_preset
from vqspeech.training.prior.dataset import CodeData

CODES = 6
#: Of the grammar below: how probable each odd code is after each code three places before.
TABLE = np.array([[0.5, 0.5], [0.9, 0.1]])
CHANGES = {
    "convolutions": (
        "tiny",
        "network.layers=3",
        "network.cycle=3",
        "network.kernel=2",
        "network.width=24",
        "network.gate=24",
        "network.skip=32",
    ),
    "transformer": (
        "transformer",
        "network.layers=2",
        "network.width=24",
        "network.heads=2",
        "network.feed_forward=48",
        "network.window=12",
    ),
}
BRIEF = (
    "network.dropout=0.1",
    "training.steps=12",
    "training.batch=4",
    "training.crop=24",
    "training.average=0.95",
    "training.precision=fp32",
    "training.optimizer.adam=0.003",
    "training.optimizer.decay_from=0.3",
    "training.optimizer.warm_up=2",
)


def make_prior_preset(kind: str = "convolutions", *changes: str) -> PriorPreset:
    """A preset of a kind, made tiny, with changes."""
    name, *tiny = CHANGES[kind]
    return read_prior_preset(name, (*tiny, *BRIEF, *changes))


def sentence(rng: np.random.Generator, length: int, shift: int = 0) -> NDArray[np.int32]:
    """A sequence whose even codes are 0 or 1 at random and whose odd ones are drawn by the code three before.

    Args:
        rng: where it is drawn from.
        length: codes.
        shift: added to the odd codes, 2 to 5 in all: an accent.
    """
    codes = np.zeros(length, np.int32)
    for place in range(length):
        if place % 2 == 0:
            codes[place] = rng.integers(2)
        else:
            before = codes[place - 3] if place >= 3 else 0
            codes[place] = 2 + shift + int(rng.random() < TABLE[before, 1])
    return codes


def grammar_bits(sequences: Iterable[NDArray[np.int32]]) -> float:
    """Bits per code of sentences for someone who knows the grammar."""
    bits = []
    for codes in sequences:
        for place, code in enumerate(codes):
            share = 0.5 if place % 2 == 0 else TABLE[codes[place - 3] if place >= 3 else 0, code - 2]
            bits.append(-np.log2(share))
    return float(np.mean(bits))


def make_code_data(
    utterances: int, seed: int, *, lengths: tuple[int, int] = (6, 60), accents: bool = False, **options: str
) -> CodeData:
    """Sentences of the speakers ann and bob; with ``accents`` bob's odd codes are others than ann's."""
    rng = np.random.default_rng(seed)
    who = {f"{name}-{n}": name for n in range(utterances) for name in ("ann", "bob")}
    sequences = {
        name: sentence(rng, int(rng.integers(*lengths)), 2 if accents and speaker == "bob" else 0)
        for name, speaker in who.items()
    }
    return CodeData.collect(sequences, who, codes=CODES, made_by=options.get("made_by", "x"))
