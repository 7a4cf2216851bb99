"""What a waveform inside the toolkit is: mono, 16 kHz, finite samples in full scale 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError

#: Samples per second of every waveform inside the toolkit.
SAMPLE_RATE = 16_000


#: Samples beyond it are no sound, whatever full scale they were written in (2**31 for 32-bit integers), but damage.
_LOUDEST = 1e10


def require_finite(waveform: NDArray[Any], where: str, *, rate: int, offset: int = 0) -> None:
    """Refuse a sample that is NaN, infinite, or so large that its power is.

    Args:
        waveform: ``(samples,)``.
        where: it comes from or goes to, for the message.
        rate: samples per second.
        offset: samples of the recording before it.

    Raises:
        InputError: it names the time of the first such sample.
    """
    finite = np.abs(waveform) <= _LOUDEST  # False of NaN, too
    if not finite.all():
        first = int(np.argmin(finite))
        value = float(waveform[first])
        kind = "not a number (NaN)" if np.isnan(value) else "infinite" if np.isinf(value) else f"{value:.3g}: damage"
        raise InputError(
            f"the sample at {(offset + first) / rate:.4f} s is {kind}", where=where, hint="export it again"
        )
