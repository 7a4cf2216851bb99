"""A file beside an output under way that holds its finished chunks, so that an interrupted run goes on.

Every chunk has a slot of its own, a digest and its classes, at a place that follows from the chunks' lengths. The
digest is keyed by all that determines the classes: a slot that was never filled, was cut off or damaged, or is of
another model, source, seed or engine, does not match and is drawn anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech import __version__
from vqspeech.generation.chunks import Chunk
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.engine import Engine

#: Bytes of a slot's digest.
_DIGEST = 32


class PartialOutput:
    """The finished chunks of one utterance in a file.

    Args:
        path: the file, made when it is opened. Whoever has written the utterance removes it.

    Attributes:
        path: the file.
        chunks: how many the utterance has; 0 until it is opened.
        resumed: how many of them were there when it was opened.
        filled: which are there now.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.chunks = 0
        self.resumed = 0
        self.filled: set[int] = set()
        self._handle = -1
        self._key = b""
        self._shapes: list[tuple[int, ...]] = []
        self._places: list[int] = []
        self._type: np.dtype[Any] = np.dtype(np.uint8)

    @contextmanager
    def opened(self, key: bytes, shapes: Sequence[tuple[int, ...]], *, classes: int) -> Iterator[list[Slot]]:
        """Open the file, and close it in the end.

        Args:
            key: 32 bytes that differ where the result does, see ``output_key``.
            shapes: of the classes of each chunk.
            classes: how many there are.

        Yields:
            The slots of the chunks.

        Raises:
            OSError: the file cannot be read or written; it names the file.
        """
        self._key, self._shapes, self.chunks = key, list(shapes), len(shapes)
        self._type = np.dtype(np.uint8 if classes <= 1 << 8 else "<u2" if classes <= 1 << 16 else "<u4")
        sizes = [_DIGEST + int(np.prod(shape)) * self._type.itemsize for shape in self._shapes]
        self._places = [0, *accumulate(sizes)]
        with self._named():
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            with self._named():
                self.filled = {index for index in range(self.chunks) if self._payload(index) is not None}
                self.resumed = len(self.filled)
                if not self.filled:
                    os.ftruncate(self._handle, 0)
            yield [Slot(self, index) for index in range(self.chunks)]
        finally:
            os.close(self._handle)

    def read(self, index: int) -> NDArray[np.int64]:
        """The classes of a chunk that is there, of its shape."""
        payload = self._payload(index)
        assert payload is not None
        return np.frombuffer(payload, self._type).reshape(self._shapes[index]).astype(np.int64)

    def write(self, index: int, classes: NDArray[np.int64]) -> None:
        """Fill the slot of a chunk.

        Raises:
            OSError: the disk is full; it names the file.
        """
        payload = np.ascontiguousarray(classes, self._type).tobytes()
        left, place = memoryview(self._digest(index, payload) + payload), self._places[index]
        with self._named():
            while left:
                written = os.pwrite(self._handle, left, place)
                left, place = left[written:], place + written
            os.fsync(self._handle)
        self.filled.add(index)

    def _payload(self, index: int) -> bytes | None:
        size = int(np.prod(self._shapes[index])) * self._type.itemsize
        stored = os.pread(self._handle, _DIGEST + size, self._places[index])
        payload = stored[_DIGEST:]
        if len(payload) < size or stored[:_DIGEST] != self._digest(index, payload):
            return None
        return payload

    def _digest(self, index: int, payload: bytes) -> bytes:
        salt = index.to_bytes(8, "little")
        return hashlib.blake2b(payload, digest_size=_DIGEST, key=self._key, salt=salt).digest()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.filename is None:
                error.filename = str(self.path)
            raise


@dataclass(frozen=True)
class Slot:
    """Where the classes of one chunk are kept.

    Attributes:
        file: that holds it.
        index: of the chunk.
    """

    file: PartialOutput
    index: int

    @property
    def filled(self) -> bool:
        """Whether the classes are there."""
        return self.index in self.file.filled

    def read(self) -> NDArray[np.int64]:
        """The classes, if it is filled."""
        return self.file.read(self.index)

    def write(self, classes: NDArray[np.int64]) -> None:
        """Keep the classes."""
        self.file.write(self.index, classes)


def output_key(
    plan: ConditioningPlan, chunks: Sequence[Chunk], *, engine: Engine, seed: int, temperature: float
) -> bytes:
    """A digest, 32 bytes, of all that determines the classes of an utterance's chunks.

    Args:
        plan: codes, voice, pitch and the networks.
        chunks: where it is split.
        engine: that draws.
        seed: of the uniform numbers.
        temperature: divides the logits.
    """
    network = plan.network
    digest = hashlib.sha256()
    settings = (
        __version__,
        torch.__version__,
        engine.identity,
        str(plan.codes.device),
        seed,
        float(temperature),
        msgspec.json.encode(network.config),
        [(chunk.begin, chunk.start, chunk.stop) for chunk in chunks],
        [component.weight for component in plan.voice.components],
    )
    digest.update(repr(settings).encode())
    tensors: list[Tensor] = [plan.codes, network.quantizer.codebook, *network.decoder.state_dict().values()]
    for component in plan.voice.components:
        for module in (component.conditioner, component.conditioning):
            tensors += module.state_dict().values()
        tensors.append(component.vector)
    if plan.pitch is not None:
        tensors.append(plan.pitch)
    for tensor in tensors:
        digest.update(repr(tuple(tensor.shape)).encode())
        digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
    return digest.digest()
