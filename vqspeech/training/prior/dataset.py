"""Crops of code sequences: batches for training a prior, each a function of seed, step and rank alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError

#: The target that no loss is counted for: what fills rows up to the longest.
IGNORED = -100


@dataclass(frozen=True)
class CropBatch:
    """A batch of crops.

    Attributes:
        previous: ``(batch, time)`` int64, the code before each, or the start symbol.
        target: ``(batch, time)`` int64, the codes to predict; ``IGNORED`` after the end of a shorter one.
        speaker: ``(batch,)`` int64.
    """

    previous: Tensor
    target: Tensor
    speaker: Tensor

    def to(self, device: torch.device) -> CropBatch:
        """Move the tensors to ``device``."""
        return CropBatch(self.previous.to(device), self.target.to(device), self.speaker.to(device))


@dataclass(frozen=True)
class CodeData:
    """Code sequences and their speakers.

    Attributes:
        sequences: each ``(frames,)`` int32, none empty.
        speakers: index of each sequence's speaker among ``names``, or ``len(names)`` for one not among them.
        names: of the speakers; none for an unconditional prior.
        codes: K, size of the codebook.
        made_by: checksum of the model that made the codes; None where that is not known.
    """

    sequences: tuple[NDArray[np.int32], ...]
    speakers: tuple[int, ...]
    names: tuple[str, ...]
    codes: int
    made_by: str | None

    @classmethod
    def collect(
        cls,
        sequences: Mapping[str, NDArray[np.int32]],
        utt2spk: Mapping[str, str] | None,
        *,
        codes: int,
        made_by: str | None,
        names: tuple[str, ...] | None = None,
    ) -> CodeData:
        """Put sequences and speakers together.

        Args:
            sequences: utterance id -> ``(frames,)``; empty ones are left out.
            utt2spk: utterance id -> speaker; None for none.
            codes: size of the codebook.
            made_by: checksum of the model that made them.
            names: the speakers that there are; those of ``utt2spk``, sorted, if not given.

        Raises:
            InputError: there are no codes, or ``utt2spk`` misses an utterance.
        """
        kept = {name: sequence for name, sequence in sequences.items() if len(sequence)}
        if not kept:
            raise InputError("no codes in it", hint="encode recordings with vqspeech encode")
        if utt2spk is None:
            names, said_by = names or (), [""] * len(kept)
        else:
            missing = next((name for name in kept if name not in utt2spk), None)
            if missing is not None:
                raise InputError(f"utterance {missing} has no speaker", hint="give the utt2spk of all codes")
            said_by = [utt2spk[name] for name in kept]
            names = tuple(sorted(set(said_by))) if names is None else names
        index = {name: place for place, name in enumerate(names)}
        return cls(tuple(kept.values()), tuple(index.get(who, len(names)) for who in said_by), names, codes, made_by)


class CodeWindows:
    """Random crops for training: utterances drawn in proportion to their length, short ones whole.

    Because each batch depends on nothing but its number, a resumed run sees what an unbroken one would have seen.

    Args:
        data: what to draw from.
        batch: crops per batch.
        crop: codes of a crop.
        speaker_dropout: probability that the speaker is withheld.
        seed: of everything drawn.
        rank: of this process among those of a distributed run.
    """

    def __init__(
        self, data: CodeData, *, batch: int, crop: int, speaker_dropout: float, seed: int, rank: int = 0
    ) -> None:
        self.data = data
        self.batch = batch
        self.crop = crop
        self.speaker_dropout = speaker_dropout
        self.seed = seed
        self.rank = rank
        lengths = np.array([len(sequence) for sequence in data.sequences], np.float64)
        self.shares = lengths / lengths.sum()

    def __call__(self, step: int) -> CropBatch:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        previous = np.zeros((self.batch, self.crop), np.int64)
        target = np.full((self.batch, self.crop), IGNORED, np.int64)
        speaker = np.empty(self.batch, np.int64)
        for row, chosen in enumerate(rng.choice(len(self.shares), self.batch, p=self.shares)):
            sequence = self.data.sequences[chosen]
            # A draw beyond either end is moved to it, so that first and last codes are seen as often as others.
            half = self.crop // 2
            place = int(rng.integers(-half, max(1, len(sequence) - half)))
            first = max(0, min(place, len(sequence) - self.crop))
            piece = sequence[first : first + self.crop]
            target[row, : len(piece)] = piece
            previous[row, 1 : len(piece)] = piece[:-1]
            previous[row, 0] = sequence[first - 1] if first else self.data.codes
            given = rng.random() >= self.speaker_dropout
            speaker[row] = self.data.speakers[chosen] if given else len(self.data.names)
        longest = int((target != IGNORED).sum(1).max())
        return CropBatch(
            torch.from_numpy(previous[:, :longest].copy()),
            torch.from_numpy(target[:, :longest].copy()),
            torch.from_numpy(speaker),
        )
