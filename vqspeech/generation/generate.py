"""Many utterances through one engine: conditioning in blocks, streams that leave when they are done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.generation.engine import Engine, EngineName, Precision
from vqspeech.generation.uniforms import Uniforms
from vqspeech.model.wavenet import WaveNet

logger = logging.getLogger(__name__)

#: Samples of each stream between two reports of progress, and what bounds the memory of the conditioning.
BLOCK_SAMPLES = 2048


def make_engine(
    wavenet: WaveNet, engine: EngineName = "auto", precision: Precision = "fp32", threads: int = 1
) -> Engine:
    """Make a WaveNet ready for generation.

    What this machine or model cannot do falls back with a warning in the log: a precision to ``fp32``, ``auto`` to
    ``torch``.

    Args:
        wavenet: the decoder; its weights are copied.
        engine: ``torch`` is the reference, on the device of ``wavenet``, always in ``fp32``; ``native`` the compiled
            kernel on the CPU; ``auto`` takes ``native`` where it was built.
        precision: of the products. ``int8`` needs measured ``activation_peaks``.
        threads: of the native engine, over streams; a single stream is shared by two.

    Returns:
        The engine; its ``name`` and ``precision`` tell what it became.

    Raises:
        InputError: ``native`` was asked for and not built.
    """
    from vqspeech.generation import native_engine
    from vqspeech.generation.torch_engine import TorchEngine

    if engine == "native" and native_engine.MISSING:
        raise InputError(
            native_engine.MISSING,
            where="--engine native",
            cure="install vqspeech where a C++ compiler is, or use --engine torch",
        )
    if engine != "torch" and not native_engine.MISSING:
        problem = native_engine.unsupported(wavenet, precision)
        if problem:
            logger.warning("computing in fp32: %s", problem)
            precision = "fp32"
        return native_engine.NativeEngine(wavenet, precision=precision, threads=threads)
    if precision != "fp32":
        logger.warning("computing in fp32: the torch engine knows no %s", precision)
    return TorchEngine(wavenet)


def describe_engine() -> str:
    """Say in one line which engine ``auto`` takes on this machine, and why."""
    from vqspeech.generation import native_engine

    if native_engine.MISSING:
        return f"torch ({native_engine.MISSING})"
    levels = {precision: native_engine.levels(precision) for precision in get_args(Precision)}
    able = ", ".join(f"{precision} by {names[0]}" for precision, names in levels.items() if names)
    return f"native ({able})"


def generate(
    wavenet: WaveNet,
    frames: Sequence[Tensor],
    *,
    hop: int,
    seed: int = 0,
    temperature: float = 1.0,
    engine: EngineName | Engine = "auto",
    precision: Precision = "fp32",
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.int64]]:
    """Draw one utterance for each sequence of conditioning frames.

    The samples of an utterance depend on the weights, its frames, ``seed`` and ``temperature`` alone, not on what runs
    beside it.

    Args:
        wavenet: the decoder.
        frames: each ``(frames, condition_channels)``.
        hop: samples a frame.
        seed: of the uniform numbers, which are the same for every utterance.
        temperature: divides the logits; 0 takes the most likely class.
        engine: a name as for ``make_engine``, or an engine made of ``wavenet`` before.
        precision: as for ``make_engine``.
        threads: as for ``make_engine``.
        progress: called with the samples done and the samples of all utterances.

    Returns:
        One ``(frames x hop,)`` array of classes for each utterance, in the order given.
    """
    runner = make_engine(wavenet, engine, precision, threads) if isinstance(engine, str) else engine
    total = hop * sum(len(sequence) for sequence in frames)
    results: list[NDArray[np.int64]] = [np.zeros(len(sequence) * hop, np.int64) for sequence in frames]
    done = 0

    def advanced(samples: int) -> None:
        nonlocal done
        done += samples
        if progress is not None:
            progress(done, total)

    # Utterances of like length run together, so that few streams wait for the longest.
    order = sorted((i for i in range(len(frames)) if len(frames[i])), key=lambda i: -len(frames[i]))
    for first in range(0, len(order), runner.width):
        batch = order[first : first + runner.width]
        _run(runner, wavenet, frames, batch, hop, Uniforms(seed), temperature, results, advanced)
    return results


def _run(
    engine: Engine,
    wavenet: WaveNet,
    frames: Sequence[Tensor],
    batch: list[int],
    hop: int,
    uniforms: Uniforms,
    temperature: float,
    results: list[NDArray[np.int64]],
    advanced: Callable[[int], None],
) -> None:
    """Draw the utterances ``batch`` into ``results``, all from the start."""
    session = engine.open(len(batch))
    block = max(1, BLOCK_SAMPLES // hop)
    start = 0
    while batch:
        stop = min(start + block, min(len(frames[i]) for i in batch))
        with torch.no_grad():
            layers = wavenet.condition(torch.stack([frames[i][start:stop] for i in batch])).float()
        numbers = uniforms.draw((stop - start) * hop)
        drawn = session.push(layers, np.broadcast_to(numbers, (len(batch), len(numbers))), temperature)
        for row, utterance in enumerate(batch):
            results[utterance][start * hop : stop * hop] = drawn[row]
        advanced(drawn.size)
        start = stop
        going = [row for row, utterance in enumerate(batch) if len(frames[utterance]) > stop]
        if len(going) < len(batch):
            session.keep(going)
            batch = [batch[row] for row in going]
