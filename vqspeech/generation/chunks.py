"""A long utterance in pieces that are drawn side by side: cut in its pauses, warmed up, joined with no seam to hear.

A WaveNet draws one sample after the other, so that one utterance keeps one processor core busy, and that one badly: all
weights are read for each sample. Pieces run together as streams and share the reading. Where the cuts fall depends on
the utterance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Seconds that every piece lasts at least. An utterance is cut if it lasts longer than a shortest and a longest piece.
SHORTEST = 3.0
#: Seconds that a piece lasts at most, the last one apart: enough that speech has paused for breath.
LONGEST = 9.0
#: Seconds over which loudness is averaged: longer than a plosive is closed, so that a pause is more silent.
PAUSE = 0.2
#: Seconds drawn and thrown away before a piece, beyond the receptive field.
SETTLING = 0.1
#: Seconds over which a piece fades into the next.
FADE = 0.01
#: Steps of one unit of loudness. Rounded, it is the same on processors that add in another order.
_STEPS = 64


@dataclass(frozen=True)
class Piece:
    """A part of an utterance, counted in codes.

    Attributes:
        begin: first code that is drawn; what comes before ``start`` warms the stream up.
        start: first code that is kept.
        stop: the one after the last.
    """

    begin: int
    start: int
    stop: int


def warm_up(*, receptive_field: int, sample_rate: int, code_hop: int) -> int:
    """Codes to draw before a piece, so that its stream sounds as if it had run from the beginning.

    Args:
        receptive_field: of the decoder, in samples.
        sample_rate: in Hz.
        code_hop: samples a code.
    """
    samples = receptive_field + (SETTLING + FADE) * sample_rate
    return int(-(-samples // code_hop))


def cut(loudness: ArrayLike, *, code_rate: float, warm_up: int) -> list[Piece]:
    """Cut an utterance where it is most silent.

    Args:
        loudness: ``(codes,)``, on any logarithmic scale where speech and silence are about a unit apart.
        code_rate: codes a second.
        warm_up: codes to draw before each piece but the first.

    Returns:
        The pieces, in order; a single one for an utterance of up to ``SHORTEST + LONGEST`` seconds.
    """
    shortest, longest, pause = (max(1, round(seconds * code_rate)) for seconds in (SHORTEST, LONGEST, PAUSE))
    smooth = _sums(np.rint(np.asarray(loudness) * _STEPS).astype(np.int64), pause)
    starts = [0]
    while len(smooth) - starts[-1] > shortest + longest:
        candidates = smooth[starts[-1] + shortest : starts[-1] + longest + 1]
        starts.append(starts[-1] + shortest + int(np.argmin(candidates)))
    stops = [*starts[1:], len(smooth)]
    return [Piece(max(0, start - warm_up), start, stop) for start, stop in zip(starts, stops, strict=True)]


def _sums(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sum of the ``width`` values about each, the first and the last repeated beyond the ends."""
    before = width // 2
    padded = np.pad(values, (before + 1, width - before - 1), mode="edge") if len(values) else values
    total = np.cumsum(padded)
    return total[width:] - total[:-width]


def add(spoken: NDArray[np.float32], waveform: NDArray[np.float32], piece: Piece, *, code_hop: int, fade: int) -> None:
    """Add what a piece sounds like to the utterance that it is a part of.

    Over the last ``fade`` samples before a seam one piece goes out as the next comes in, by half a period of a raised
    cosine; both weights add up to 1, for the two are nearly the same there: in a pause, with the same
    conditioning and random numbers, streams fall into step.

    Args:
        spoken: ``(samples,)``, zeros where no piece was added yet; changed in place.
        waveform: ``((stop - begin) code_hop,)``.
        piece: which.
        code_hop: samples a code.
        fade: samples; at most ``(start - begin) code_hop``.
    """
    start, stop = piece.start * code_hop, piece.stop * code_hop
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade, dtype=np.float32) + 0.5) / fade)
    kept = waveform[(piece.start - piece.begin) * code_hop :].copy()
    if stop < len(spoken):
        kept[len(kept) - fade :] *= 1 - rise
    spoken[start:stop] += kept
    if start > 0:
        early = waveform[: (piece.start - piece.begin) * code_hop]
        spoken[start - fade : start] += early[len(early) - fade :] * rise
