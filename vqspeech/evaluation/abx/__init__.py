"""ABX: is X nearer to A, a token of the same phone, than to B, a token of another? The share of times it is not.

Schatz et al. (2013), "Evaluating speech features with the Minimal-Pair ABX task". Tokens are compared by dynamic time
warping with a distance of their frames, normalised by the length of the path. The distance is the angle between two
frames over pi, as in the ZeroSpeech Challenges, whose tools call it *cosine* (Libri-Light's evaluation, fastabx);
``distance="cosine"`` is one minus the cosine itself. Two tasks:

- ``triphone``: tokens are whole triphones, and A and B differ in the middle phone alone (*beg* and *bag*);
- ``any``: tokens are single phones, in whatever context.

*Within* speakers, A, B and X are of one speaker; *across*, X is of another speaker than A and B. Errors are averaged
over contexts and speakers of X, then over speakers of A and B, then over pairs of phones, so that frequent ones count
no more than rare ones (ZeroSpeech 2021's order).

Two engines do the comparing: fastabx where it is installed (it needs Python 3.12), else the package's own. They agree
to a few hundredths of a point on the same tokens. The plain cosine is the own engine's alone.

An error on code *vectors* and one on the same codes as *one-hot* indices are different measures: two codes that are
near in the codebook are near in the first and as far apart as any in the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.evaluation.abx import dtw, fastabx
from vqspeech.evaluation.abx.tokens import Cells, Distance, Speaker, Task, Tokens, cut_tokens
from vqspeech.evaluation.bootstrap import interval, resampling

__all__ = [
    "AbxScore",
    "Distance",
    "Engine",
    "NothingToCompareError",
    "Speaker",
    "Task",
    "Tokens",
    "cut_tokens",
    "engine_at_hand",
    "evaluate",
]

Engine = Literal["own", "fastabx"]


class NothingToCompareError(InputError):
    """No two tokens may be compared under the conditions asked for."""


@dataclass(frozen=True, slots=True)
class AbxScore:
    """An ABX error rate.

    Attributes:
        error: in ``[0, 1]``; 0.5 for uninformative representations.
        interval: 95 % bootstrap interval over the speakers of A and B; None with under five of them.
        pairs: ordered pairs of phones that could be compared.
        cells: combinations of pair, context and speakers that could.
        triples: comparisons made.
        tokens: tokens there were.
        speakers: speakers of A and B.
        engine: what compared them.
    """

    error: float
    interval: tuple[float, float] | None
    pairs: int
    cells: int
    triples: int
    tokens: int
    speakers: int
    engine: Engine


def engine_at_hand() -> Engine:
    """``fastabx`` where it is installed, else ``own``."""
    return "fastabx" if find_spec("fastabx") else "own"


def evaluate(
    tokens: Tokens,
    *,
    speaker: Speaker,
    codebook: NDArray[np.float32] | None = None,
    distance: Distance = "angular",
    max_size_group: int = 10,
    max_x_across: int = 5,
    seed: int = 0,
    engine: Engine | None = None,
) -> AbxScore:
    """Error rate over all pairs of phones.

    Args:
        tokens: of :func:`cut_tokens`.
        speaker: whether X is of the speaker of A and B, or of another.
        codebook: for codes, their vectors, shape ``(codes, dimensions)``; without it all codes are equally far apart.
        distance: of two frames; without a codebook, codes are equal or not, whichever it is.
        max_size_group: tokens of one phone, context and speaker that are drawn, for time.
        max_x_across: other speakers that X is drawn from, for each speaker of A and B.
        seed: of the draw.
        engine: what compares; the one at hand when absent.

    Raises:
        NothingToCompareError: there is nothing to compare.
        InputError: fastabx was asked for and is not installed.
    """
    one_hot = tokens.codebook_size is not None and codebook is None
    engine = "own" if distance == "cosine" and not one_hot else engine or engine_at_hand()
    compare = fastabx.compare if engine == "fastabx" else dtw.compare
    cells = compare(
        tokens,
        speaker=speaker,
        codebook=codebook,
        distance=distance,
        max_size_group=max_size_group,
        max_x_across=max_x_across,
        seed=seed,
    )
    if not len(cells):
        raise NothingToCompareError(
            f"no two phones can be compared {speaker} speakers",
            hint="ABX needs tokens of two phones in one context" + (" of two speakers" if speaker == "across" else ""),
        )
    error, drawn = _averages(cells, seed)
    return AbxScore(
        error=error,
        interval=None if drawn is None else interval(error, drawn),
        pairs=int(cells.pairs.max()) + 1,
        cells=len(cells),
        triples=int(cells.triples.sum()),
        tokens=len(tokens),
        speakers=len(cells.names),
        engine=engine,
    )


def _averages(cells: Cells, seed: int) -> tuple[float, NDArray[np.float64] | None]:
    """The error, and that of draws of speakers with replacement; None where there are too few speakers to draw."""
    shape = (int(cells.pairs.max()) + 1, len(cells.names))
    place = cells.pairs * shape[1] + cells.speakers
    number = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
    sums = np.bincount(place, weights=cells.errors, minlength=number.size).reshape(shape)
    there = (number > 0).astype(np.float64)
    means = sums / np.maximum(number, 1)
    error = float((means.sum(1) / there.sum(1)).mean())
    draws = resampling(cells.names, seed=seed)
    if draws.unit != "speakers":
        return error, None
    # A draw lacks a pair of phones if it holds none of the speakers who said both.
    weights = draws.weights.astype(np.float64)
    of_pair, held = weights @ means.T, weights @ there.T
    counted = held > 0
    shares = np.where(counted, of_pair / np.where(counted, held, 1.0), 0.0)
    return error, np.asarray(shares.sum(1) / np.maximum(counted.sum(1), 1))
