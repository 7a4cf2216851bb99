"""Chunks of a long utterance, generated in parallel: split in its pauses, warmed up, joined by overlap-add.

A WaveNet draws one sample after the other, so that one utterance keeps one processor core busy, and that one badly: all
weights are read for each sample. Chunks run together as streams and share the reading. Where an utterance is split
depends on the utterance alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Shortest chunk in seconds. An utterance is split if it is longer than a shortest and a longest chunk together.
SHORTEST = 3.0
#: Longest chunk in seconds, the last one apart: enough that speech has paused for breath.
LONGEST = 9.0
#: Seconds over which loudness is averaged: longer than a plosive is closed, so that a pause is more silent.
PAUSE = 0.2
#: Seconds generated and discarded before a chunk, beyond the receptive field.
SETTLING = 0.1
#: Seconds over which chunks are cross-faded.
FADE = 0.01
#: Steps of one unit of loudness. Rounded, it is the same on processors that add in another order.
_STEPS = 64


@dataclass(frozen=True)
class Chunk:
    """A part of an utterance, counted in codes.

    Attributes:
        begin: first code that is generated; from there to ``start`` the stream warms up.
        start: first code that is kept.
        stop: the one after the last.
    """

    begin: int
    start: int
    stop: int


def warm_up(*, receptive_field: int, sample_rate: int, code_hop: int) -> int:
    """Codes of warm-up before a chunk, after which its stream is as if it had run from the beginning.

    Args:
        receptive_field: of the decoder, in samples.
        sample_rate: in Hz.
        code_hop: samples per code.
    """
    samples = receptive_field + (SETTLING + FADE) * sample_rate
    return int(-(-samples // code_hop))


def split_at_pauses(loudness: ArrayLike, *, code_rate: float, warm_up: int) -> list[Chunk]:
    """Split an utterance where it is most silent.

    Args:
        loudness: ``(codes,)``, on any logarithmic scale where speech and silence are about a unit apart.
        code_rate: codes per second.
        warm_up: codes of warm-up before each chunk but the first.

    Returns:
        The chunks, in order; a single one for an utterance of up to ``SHORTEST + LONGEST`` seconds.
    """
    shortest, longest, pause = (max(1, round(seconds * code_rate)) for seconds in (SHORTEST, LONGEST, PAUSE))
    smooth = _sums(np.rint(np.asarray(loudness) * _STEPS).astype(np.int64), pause)
    starts = [0]
    while len(smooth) - starts[-1] > shortest + longest:
        candidates = smooth[starts[-1] + shortest : starts[-1] + longest + 1]
        starts.append(starts[-1] + shortest + int(np.argmin(candidates)))
    stops = [*starts[1:], len(smooth)]
    return [Chunk(max(0, start - warm_up), start, stop) for start, stop in zip(starts, stops, strict=True)]


def _sums(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Sum of the ``width`` values about each, the first and the last repeated beyond the ends."""
    before = width // 2
    padded = np.pad(values, (before + 1, width - before - 1), mode="edge") if len(values) else values
    total = np.cumsum(padded)
    return total[width:] - total[:-width]


def overlap_add(
    output: NDArray[np.float32], waveform: NDArray[np.float32], chunk: Chunk, *, code_hop: int, fade: int
) -> None:
    """Add the waveform of a chunk to its utterance.

    Over the last ``fade`` samples before a seam one chunk is faded out and the next faded in, by half a period of a
    raised cosine. The weights add up to 1, for the two are nearly the same there: in a pause, with the same
    conditioning and random numbers, streams converge.

    Args:
        output: ``(samples,)``, zeros where no chunk was added yet; changed in place.
        waveform: ``((stop - begin) code_hop,)``.
        chunk: which.
        code_hop: samples per code.
        fade: samples; at most ``(start - begin) code_hop``.
    """
    start, stop = chunk.start * code_hop, chunk.stop * code_hop
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade, dtype=np.float32) + 0.5) / fade)
    kept = waveform[(chunk.start - chunk.begin) * code_hop :].copy()
    if stop < len(output):
        kept[len(kept) - fade :] *= 1 - rise
    output[start:stop] += kept
    if start > 0:
        early = waveform[: (chunk.start - chunk.begin) * code_hop]
        output[start - fade : start] += early[len(early) - fade :] * rise
