from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vqspeech.generation.engine import Precision

INTERFACE: int

class Network:
    def __init__(
        self,
        *,
        level: str,
        precision: str,
        cycle: int,
        bands: int,
        embedding: NDArray[np.float32],
        dilated: NDArray[np.float32],
        residual: NDArray[np.float32],
        residual_bias: NDArray[np.float32],
        skip: NDArray[np.float32],
        skip_bias: NDArray[np.float32],
        hidden: NDArray[np.float32],
        hidden_bias: NDArray[np.float32],
        output: NDArray[np.float32],
        output_bias: NDArray[np.float32],
        below: NDArray[np.float32],
        peaks: NDArray[np.float32],
    ) -> None: ...
    @property
    def bytes(self) -> int: ...

class Streams:
    def __init__(self, network: Network, count: int, threads: int) -> None: ...
    @property
    def count(self) -> int: ...
    def keep(self, streams: Sequence[int]) -> None: ...
    def push(
        self, conditioning: NDArray[np.float32], uniforms: NDArray[np.float32], temperature: float
    ) -> NDArray[np.int64]: ...
    def score(
        self, conditioning: NDArray[np.float32], given: NDArray[np.int64], current: NDArray[np.int64]
    ) -> NDArray[np.float32]: ...

class EncoderBlocks:
    def __init__(
        self,
        *,
        level: str,
        dilations: Sequence[int],
        offsets: Sequence[int],
        taps: NDArray[np.float32],
        bias: NDArray[np.float32],
        out: NDArray[np.float32],
        out_bias: NDArray[np.float32],
        scale: NDArray[np.float32] | None,
        shift: NDArray[np.float32] | None,
    ) -> None: ...
    def apply(self, rows: NDArray[np.float32]) -> None: ...

class BlockStack:
    def __init__(
        self,
        *,
        level: str,
        dilations: Sequence[int],
        past: Sequence[int],
        dilated: NDArray[np.float32],
        bias: NDArray[np.float32],
        out: NDArray[np.float32],
        out_bias: NDArray[np.float32],
        half: bool,
    ) -> None: ...

class BlockStream:
    def __init__(
        self, stack: BlockStack, scale: NDArray[np.float32] | None, shift: NDArray[np.float32] | None
    ) -> None: ...
    def push(self, rows: NDArray[np.float32]) -> NDArray[np.float32]: ...

class Projection:
    def __init__(self, *, level: str, weight: NDArray[np.float32], bias: NDArray[np.float32], half: bool) -> None: ...
    @property
    def outputs(self) -> int: ...
    def apply(self, rows: NDArray[np.float32], hop: int) -> NDArray[np.float32]: ...

def half_levels() -> list[str]: ...
def available() -> list[tuple[str, Precision]]: ...
def peak(level: str, precision: str) -> float: ...
def bandwidth(level: str, size: int) -> float: ...
