"""Baselines and toplines of the phoneme measures, on the same frames.

Baselines that need no audio are the most frequent phone, codes drawn at random, and the system's own codes one second
late (they keep its rate, usage and run lengths, and lose their place). With audio: k-means over MFCCs of the same
codebook size and rate, and a linear classifier of MFCCs trained on the phones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.frames import Frames

#: Seconds by which the codes of ``codes_shifted_1s`` are late.
SHIFT = 1.0
#: Frames that k-means and the classifier are fitted on at most; more change their figures by less than the intervals.
MOST_FRAMES = 50_000

Parts = tuple[Frames, Frames | None]


def silent_baselines(test: Frames, train: Frames | None, *, seed: int = 0) -> dict[str, Parts]:
    """The baselines that need no audio, by name.

    Args:
        test: frames to score.
        train: frames to learn the map on.
        seed: of the random codes.
    """
    generator = np.random.default_rng(seed)
    usage = np.bincount((train or test).codes, minlength=test.codebook_size) / len(train or test)

    def both(change: Callable[[Frames], Frames]) -> Parts:
        return change(test), None if train is None else change(train)

    return {
        "most_likely_phone": both(lambda part: part.with_codes(np.zeros(len(part), np.int32))),
        "random_codes": both(lambda part: _random_codes(part, usage, generator)),
        "codes_shifted_1s": both(_shifted_codes),
    }


def blind_codes(part: Frames, *, seed: int = 0) -> dict[str, Frames]:
    """Codes independent of the phone at their place: drawn at random with the same usage, and 1 s late.

    Args:
        part: the system's own.
        seed: of the random codes.
    """
    usage = np.bincount(part.codes, minlength=part.codebook_size) / len(part)
    return {
        "random_codes": _random_codes(part, usage, np.random.default_rng(seed)),
        "codes_shifted_1s": _shifted_codes(part),
    }


def _random_codes(part: Frames, usage: NDArray[np.float64], generator: np.random.Generator) -> Frames:
    return part.with_codes(generator.choice(part.codebook_size, size=len(part), p=usage))


def _shifted_codes(part: Frames) -> Frames:
    """Codes later by ``SHIFT``, what falls off an utterance's end at its beginning; short utterances by half."""
    shift = max(1, round(SHIFT / part.frame_period))
    late = [np.roll(codes, min(shift, len(codes) // 2)) for codes in part.sequences()]
    return part.with_codes(np.concatenate(late))


def kmeans_baseline(
    test: Frames,
    train: Frames | None,
    features: NDArray[np.float32],
    train_features: NDArray[np.float32] | None,
    *,
    seed: int = 0,
) -> Parts:
    """k-means of the same codebook size over features, fitted on the training part.

    Args:
        test: frames to score.
        train: frames to learn the map, and the centres, on; those of ``test`` when absent.
        features: of the frames of ``test``, shape ``(frames, dimensions)``.
        train_features: of the frames of ``train``.
        seed: of the centres.
    """
    from sklearn.cluster import KMeans

    learnt = features if train_features is None else train_features
    sample = _sample(len(learnt), seed)
    clusters = min(test.codebook_size, len(np.unique(learnt[sample], axis=0)))
    model = KMeans(clusters, n_init=1, random_state=seed).fit(learnt[sample])
    coded = test.with_codes(model.predict(features))
    if train is None or train_features is None:
        return coded, None
    return coded, train.with_codes(model.predict(train_features))


def _sample(frames: int, seed: int) -> NDArray[np.int64]:
    if frames <= MOST_FRAMES:
        return np.arange(frames)
    return np.sort(np.random.default_rng(seed).choice(frames, MOST_FRAMES, replace=False))


def linear_topline(
    test: Frames,
    train: Frames | None,
    features: NDArray[np.float32],
    train_features: NDArray[np.float32] | None,
    *,
    seed: int = 0,
) -> Parts:
    """Codes that are the phones predicted by a linear classifier (multinomial logistic regression) of the features.

    It is trained on the training part; without one, by five-fold cross-validation over utterances.
    Its codes are scored as any others.

    Args:
        test: frames to score.
        train: frames to be taught on.
        features: of the frames of ``test``, shape ``(frames, dimensions)``.
        train_features: of the frames of ``train``.
        seed: of the sample it is taught on.
    """
    size = len(test.labels)
    if train is not None and train_features is not None:
        predicted = _classify(train_features, train.phones, [features, train_features], seed)
        return test.with_codes(predicted[0], codebook_size=size), train.with_codes(predicted[1], codebook_size=size)
    utterance = test.utterance_of_frame()
    folds = min(5, len(np.unique(utterance)))
    codes = np.zeros(len(test), np.int32)
    for fold in range(folds):
        held = utterance % folds == fold
        if folds == 1:
            codes = _classify(features, test.phones, [features], seed)[0]
        elif held.any() and not held.all():
            codes[held] = _classify(features[~held], test.phones[~held], [features[held]], seed)[0]
    return test.with_codes(codes, codebook_size=size), None


def _classify(
    features: NDArray[np.float32], phones: NDArray[np.int32], parts: list[NDArray[np.float32]], seed: int
) -> list[NDArray[np.int32]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sample = _sample(len(features), seed)
    if len(np.unique(phones[sample])) < 2:
        return [np.full(len(part), phones[0], np.int32) for part in parts]
    # 100 steps leave the accuracy within a tenth of a point of convergence; a warning would tell the user nothing.
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100, tol=1e-3))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(features[sample], phones[sample])
    return [np.asarray(model.predict(part), np.int32) for part in parts]
