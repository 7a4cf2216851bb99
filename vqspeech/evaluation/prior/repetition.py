"""How code sequences repeat themselves, and how far their codes are from the data's: what needs no sound.

Both depend on length and number, so real and sampled sequences are first cut alike (``alike``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes import entropy, runs

Codes = NDArray[np.int32]

#: Lengths of the n-grams, in codes, whose repetition is counted.
LENGTHS = (4, 16, 64)
#: With fewer real utterances as long as the samples than this, the samples are cut to the real ones' median.
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Repetition:
    """How much sequences repeat themselves; means over them, except the longest ones.

    Attributes:
        repeated: n -> share of a sequence's n-grams that stood earlier in it (seq-rep-n of Welleck et al. 2020).
        mean_run: mean length of a run of one code, in codes.
        longest_run: the longest run of all, in codes.
        loop: longest loop of a sequence, in codes; see ``longest_loop``.
        longest_loop: the longest of all.
        run_lengths: how many runs have 1, 2, 3 ... codes.
    """

    repeated: dict[int, float]
    mean_run: float
    longest_run: int
    loop: float
    longest_loop: int
    run_lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Jensen-Shannon divergence from the data, in bits: 0 for the same distribution, 1 for no code in common.

    Attributes:
        unigram: of codes.
        bigram: of pairs of neighbours.
    """

    unigram: float
    bigram: float


def alike(
    samples: Sequence[Codes], real: Mapping[str, Codes], *, seed: int = 0
) -> tuple[list[Codes], dict[str, Codes], int]:
    """Cut real and sampled sequences to the first codes of each, as many of one as of the other as far as there are.

    The length is that of the shortest sample, or, where fewer than ten real utterances are as long, their median.

    Args:
        samples: drawn from the prior.
        real: utterance -> its codes.
        seed: of the choice among the real ones.

    Returns:
        the samples, the real ones and the number of codes of each; no real ones where none is long enough.
    """
    lengths = [len(codes) for codes in real.values()]
    frames = min(len(codes) for codes in samples)
    if lengths and sum(length >= frames for length in lengths) < min(FEWEST, len(lengths)):
        frames = min(frames, int(np.median(lengths)))
    names = [name for name, codes in real.items() if len(codes) >= frames]
    chosen = np.random.default_rng(seed).permutation(len(names))[: len(samples)]
    return (
        [codes[:frames] for codes in samples],
        {names[index]: real[names[index]][:frames] for index in sorted(chosen)},
        frames,
    )


def repetition(sequences: Sequence[Codes]) -> Repetition:
    """Repetition of sequences of one length, at least one."""
    lengths = np.concatenate([runs(codes)[2] for codes in sequences])
    loops = [longest_loop(codes) for codes in sequences]
    return Repetition(
        repeated={n: float(np.mean([repeated(codes, n) for codes in sequences])) for n in LENGTHS},
        mean_run=float(lengths.mean()) if lengths.size else 0.0,
        longest_run=int(lengths.max(initial=0)),
        loop=float(np.mean(loops)),
        longest_loop=max(loops),
        run_lengths=tuple(np.bincount(lengths)[1:].tolist()) if lengths.size else (),
    )


def repeated(codes: Codes, n: int) -> float:
    """Share of the n-grams of a sequence ``(frames,)`` that stood earlier in it; 0 where it is too short for one."""
    if len(codes) < n:
        return 0.0
    grams = np.lib.stride_tricks.sliding_window_view(codes, n)
    return 1 - len(np.unique(grams, axis=0)) / len(grams)


def longest_loop(codes: Codes) -> int:
    """Length in codes of the longest span that repeats itself twice or more, one after the other.

    Runs of one code count as one symbol here, of any length: a long silence is a long run and no loop, and a loop that
    dwells on a code longer the second time is one.

    Args:
        codes: shape ``(frames,)``.
    """
    symbols, starts, lengths = runs(codes)
    ends = starts + lengths
    longest = 0
    for period in range(2, len(symbols) // 2 + 1):
        _, first, same = _true_runs(symbols[period:] == symbols[:-period])
        for begin, length in zip(first[same >= period], same[same >= period], strict=True):
            longest = max(longest, int(ends[begin + length + period - 1] - starts[begin]))
    return longest


def _true_runs(flags: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    values, starts, lengths = runs(flags.astype(np.int32))
    true = values == 1
    return values[true], starts[true], lengths[true]


def divergence(sequences: Sequence[Codes], data: Sequence[Codes], codebook_size: int) -> Divergence:
    """Of the codes and of the pairs of codes of sequences from those of the data."""
    return Divergence(
        jensen_shannon(unigrams(sequences, codebook_size), unigrams(data, codebook_size)),
        _jensen_shannon_of(_pairs(sequences, codebook_size), _pairs(data, codebook_size)),
    )


def unigrams(sequences: Sequence[Codes], codebook_size: int) -> NDArray[np.int64]:
    """How often each code occurs, shape ``(codebook_size,)``."""
    return np.bincount(np.concatenate([np.empty(0, np.int32), *sequences]), minlength=codebook_size)


def _pairs(sequences: Sequence[Codes], codebook_size: int) -> NDArray[np.int64]:
    empty = np.empty(0, np.int64)
    return np.concatenate([empty, *(codes[:-1].astype(np.int64) * codebook_size + codes[1:] for codes in sequences)])


def _jensen_shannon_of(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Of two sets of observations, of which only those values are counted that occur: K^2 may be large."""
    values, index = np.unique(np.concatenate([one, other]), return_inverse=True)
    return jensen_shannon(
        np.bincount(index[: len(one)], minlength=len(values)), np.bincount(index[len(one) :], minlength=len(values))
    )


def jensen_shannon(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """``H((p + q) / 2) - (H(p) + H(q)) / 2`` in bits (Lin 1991), of the distributions of two arrays of counts.

    1 where one of them has no counts.
    """
    if not one.sum() or not other.sum():
        return 1.0
    p, q = one / one.sum(), other / other.sum()
    return min(1.0, max(0.0, entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2))
