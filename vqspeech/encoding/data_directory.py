"""Kaldi data directories as rows, of which a shard reads its own lines and the recordings that they name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from vqspeech.encoding.lines import described_file, in_line, lines_of, number_of
from vqspeech.encoding.row import Row, checked
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError, decoding
from vqspeech.pipes import recording


class DataDirectory:
    """A Kaldi data directory: ``wav.scp``, and ``segments`` where it has them, in their order."""

    def __init__(self, path: Path) -> None:
        self.scp, self.segments = path / "wav.scp", path / "segments"
        self.path = path
        self.has_segments = self.segments.is_file()

    @property
    def described(self) -> str:
        """See ``Rows``."""
        files = [described_file(file) for file in (self.scp, self.segments) if file.is_file()]
        return f"{self.path.name}, {' and '.join(files)}"

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """See ``Rows``."""
        if not self.has_segments:
            for line in lines_of(self.scp, shard, shards):
                yield self._made(self.scp, line, lambda key, value: Row(key, recording(value)))
            return
        wanted = {
            self._made(self.segments, line, _segment).recording for line in lines_of(self.segments, shard, shards)
        }
        places: dict[str | Member, str | Member] = {}
        for line in lines_of(self.scp, 1, 1):
            row = self._made(self.scp, line, lambda key, value: Row(key, recording(value)))
            if row.id in wanted:
                places[row.id] = row.recording
        for line in lines_of(self.segments, shard, shards):
            row = self._made(self.segments, line, _segment)
            if row.recording not in places:
                raise InputError(
                    f"no recording {row.recording} in wav.scp",
                    where=self.segments,
                    line=number_of(self.segments, line[0]),
                    hint="vqspeech fix",
                )
            yield Row(row.id, places[row.recording], row.start, row.end)

    def _made(self, path: Path, line: tuple[int, bytes], make: Callable[[str, str], Row]) -> Row:
        place, raw = line
        try:
            with decoding("no UTF-8 text", hint="vqspeech validate finds all faults"):
                words = raw.decode().split(maxsplit=1)
            if len(words) < 2:
                raise InputError("nothing follows the id", hint="vqspeech validate finds all faults")
            return checked(make(words[0], words[1].strip()))
        except InputError as error:
            raise in_line(error, path, number_of(path, place)) from None


def _segment(key: str, value: str) -> Row:
    words = value.split()
    number = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
    if len(words) != 3 or not all(number.fullmatch(word) for word in words[1:]):
        raise InputError("expected recording, start and end after the id", hint="vqspeech validate finds all faults")
    return Row(key, words[0], float(words[1]), float(words[2]))
