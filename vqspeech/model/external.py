"""Codes that another system makes: their times, and the model's frames that they fall on.

A model without an encoder of its own takes codes of any rate. Its conditioning network works on frames of
``model.encoder.mel_hop`` samples; each takes the code whose centre is nearest to its own, so that the period of the
codes need be no multiple of anything (75 Hz at 16 kHz is 213 1/3 samples). Where the two periods are equal, frames are
codes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqspeech.model.config import ExternalCodes, ModelConfig


def nearest_code(
    times: NDArray[np.floating], source: ExternalCodes, count: int | NDArray[np.int64]
) -> NDArray[np.int64]:
    """The index of the code nearest to each time; before the first it is the first, after the last the last.

    Args:
        times: in seconds from the start of the recording, any shape.
        source: times of the codes.
        count: how many codes there are, one number or one for each time.
    """
    index = np.rint((times - source.offset) / source.frame_period).astype(np.int64)
    return np.clip(index, 0, np.asarray(count) - 1)


def frames_of(count: int, config: ModelConfig) -> int:
    """How many frames of the model ``count`` codes last."""
    source = config.encoder.source
    if source is None:
        return count
    seconds = source.offset + (count - 0.5) * source.frame_period
    return max(1, round(seconds * config.code_rate))


def on_frames(codes: NDArray[np.integer], config: ModelConfig) -> NDArray[np.int64]:
    """Codes of another system, ``(codes,)``, as one code per frame of the model; a model's own stay as they are."""
    source = config.encoder.source
    if source is None:
        return codes.astype(np.int64)
    times = (np.arange(frames_of(len(codes), config)) + 0.5) / config.code_rate
    return codes[nearest_code(times, source, len(codes))].astype(np.int64)
