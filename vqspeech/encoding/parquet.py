"""Manifests in Parquet, of which a shard reads the row groups of its own rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vqspeech.encoding.lines import described_file
from vqspeech.encoding.row import Row, row_of
from vqspeech.errors import InputError, MissingExtraError, decoding, located

#: Rows of a Parquet file that are decoded at a time.
_BATCH = 4096


class Parquet:
    """A Parquet file; only row groups of the shard are read."""

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.parquet
        except ImportError:
            raise MissingExtraError("pyarrow", extra="parquet", purpose="a Parquet manifest") from None
        self.path = path
        with decoding("no Parquet file", where=path, hint="copy it again from its source"):
            self.file = pyarrow.parquet.ParquetFile(path)
        names = set(self.file.schema_arrow.names)
        if "path" not in names:
            raise InputError("no column path", where=path, hint="columns are path, start, end and id")
        self.columns = sorted(names & {"path", "start", "end", "id", "speaker"})

    @property
    def described(self) -> str:
        """See ``Rows``."""
        return f"{self.path.name}, {described_file(self.path)}"

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        metadata = self.file.metadata
        total, first = metadata.num_rows, 0
        begin, end = total * (shard - 1) // shards, total * shard // shards
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            if first < end and first + rows > begin:
                yield from self._group(group, first, begin, end)
            first += rows

    def _group(self, group: int, first: int, begin: int, end: int) -> Iterator[Row]:
        with decoding("no Parquet file", where=self.path, hint="copy it again from its source"):
            for batch in self.file.iter_batches(_BATCH, row_groups=[group], columns=self.columns):
                low, high = max(begin - first, 0), min(end - first, batch.num_rows)
                for number, values in enumerate(batch.slice(low, max(high - low, 0)).to_pylist(), first + low + 1):
                    with located(self.path, f"row {number}"):
                        row = row_of(values)
                    yield row
                first += batch.num_rows
