"""The interface that every engine meets: a WaveNet packed once, and sessions in which its streams go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

EngineName = Literal["auto", "native", "torch"]
Precision = Literal["fp32", "bf16", "int8"]


class Session(Protocol):
    """Streams that advance together, each with its own past.

    They begin with zeros inside every layer and with silence, the class ``classes // 2``, before the first sample.
    """

    @property
    def streams(self) -> int:
        """How many streams there are now."""
        ...

    def push(self, layers: Tensor, uniforms: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.int64]:
        """Draw the samples of the next frames.

        With several bands, a step of the decoder stands for as many samples as it has bands: the numbers of one step
        are those of its bands in turn, from the lowest.

        Args:
            layers: ``(streams, frames, layers, 2 gate)`` float32, from ``WaveNet.condition``.
            uniforms: ``(streams, frames x hop)``, one number in [0, 1) for each sample; decides it.
            temperature: divides the logits; 0 takes the most likely class.

        Returns:
            ``(streams, frames x hop)`` classes; ``(streams, frames x hop / bands, bands)`` of several bands.
        """
        ...

    def score(
        self, layers: Tensor, previous: NDArray[np.int64], current: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Advance over given samples and return the logits (teacher forcing).

        Args:
            layers: as for ``push``.
            previous: ``(streams, frames x hop)``, at ``t`` the class of sample ``t - 1``; of several bands
                ``(streams, steps, bands)``.
            current: of several bands ``(streams, steps, bands)``, at ``t`` the classes of step ``t``; otherwise None.

        Returns:
            ``(streams, frames x hop, classes)`` logits; ``(streams, steps, bands, classes)`` of several bands.
        """
        ...

    def keep(self, streams: Sequence[int]) -> None:
        """Go on with these streams alone, in this order; the others are finished."""
        ...


class Engine(Protocol):
    """A WaveNet made ready for generation. Its weights are read once; later changes to the module do not reach it.

    Attributes:
        name: ``native`` or ``torch``.
        precision: what its products are computed in.
        width: how many streams it likes to run together.
        identity: differs where the samples that it draws may differ in a bit.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def precision(self) -> Precision: ...  # noqa: D102

    @property
    def width(self) -> int: ...  # noqa: D102

    @property
    def identity(self) -> str: ...  # noqa: D102

    def open(self, streams: int) -> Session:
        """Begin ``streams`` fresh streams."""
        ...
