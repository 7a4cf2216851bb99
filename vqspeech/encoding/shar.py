"""Lhotse's Shar: cuts as JSON lines beside tar files with their audio, read in order and never unpacked.

A tar file has two members for each cut, the audio and a manifest of it, in the order of the cuts. Headers alone are
read to find a recording: its bytes are when it is encoded. A shard's range is whole files of the Shar.
"""

from __future__ import annotations

import gzip
import re
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from vqspeech.encoding.lines import in_line, whole_lines
from vqspeech.encoding.row import Row, cut_of
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError, decoding


class Shar:
    """A folder of it.

    Args:
        folder: where it is.
        pairs: files of cuts and of their recordings, in order.
    """

    def __init__(self, folder: Path, pairs: list[tuple[Path, Path]]) -> None:
        self.folder, self.pairs = folder, pairs

    @classmethod
    def find(cls, folder: Path) -> Shar | None:
        """The Shar that a folder is, None if it is none.

        Raises:
            InputError: there are cuts without their recordings.
        """
        found = {path.name: path for path in folder.iterdir()}
        pairs = []
        for name in sorted(found):
            number = re.fullmatch(r"cuts(\.\d+)?\.jsonl(\.gz)?", name, re.ASCII)
            if not number or not any(other.startswith("recording.") for other in found):
                continue
            tar = f"recording{number[1] or ''}.tar"
            if tar not in found:
                raise InputError(f"no {tar} beside {name}", where=folder, hint="copy the Shar again")
            pairs.append((found[name], found[tar]))
        return cls(folder, pairs) if pairs else None

    @property
    def path(self) -> Path:
        """See ``Rows``."""
        return self.folder

    @property
    def described(self) -> str:
        """What it is, the same for all jobs."""
        size = sum(tar.stat().st_size for _, tar in self.pairs)
        return f"{self.folder.name}, Shar of {len(self.pairs)} files, {size} bytes"

    def of_shard(self, shard: int, shards: int) -> Iterator[Row]:
        """The cuts of a shard's files, in order.

        Raises:
            InputError: cuts and recordings do not fit each other, or something is damaged.
        """
        count = len(self.pairs)
        for cuts, tar in self.pairs[count * (shard - 1) // shards : count * shard // shards]:
            yield from _pair(cuts, tar)


def _pair(cuts: Path, tar: Path) -> Iterator[Row]:
    hint = "copy the Shar again from its source"
    with ExitStack() as stack:
        stack.enter_context(decoding("not a file of lhotse's Shar", where=cuts, hint=hint))
        raw_file = stack.enter_context(cuts.open("rb"))
        lines = stack.enter_context(gzip.open(raw_file)) if cuts.suffix == ".gz" else raw_file
        members = _members(tar)
        for number, raw in enumerate(whole_lines(lines, cuts), 1):
            if not raw.strip():
                continue
            member = next(members, None)
            if member is None:
                raise InputError(f"more cuts than {tar.name} has recordings", where=cuts, line=number, hint=hint)
            try:
                row = cut_of(raw, member)
            except InputError as error:
                raise in_line(error, cuts, number) from None
            if member.name.rpartition(".")[0] != row.id:  # an id may have folders in it
                raise InputError(f"{row.id}, but {tar.name} has {member.name}", where=cuts, line=number, hint=hint)
            yield row
        if next(members, None) is not None:
            raise InputError(f"fewer cuts than {tar.name} has recordings", where=cuts, hint=hint)


def _members(tar: Path) -> Iterator[Member]:
    """The recordings, each of which has its manifest behind it."""
    with (
        decoding("not a tar file", where=tar, hint="copy the Shar again from its source"),
        tarfile.open(tar, "r:") as file,
    ):
        while (audio := file.next()) is not None:
            if not audio.isreg():
                raise ValueError(f"{audio.name} is no file")
            yield Member(tar, audio.name, audio.offset_data, audio.size)
            if file.next() is None:
                raise ValueError("a recording without its manifest")
            file.members = []  # type: ignore[attr-defined]  # which would hold all of them
