"""What is wrong with the rows of a source, before hours of encoding find it."""

from __future__ import annotations

from collections.abc import Iterator

from vqspeech.codes.repeats import Repeats
from vqspeech.encoding.row import Row, Rows
from vqspeech.errors import InputError


def row_faults(rows: Rows) -> Iterator[InputError]:
    """Faults of rows, none of whose recordings is opened; a row that makes no sense is the last that is looked at.

    It takes one pass over all rows and eight bytes for each, and a second pass where an id is there twice.
    """
    repeats = Repeats()
    try:
        for row in rows.of_shard(1, 1):
            repeats.add(row.id)
            if row.end is not None and (row.start or 0.0) >= row.end:
                hint = "correct start and end"
                yield InputError(f"{row.id} is empty: {row.part}", where=rows.path, hint=hint)
    except InputError as error:
        yield error
        return
    if not len(repeats):
        yield InputError("no rows in it", where=rows.path, hint="write a manifest of recordings")
    yield from twice(rows, repeats, shard=1, shards=1)


def twice(rows: Rows, repeats: Repeats, *, shard: int, shards: int) -> Iterator[InputError]:
    """The faults of rows of a shard that share an id.

    Args:
        rows: the source.
        repeats: the ids of all rows of the shard.
        shard: which, from 1.
        shards: of how many.
    """
    named: Iterator[tuple[str, Row]] = ((row.id, row) for row in rows.of_shard(shard, shards))
    for one, other in repeats.pairs(named):
        yield InputError(
            f"{one.id} is there twice: {one.part}, and {other.part}",
            where=rows.path,
            hint="give each row an id of its own",
        )
