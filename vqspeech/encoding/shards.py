"""One shard of a source turned into codes; whatever ends it, the next run goes on behind the last block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from vqspeech.codes.archive import CodeInfo
from vqspeech.codes.repeats import Repeats
from vqspeech.codes.shard import ShardWriter
from vqspeech.encoding.checking import twice
from vqspeech.encoding.row import Row, Rows
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError
from vqspeech.files import is_special
from vqspeech.pipes import Pipe

#: Seconds of speech, and utterances, that are encoded together and then written: what a kill costs, at most.
_BLOCK_SECONDS, _BLOCK_ROWS = 60.0, 256
#: Recordings that cannot be used and are named one by one; the rest are in the shard's ``.failed``.
_NAMED = 10


def _ignore(*_: object) -> None:
    """What is called where nobody wants to be."""


class Encoder(Protocol):
    """What turns waveforms into codes: ``vqspeech.api.Model``."""

    sample_rate: int

    @property
    def code_info(self) -> CodeInfo:
        """For ``codes.json``."""

    def read(self, recording: str | BinaryIO, *, start: float | None, end: float | None) -> NDArray[np.float32]:
        """A recording as ``(samples,)``."""

    def encode_waveforms(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        """The codes of several."""


@dataclass(frozen=True)
class Outcome:
    """What became of a shard.

    Attributes:
        name: of its files.
        utterances: that it has.
        failed: recordings that could not be used.
        skipped: whether it was there already.
    """

    name: str
    utterances: int
    failed: int
    skipped: bool


def encode_shard(
    model: Encoder,
    rows: Rows,
    out: Path,
    *,
    shard: int,
    shards: int,
    wait: float = 0.0,
    progress: Callable[[int, int], None] = _ignore,
    say: Callable[[str], None] = _ignore,
) -> Outcome:
    """Encode a shard, or what is missing of it.

    Args:
        model: what encodes.
        rows: what is encoded.
        out: the folder of all shards.
        shard: which, from 1.
        shards: of how many.
        wait: seconds to wait for another process that writes it; whoever was killed holds it no longer.
        progress: called with rows done and rows in all.
        say: called with a line for people: a recording that cannot be used, and why.

    Raises:
        InputError: a row makes no sense, two have one id, or another process writes the shard.
    """
    digest, ids = hashlib.sha256(), Repeats()
    for row in rows.of_shard(shard, shards):
        digest.update(repr(row.identity()).encode(errors="surrogateescape"))
        ids.add(row.id)
    for fault in twice(rows, ids, shard=shard, shards=shards):
        raise fault
    writer = ShardWriter(
        out, model.code_info, shard=shard, shards=shards, source=digest.hexdigest(), described=rows.described, wait=wait
    )
    skipped = writer.complete
    if skipped:
        writer.tidy()
    else:
        with writer:
            skipped = writer.complete  # another process has just made it
            if not skipped:
                _encode(model, islice(rows.of_shard(shard, shards), writer.done, None), writer, len(ids), progress, say)
    return Outcome(writer.name, writer.done - writer.failed, writer.failed, skipped=skipped)


def _encode(
    model: Encoder,
    rows: Iterator[Row],
    writer: ShardWriter,
    total: int,
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> None:
    if writer.discarded:
        say(f"{writer.path('')}: of other recordings or another model, begun again")
    block: list[tuple[Row, NDArray[np.float32] | InputError]] = []
    seconds = 0.0
    for row in rows:
        try:
            if row.fault:
                raise InputError(row.fault, where=str(row.recording), hint="rename it")
            if isinstance(row.recording, str) and not isinstance(row.recording, Pipe) and is_special(row.recording):
                raise InputError("is a pipe or a device, not a file", where=row.recording, hint="name a recording")
            recording = row.recording.open() if isinstance(row.recording, Member) else row.recording
            waveform = model.read(recording, start=row.start, end=row.end)
            seconds += len(waveform) / model.sample_rate
            block.append((row, waveform))
        except InputError as fault:
            block.append((row, fault))
        if seconds >= _BLOCK_SECONDS or len(block) >= _BLOCK_ROWS:
            _write(model, writer, block, say)
            block, seconds = [], 0.0
            progress(writer.done, total)
    _write(model, writer, block, say)
    progress(writer.done, total)


def _write(
    model: Encoder,
    writer: ShardWriter,
    block: list[tuple[Row, NDArray[np.float32] | InputError]],
    say: Callable[[str], None],
) -> None:
    made = iter(model.encode_waveforms([found for _, found in block if not isinstance(found, InputError)]))
    for row, found in block:
        if isinstance(found, InputError):
            writer.fail(row.id, str(found))
            if writer.failed <= _NAMED:
                say(f"{row.id}: {found}")
        else:
            writer.append(row.id, next(made), len(found) / model.sample_rate)
    writer.flush()
