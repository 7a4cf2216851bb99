"""How far units move when the recording changes and the words do not: the unit edit distance.

Gat et al. (2023), "Augmentation Invariant Discrete Representation for Generative Spoken Language Modeling", section 3:
with units ``E(f(x))`` of a recording ``x`` of ``T'`` frames and of a changed copy ``g(x)``, runs of one unit as one,

    UED = mean over x of LEV(E(f(x)), E(f(g(x)))) / T'

Beside it stands the same number of edits over the number of runs, pooled over recordings, which does not fall with the
length of runs, and the share of frames whose unit stays the same, where the change keeps the timing. The ceiling is the
distance to the units of another recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes import runs
from vqspeech.evaluation.bootstrap import interval, resampling
from vqspeech.evaluation.edit_distance import edit_distance
from vqspeech.evaluation.robustness.distortions import DISTORTIONS, Distortion

__all__ = ["ANOTHER", "DISTORTIONS", "Distortion", "Robustness", "compare", "evaluate"]

Units = NDArray[np.int32]
Samples = NDArray[np.float32]
#: In place of a distortion: the units of another recording.
ANOTHER = "another_recording"


@dataclass(frozen=True, slots=True)
class Robustness:
    """Units under one change.

    Attributes:
        ued: unit edit distance per frame, mean over recordings; 0 is best.
        interval: 95 % bootstrap interval of ``ued`` over speakers, or recordings of under five; None for a single one.
        edits_per_unit: edits over runs of the unchanged recordings, pooled.
        frames_kept: share of frames with the same unit; None where the timing changes.
        recordings: how many.
    """

    ued: float
    interval: tuple[float, float] | None
    edits_per_unit: float
    frames_kept: float | None
    recordings: int


def evaluate(
    recordings: Sequence[Callable[[], Samples]],
    encode: Callable[[Sequence[Samples]], list[Units]],
    *,
    speakers: Sequence[str],
    distortions: dict[str, Distortion] | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Robustness]:
    """Encode each recording as it is and under each distortion.

    Args:
        recordings: each gives a waveform, ``(samples,)`` at 16 kHz.
        encode: from waveforms to their units, ``(frames,)`` each.
        speakers: of the recordings.
        distortions: by name; all when absent.
        seed: of the noise.
        progress: called with recordings done and recordings in all.

    Returns:
        Distortion -> figures, and ``ANOTHER`` -> those of other recordings where there are two.
    """
    chosen = DISTORTIONS if distortions is None else distortions
    clean: list[Units] = []
    changed: dict[str, list[Units]] = {name: [] for name in chosen}
    for number, read in enumerate(recordings, 1):
        waveform, rng = read(), np.random.default_rng([seed, number])
        copies = [waveform, *(one.apply(waveform, rng) for one in chosen.values())]
        first, *rest = encode(copies)
        clean.append(first)
        for name, units in zip(chosen, rest, strict=True):
            changed[name].append(units)
        if progress:
            progress(number, len(recordings))
    found = {
        name: compare(clean, units, speakers=speakers, keeps_time=chosen[name].keeps_time, seed=seed)
        for name, units in changed.items()
    }
    if len(clean) > 1:
        found[ANOTHER] = compare(clean, [*clean[1:], clean[0]], speakers=speakers, keeps_time=False, seed=seed)
    return found


def compare(
    clean: Sequence[Units], changed: Sequence[Units], *, speakers: Sequence[str], keeps_time: bool, seed: int = 0
) -> Robustness:
    """Figures of units of the same recordings, unchanged and changed.

    Args:
        clean: ``(frames,)`` each.
        changed: likewise.
        speakers: of the recordings.
        keeps_time: whether frames can be compared one by one.
        seed: of the bootstrap.
    """
    strings = [(runs(one)[0].tolist(), runs(other)[0].tolist()) for one, other in zip(clean, changed, strict=True)]
    edits = np.array([edit_distance(one, other) for one, other in strings], np.float64)
    frames = np.array([len(one) for one in clean], np.float64)
    shares = edits / np.maximum(frames, 1)
    draws = resampling(speakers, seed=seed)
    bounds = None
    if draws.unit is not None:
        bounds = interval(float(shares.mean()), draws.share(shares, np.ones(len(shares))), highest=np.inf)
    kept = None
    if keeps_time:
        pairs = [(one[: len(other)], other[: len(one)]) for one, other in zip(clean, changed, strict=True)]
        kept = sum(int((one == other).sum()) for one, other in pairs) / max(1, sum(len(one) for one, _ in pairs))
    return Robustness(
        ued=float(shares.mean()),
        interval=bounds,
        edits_per_unit=float(edits.sum() / max(1, sum(len(one) for one, _ in strings))),
        frames_kept=kept,
        recordings=len(clean),
    )
