"""What ABX compares, segments of speech that are a phone or a triphone, and what the comparison yields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import Interval, meet, phone_class

Task = Literal["triphone", "any"]
Speaker = Literal["within", "across"]
#: Of two frames: the angle between them over pi, or one minus its cosine.
Distance = Literal["angular", "cosine"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Segments of speech to tell apart.

    Attributes:
        sequences: of each token, its codes, shape ``(frames,)``, or its features, shape ``(frames, dimensions)``.
        phones: of each, its (middle) phone.
        contexts: of each, the phones before and after; empty strings where the task takes no account of them.
        speakers: of each.
        codebook_size: number of codes; None for features.
    """

    sequences: Sequence[NDArray[Any]]
    phones: Sequence[str]
    contexts: Sequence[tuple[str, str]]
    speakers: Sequence[str]
    codebook_size: int | None = None

    def __len__(self) -> int:
        return len(self.sequences)


@dataclass(frozen=True, slots=True)
class Cells:
    """How often X was nearer to B than to A, for each pair of phones, context and speakers.

    Attributes:
        pairs: index of the ordered pair of phones, shape ``(cells,)``.
        speakers: index into ``names`` of the speaker of A and B, shape ``(cells,)``.
        errors: share of wrong comparisons, half of each tie, shape ``(cells,)``.
        triples: comparisons made, shape ``(cells,)``.
        names: the speakers.
    """

    pairs: NDArray[np.int64]
    speakers: NDArray[np.int64]
    errors: NDArray[np.float64]
    triples: NDArray[np.int64]
    names: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[tuple[tuple[str, str], str, float, int]]) -> Cells:
        """Cells of rows: ordered pair of phones, speaker of A and B, error, number of triples."""
        names, speakers = np.unique(np.array([row[1] for row in rows], str), return_inverse=True)
        order = {pair: place for place, pair in enumerate(sorted({row[0] for row in rows}))}
        return cls(
            pairs=np.array([order[row[0]] for row in rows], np.int64),
            speakers=speakers.astype(np.int64),
            errors=np.array([row[2] for row in rows], np.float64),
            triples=np.array([row[3] for row in rows], np.int64),
            names=tuple(names.tolist()),
        )

    def __len__(self) -> int:
        return len(self.errors)


def cut_tokens(
    sequences: Mapping[str, NDArray[Any]],
    alignment: Mapping[str, Sequence[Interval]],
    *,
    speakers: Mapping[str, str],
    frame_period: float,
    offset: float,
    task: Task = "triphone",
    codebook_size: int | None = None,
) -> Tokens:
    """Cut each phone (or triphone) out: the frames whose centres lie in it.

    Silence is no phone, neither in the middle nor beside it, written or left out by the aligner. Tokens too short for a
    single frame are left out.

    Args:
        sequences: utterance id -> codes, shape ``(frames,)``, or features, shape ``(frames, dimensions)``.
        alignment: utterance id -> phones.
        speakers: utterance id -> speaker.
        frame_period: seconds from one frame to the next.
        offset: seconds to the centre of the first frame.
        task: which tokens to cut.
        codebook_size: number of codes; None for features.
    """
    cut: list[NDArray[Any]] = []
    phones, contexts, names = [], [], []
    for utterance, sequence in sequences.items():
        row = sorted(alignment.get(utterance, ()))
        for index, interval in enumerate(row):
            around = row[max(0, index - 1) : index + 2] if task == "triphone" else [interval]
            if task == "triphone" and len(around) < 3:
                continue
            if any(phone_class(part.label) == "silence" for part in around):
                continue
            if not all(meet(before, after) for before, after in pairwise(around)):
                continue  # a pause that the alignment leaves out
            # Minus a small tolerance, so that a centre on a boundary belongs to the later token, whatever the rounding.
            first = max(0, int(np.ceil((around[0].start - offset) / frame_period - 1e-6)))
            end = int(np.ceil((around[-1].end - offset) / frame_period - 1e-6))
            if end <= first or first >= len(sequence):
                continue
            cut.append(sequence[first:end])
            phones.append(interval.label)
            contexts.append((around[0].label, around[-1].label) if task == "triphone" else ("", ""))
            names.append(speakers[utterance])
    return Tokens(cut, phones, contexts, names, codebook_size)
