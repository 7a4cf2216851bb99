"""Band-limited change of the sampling rate, of a whole waveform or block by block."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray


def resample(waveform: ArrayLike, rate_in: int, rate_out: int) -> NDArray[np.float32]:
    """Change the sampling rate of a waveform (band-limited, SoX resampler, linear phase, no delay).

    Args:
        waveform: ``(samples,)``.
        rate_in: its samples per second.
        rate_out: those of the result.

    Returns:
        ``(round(samples * rate_out / rate_in),)``, but at least one sample where there was one.
    """
    samples = np.asarray(waveform, np.float32)
    parts = list(resampled(iter([samples] if len(samples) else []), rate_in, rate_out))
    return np.concatenate(parts) if parts else samples


def resampled(blocks: Iterator[NDArray[np.float32]], rate_in: int, rate_out: int) -> Iterator[NDArray[np.float32]]:
    """The blocks at another rate, with no seam between them; the result is that of resampling the whole at once."""
    if rate_in == rate_out:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32")
    last_block: NDArray[np.float32] | None = None
    made = 0
    for block in blocks:
        part = stream.resample_chunk(block)
        made += len(part)
        last_block = block
        yield part
    if last_block is None:
        return
    tail = stream.resample_chunk(last_block[:0], last=True)
    # Less than half an output sample is rounded to none; whoever asked for audio can use one better.
    yield tail if made or len(tail) else last_block[:1]
