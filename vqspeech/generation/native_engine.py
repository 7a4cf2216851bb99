"""The compiled engine: packs a WaveNet for this processor and runs it on the CPU."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.engine import Precision
from vqspeech.model.wavenet import WaveNet

try:
    from vqspeech.generation import _native
except ImportError as error:  # not built, or built for another Python
    _native = None  # type: ignore[assignment]
    MISSING = f"the compiled engine is not there: {error}"
else:
    MISSING = ""
    if getattr(_native, "INTERFACE", 1) != 3:
        _native = None  # type: ignore[assignment]
        MISSING = "the compiled engine is of an earlier version: run tools/setup.sh"

if TYPE_CHECKING:
    from vqspeech.generation._native import Network, Streams

#: Streams a thread likes: beyond these, weights are no longer read more often than they are used.
STREAMS_PER_THREAD = 8


def available() -> list[tuple[str, Precision]]:
    """List the instruction sets and the precisions that this machine can run them with, the best first."""
    return _native.available() if _native else []


def instruction_sets(precision: Precision) -> list[str]:
    """Name the instruction sets that this machine can compute ``precision`` with, the best first."""
    return [instruction_set for instruction_set, name in available() if name == precision]


def half_sets() -> list[str]:
    """Name the instruction sets of fp32 whose kernels can read weights of 16 bits."""
    return _native.half_levels() if _native else []


def fits_half(weights: Iterable[Tensor], instruction_set: str) -> bool:
    """Whether kernels of fp32 can read these weights in fp16, which reaches to 65504."""
    return instruction_set in half_sets() and all(float(weight.detach().abs().max()) < 65504 for weight in weights)


def peak(instruction_set: str, precision: Precision) -> float:
    """Multiply-adds per second of one core that does nothing else: the roof over many streams."""
    return _native.peak(instruction_set, precision)


def bandwidth(instruction_set: str, size: int) -> float:
    """Bytes per second at which one core reads ``size`` bytes over and over: the roof over a single stream."""
    return _native.bandwidth(instruction_set, size)


class NativeEngine:
    """Run a WaveNet with the compiled kernel.

    Args:
        wavenet: the decoder; on any device, its weights are copied. ``int8`` needs its ``activation_peaks``.
        precision: of the products; sums, gates and the softmax are float32 (``int8`` sums are exact).
        threads: over streams; on a single stream two share the work.
        instruction_set: one of ``instruction_sets(precision)``; the best if not given.

    Raises:
        ValueError: the processor cannot compute ``precision``, or ``activation_peaks`` were never measured.
    """

    name = "native"

    def __init__(
        self, wavenet: WaveNet, *, precision: Precision = "fp32", threads: int = 1, instruction_set: str | None = None
    ) -> None:
        reason = unsupported(wavenet, precision)
        if reason:
            raise ValueError(reason)
        self.precision: Precision = precision
        self.instruction_set = instruction_set or instruction_sets(precision)[0]
        self.threads = threads
        self.width = STREAMS_PER_THREAD * threads
        self._bands = wavenet.config.bands
        self._network = pack(wavenet, precision, self.instruction_set)

    @cached_property
    def identity(self) -> str:
        """What its arithmetic depends on: precision, instructions and build, not threads or streams."""
        build = hashlib.sha256(Path(_native.__file__).read_bytes()).hexdigest()
        return f"native {self.precision} {self.instruction_set} {build}"

    def open(self, streams: int) -> NativeSession:
        """Begin ``streams`` fresh streams."""
        return NativeSession(_native.Streams(self._network, count=streams, threads=self.threads), self._bands)


class NativeSession:
    """Streams of one ``NativeEngine``; see ``engine.Session``."""

    def __init__(self, native: Streams, bands: int) -> None:
        self._native = native
        # Behind the axis of streams: a single band has no axis of its own.
        self._shape = (-1,) if bands == 1 else (-1, bands)  # (steps,) or (steps, bands)

    @property
    def streams(self) -> int:
        """How many streams there are now."""
        return self._native.count

    def push(self, layers: Tensor, uniforms: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.int64]:
        """Draw the samples of the next frames; see ``engine.Session.push``."""
        drawn = self._native.push(floats(layers), uniforms, temperature)  # (streams, steps x bands)
        return drawn.reshape(self.streams, *self._shape)

    def score(
        self, layers: Tensor, previous: NDArray[np.int64], current: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Advance over given samples; see ``engine.Session.score``."""
        given, drawn = (
            np.zeros((0, 0), np.int64) if classes is None else classes.reshape(len(classes), -1)
            for classes in (previous, current)
        )
        logits = self._native.score(floats(layers), given, drawn)  # (streams, steps x bands, classes)
        return logits.reshape(len(logits), *self._shape, logits.shape[-1])

    def keep(self, streams: Sequence[int]) -> None:
        """Go on with these streams alone; see ``engine.Session.keep``."""
        self._native.keep(list(streams))


def unsupported(wavenet: WaveNet, precision: Precision) -> str:
    """Say why the compiled engine cannot run ``wavenet`` in ``precision``; empty if it can."""
    if _native is None:
        return MISSING
    if not instruction_sets(precision):
        return f"this processor has no instructions for {precision}"
    if precision == "int8" and not bool((wavenet.activation_peaks > 0).all()):
        return "int8 needs the activation peaks of the model, which were never measured"
    return ""


def pack(wavenet: WaveNet, precision: Precision, instruction_set: str) -> Network:
    """Pack weights for one instruction set."""
    state = {name: floats(value) for name, value in wavenet.state_dict().items()}
    layers = range(wavenet.config.layers)
    return _native.Network(
        level=instruction_set,
        precision=precision,
        cycle=wavenet.config.cycle,
        bands=wavenet.config.bands,
        embedding=state["embedding.weight"],  # (bands x classes, residual)
        dilated=np.stack([state[f"dilated.{layer}.weight"] for layer in layers]),  # (layers, 2 gate, kernel x residual)
        residual=np.stack([state[f"residual.{layer}.weight"] for layer in layers]),  # (layers, residual, gate)
        residual_bias=np.stack([state[f"residual.{layer}.bias"] for layer in layers]),  # (layers, residual)
        skip=state["skip.weight"],  # (skip, layers x gate)
        skip_bias=state["skip.bias"],  # (skip,)
        hidden=state["hidden.weight"],  # (bands x output, skip)
        hidden_bias=state["hidden.bias"],  # (bands x output,)
        output=state["output.weight"],  # (bands x classes, output)
        output_bias=state["output.bias"],  # (bands x classes,)
        below=state.get("below.weight", np.zeros(0, np.float32)),  # (pairs of bands x classes, output)
        peaks=state["activation_peaks"],
    )


def floats(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor as the compiled kernels take it: float32 on the CPU, in order."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def stacked(parts: Iterable[Tensor]) -> NDArray[np.float32]:
    """Tensors of one shape as the compiled kernels take them, with an axis for them in front."""
    return floats(torch.stack(list(parts)))
