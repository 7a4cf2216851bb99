"""Measures of agreement between codes and phones, all from one table of how often each pair occurs in a frame.

A table has one row per code and one column per phone, shape ``(..., codes, phones)``; leading dimensions are tables of
their own (the bootstrap's). Logarithms are natural; every measure here is a ratio, so their base is of no account.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def table(codes: ArrayLike, phones: ArrayLike, *, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count pairs.

    Args:
        codes: integers in ``[0, shape[0])``, shape ``(frames,)``.
        phones: integers in ``[0, shape[1])``, shape ``(frames,)``.
        shape: numbers of codes and of phones.

    Returns:
        Counts, of the given shape.
    """
    pairs = np.asarray(codes, np.int64) * shape[1] + np.asarray(phones, np.int64)
    return np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape)


def _ratio(above: ArrayLike, below: ArrayLike, *, empty: float) -> Array:
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), empty)


def _entropy(counts: Array) -> Array:
    """Entropy in nats over the last axis."""
    shares = _ratio(counts, counts.sum(-1, keepdims=True), empty=0.0)
    return np.asarray(-(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(-1))


def _information(counts: ArrayLike) -> tuple[Array, Array, Array]:
    """Entropy of the codes, entropy of the phones, mutual information, in nats, each of the leading shape."""
    joint = np.asarray(counts, np.float64)
    codes, phones = _entropy(joint.sum(-1)), _entropy(joint.sum(-2))
    both = _entropy(joint.reshape(*joint.shape[:-2], -1))
    return codes, phones, np.maximum(codes + phones - both, 0.0)


def phone_purity(counts: ArrayLike) -> Array:
    """Share of frames whose phone is their code's most frequent one (Hsu et al. 2021, "HuBERT", section IV-F).

    The same number as the paper's phoneme accuracy with its mapping learnt and scored on one part.
    """
    joint = np.asarray(counts, np.float64)
    return _ratio(joint.max(-1).sum(-1), joint.sum((-2, -1)), empty=0.0)


def cluster_purity(counts: ArrayLike) -> Array:
    """Share of frames whose code is their phone's most frequent one (Hsu et al. 2021, section IV-F)."""
    return phone_purity(np.swapaxes(np.asarray(counts), -1, -2))


def pnmi(counts: ArrayLike) -> Array:
    """Phone-normalised mutual information ``I(phone; code) / H(phone)`` (Hsu et al. 2021, section IV-F).

    The share of the uncertainty about the phone that the code takes away; 1 where there is one phone.
    """
    _, phones, mutual = _information(counts)
    return _ratio(mutual, phones, empty=1.0)


def homogeneity(counts: ArrayLike) -> Array:
    """``1 - H(phone | code) / H(phone)`` (Rosenberg and Hirschberg 2007): each code has one phone. Equals PNMI."""
    return pnmi(counts)


def completeness(counts: ArrayLike) -> Array:
    """``1 - H(code | phone) / H(code)`` (Rosenberg and Hirschberg 2007): each phone has one code."""
    codes, _, mutual = _information(counts)
    return _ratio(mutual, codes, empty=1.0)


def v_measure(counts: ArrayLike) -> Array:
    """Harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007)."""
    first, second = homogeneity(counts), completeness(counts)
    return _ratio(2 * first * second, first + second, empty=0.0)


def nmi(counts: ArrayLike) -> Array:
    """Mutual information over the arithmetic mean of both entropies, scikit-learn's default; equals the V-measure."""
    codes, phones, mutual = _information(counts)
    return _ratio(2 * mutual, codes + phones, empty=1.0)


def ami(counts: ArrayLike) -> float:
    """Mutual information adjusted for chance (Vinh, Epps and Bailey 2010), arithmetic mean; of one table.

    ``(I - E[I]) / (mean(H(code), H(phone)) - E[I])``, with ``E[I]`` that of random tables of the same margins, by
    scikit-learn.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    whole = np.asarray(counts, np.int64)
    codes, phones = np.nonzero(whole)
    times = whole[codes, phones]
    return float(adjusted_mutual_info_score(np.repeat(phones, times), np.repeat(codes, times)))
