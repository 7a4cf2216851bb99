"""What a waveform inside the toolkit is: mono, 16 kHz, finite samples in full scale 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError

#: Samples per second of every waveform inside the toolkit.
SAMPLE_RATE = 16_000


def require_finite(waveform: NDArray[Any], where: str, *, rate: int, offset: int = 0) -> None:
    """Refuse a NaN or infinite sample.

    Args:
        waveform: ``(samples,)``.
        where: it comes from or goes to, for the message.
        rate: samples per second.
        offset: samples of the recording before it.

    Raises:
        InputError: it names the time of the first such sample.
    """
    finite = np.isfinite(waveform)
    if not finite.all():
        first = int(np.argmin(finite))
        kind = "not a number (NaN)" if np.isnan(waveform[first]) else "infinite"
        raise InputError(
            f"the sample at {(offset + first) / rate:.4f} s is {kind}", where=where, hint="export it again"
        )
