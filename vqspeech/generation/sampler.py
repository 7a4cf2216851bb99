"""Many streams through one engine: conditioning in blocks, streams that leave when they are done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.generation.engine import Engine, EngineName, Precision
from vqspeech.generation.partial_output import Slot
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
        The engine; ``name`` and ``precision`` are those in effect.

    Raises:
        InputError: ``native`` was asked for and not built, or no engine, precision or number of threads is so called.
    """
    from vqspeech.generation import native_engine
    from vqspeech.generation.torch_engine import TorchEngine

    ranges.WORKERS.check(threads, "threads")
    for value, kind, name in ((engine, EngineName, "engine"), (precision, Precision, "precision")):
        if value not in get_args(kind):
            raise InputError(f"no {name} {value!r}", hint=f"use {', '.join(get_args(kind))}")
    if engine == "native" and native_engine.MISSING:
        raise InputError(
            native_engine.MISSING,
            where="--engine native",
            hint="install vqspeech where a C++ compiler is, or use --engine torch",
        )
    if engine != "torch" and not native_engine.MISSING:
        problem = native_engine.unsupported(wavenet, precision)
        if problem:
            logger.warning("computing in fp32: %s", problem)
            precision = "fp32"
        return native_engine.NativeEngine(wavenet, precision=precision, threads=threads)
    if precision != "fp32":
        logger.warning("computing in fp32: the torch engine has no %s", precision)
    return TorchEngine(wavenet)


def describe_engine() -> str:
    """Say in one line which engine ``auto`` takes on this machine, and why."""
    from vqspeech.generation import native_engine

    if native_engine.MISSING:
        return f"torch ({native_engine.MISSING})"
    sets = {precision: native_engine.instruction_sets(precision) for precision in get_args(Precision)}
    able = ", ".join(f"{precision} by {names[0]}" for precision, names in sets.items() if names)
    return f"native ({able})"


@dataclass(frozen=True)
class StreamRequest:
    """A request for one stream: an utterance, or a chunk of one.

    Attributes:
        frames: makes its conditioning frames, ``(length, channels)``, when its turn comes.
        conditioning: projects frames into the decoder's layers, ``(frames, layers, 2 gate)``.
        length: how many frames.
        position: of its first sample in the utterance, which sets the place of its random numbers.
        slot: where its classes are kept and, if they are there, taken from.
    """

    frames: Callable[[], Tensor]
    conditioning: Callable[[Tensor], Tensor]
    length: int
    position: int = 0
    slot: Slot | None = None

    @property
    def finished(self) -> bool:
        """Whether its classes are there already."""
        return self.slot is not None and self.slot.filled


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
    """Draw one utterance for each sequence of conditioning frames, each by one stream.

    The samples of an utterance depend on the weights, its frames, ``seed`` and ``temperature`` alone, not on what runs
    beside it.

    Args:
        wavenet: the decoder.
        frames: each ``(frames, condition_channels)``.
        hop: samples per frame.
        seed: of the uniform numbers, which are the same for every utterance.
        temperature: divides the logits; 0 takes the most likely class.
        engine: a name as for ``make_engine``, or an engine made of ``wavenet`` before.
        precision: as for ``make_engine``.
        threads: as for ``make_engine``.
        progress: called with the samples done and the samples of all utterances.

    Returns:
        One ``(frames x hop,)`` array of classes for each utterance, in the order given; of several bands
        ``(frames x hop / bands, bands)``.
    """
    ranges.SEED.check(seed, "seed")
    ranges.TEMPERATURE.check(temperature, "temperature")
    runner = make_engine(wavenet, engine, precision, threads) if isinstance(engine, str) else engine
    bands = wavenet.config.bands
    results: list[NDArray[np.int64]] = [np.zeros((0, bands) if bands > 1 else 0, np.int64)] * len(frames)
    requests = [
        StreamRequest(lambda sequence=sequence: sequence, wavenet.condition, len(sequence))  # type: ignore[misc]
        for sequence in frames
    ]
    for index, classes in draw_requests(
        runner, requests, hop=hop, seed=seed, temperature=temperature, progress=progress
    ):
        results[index] = classes
    return results


def draw_requests(
    engine: Engine,
    requests: Sequence[StreamRequest],
    *,
    hop: int,
    seed: int = 0,
    temperature: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Draw requests, ``engine.width`` at a time; only these take memory.

    Args:
        engine: made of the decoder.
        requests: in any order; the result of one does not depend on the others.
        hop: samples per frame.
        seed: as for ``generate``.
        temperature: as for ``generate``.
        progress: as for ``generate``; without those that are taken from their slots.

    Yields:
        The index of a request and its classes as ``generate`` gives them, for all but the empty ones.
    """
    if temperature < ranges.LEAST_TEMPERATURE:
        temperature = 0.0
    done = 0

    def advanced(samples: int) -> None:
        nonlocal done
        done += samples
        if progress is not None:
            progress(done, total)

    # Requests of like length run together, so that few streams wait for the longest.
    order = sorted(
        (i for i in range(len(requests)) if requests[i].length), key=lambda i: requests[i].length, reverse=True
    )
    # Batches do not depend on what is finished, for products of other numbers of streams may round otherwise.
    batches = [order[first : first + engine.width] for first in range(0, len(order), engine.width)]
    waiting = [not all(requests[i].finished for i in batch) for batch in batches]
    total = hop * sum(requests[i].length for batch, waits in zip(batches, waiting, strict=True) if waits for i in batch)
    for batch, waits in zip(batches, waiting, strict=True):
        if not waits:
            yield from ((i, slot.read()) for i in batch if (slot := requests[i].slot))
            continue
        drawn = _together(engine, [requests[i] for i in batch], hop, seed, temperature, advanced)
        for i, classes in zip(batch, drawn, strict=True):
            if slot := requests[i].slot:
                slot.write(classes)
        yield from zip(batch, drawn, strict=True)


def _together(
    engine: Engine,
    requests: list[StreamRequest],
    hop: int,
    seed: int,
    temperature: float,
    advanced: Callable[[int], None],
) -> list[NDArray[np.int64]]:
    """Draw requests in streams that all start at once."""
    chunks: list[list[NDArray[np.int64]]] = [[] for _ in requests]
    frames = [request.frames() for request in requests]
    uniforms = [Uniforms(seed, request.position) for request in requests]
    session = engine.open(len(requests))
    block = max(1, BLOCK_SAMPLES // hop)
    going = list(range(len(requests)))
    start = 0
    while going:
        stop = min(start + block, min(requests[i].length for i in going))
        with torch.no_grad():
            layers = torch.stack([requests[i].conditioning(frames[i][start:stop]) for i in going]).float()
        numbers = np.stack([uniforms[i].draw((stop - start) * hop) for i in going])  # (streams, samples)
        drawn = session.push(layers, numbers, temperature)  # (streams, samples), or (streams, steps, bands)
        for row, i in enumerate(going):
            chunks[i].append(drawn[row])
        advanced(drawn.size)
        start = stop
        rows = [row for row, i in enumerate(going) if requests[i].length > stop]
        if len(rows) < len(going):
            session.keep(rows)
            going = [going[row] for row in rows]
    return [np.concatenate(drawn) for drawn in chunks]
