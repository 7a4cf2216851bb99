"""Speaker information in the codes: accuracy of a linear probe on the histogram of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.evaluation.bootstrap import interval, resampling

#: Parts of the cross-validation, at most.
FOLDS = 5


@dataclass(frozen=True, slots=True)
class SpeakerScores:
    """What a linear probe finds; lower is better for codes that should hold the words alone.

    Attributes:
        accuracy: share of utterances whose speaker is named rightly, none in the probe's training.
        balanced_accuracy: mean over speakers of that share, so that all count the same.
        chance: share of the speaker with most utterances: what naming always that one gives.
        speakers: how many there are to choose from.
        utterances: how many were named.
        left_out: utterances of speakers with one utterance only.
        interval: 95 % bootstrap interval of the accuracy, over speakers, or over utterances with under five speakers.
    """

    accuracy: float
    balanced_accuracy: float
    chance: float
    speakers: int
    utterances: int
    left_out: int
    interval: tuple[float, float] | None = None


def histograms(sequences: Sequence[ArrayLike], codebook_size: int) -> NDArray[np.float64]:
    """Square roots of the shares of the codes in each utterance, shape ``(utterances, codebook_size)``.

    Of unit length; the distance of two is Hellinger's, which suits shares better than their difference.
    """
    counts = np.stack([np.bincount(np.asarray(codes), minlength=codebook_size) for codes in sequences])
    return np.asarray(np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1)))


def evaluate(
    sequences: Sequence[ArrayLike], speakers: Sequence[str], *, codebook_size: int, seed: int = 0
) -> SpeakerScores:
    """Train a linear probe (multinomial logistic regression) on part of the utterances, name the speakers of the rest.

    Args:
        sequences: codes, an array of shape ``(frames,)`` an utterance.
        speakers: who spoke each.
        codebook_size: number of codes.
        seed: of the division into parts.

    Raises:
        InputError: there are no two speakers with two utterances each.
    """
    if len(sequences) != len(speakers):
        raise InputError(
            f"{counted(len(sequences), 'utterance')}, but {counted(len(speakers), 'speaker')}",
            hint="give one speaker per utterance",
        )
    return evaluate_features(histograms(sequences, codebook_size), speakers, seed=seed)


def statistics(features: NDArray[np.float32], bounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean and standard deviation of the features of each utterance, what a voice sounds like on the whole.

    Args:
        features: shape ``(frames, dimensions)``.
        bounds: first frame of each utterance and the number of frames, shape ``(utterances + 1,)``.

    Returns:
        Shape ``(utterances, 2 x dimensions)``, each column of zero mean and unit variance.
    """
    rows = [features[start:end].astype(np.float64) for start, end in pairwise(bounds.tolist())]
    found = np.array([np.concatenate((row.mean(0), row.std(0))) for row in rows])
    return np.asarray((found - found.mean(0)) / np.maximum(found.std(0), 1e-9))


def evaluate_features(features: NDArray[np.float64], speakers: Sequence[str], *, seed: int = 0) -> SpeakerScores:
    """As :func:`evaluate`, of one vector per utterance.

    Args:
        features: shape ``(utterances, dimensions)``.
        speakers: who spoke each.
        seed: of the division into parts and the bootstrap.

    Raises:
        InputError: there are no two speakers with two utterances each.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    names, index, counts = np.unique(np.array(speakers), return_inverse=True, return_counts=True)
    kept = np.flatnonzero(counts[index] > 1)
    if np.count_nonzero(counts > 1) < 2:
        raise InputError(
            f"{counted(len(names), 'speaker')}, of whom {np.count_nonzero(counts > 1)} have two utterances or more",
            hint="the probe needs two such speakers; is utt2spk right?",
        )
    true: NDArray[np.int64] = index[kept]
    folds = StratifiedKFold(int(min(FOLDS, counts[counts > 1].min())), shuffle=True, random_state=seed)
    # C = 100: histograms of unit length are small numbers, and the usual 1 would hold the probe back.
    named = cross_val_predict(LogisticRegression(C=100, max_iter=1000), features[kept], true, cv=folds)
    right = np.asarray(named) == true
    draws = resampling(names[true].tolist(), seed=seed)
    accuracy = float(right.mean())
    return SpeakerScores(
        accuracy=accuracy,
        balanced_accuracy=float(np.mean([right[true == speaker].mean() for speaker in np.unique(true)])),
        chance=float(counts[counts > 1].max() / len(kept)),
        speakers=int(np.count_nonzero(counts > 1)),
        utterances=len(kept),
        left_out=len(index) - len(kept),
        interval=None if draws.unit is None else interval(accuracy, draws.share(right, np.ones(len(right)))),
    )
