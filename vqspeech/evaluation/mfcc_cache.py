"""MFCCs at the frames of codes, computed by jobs that share the utterances and kept for the report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.mfcc import pooled_mfccs_of
from vqspeech.files import atomic_open, atomic_path

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir
    from vqspeech.evaluation.frames import Frames


class MfccCache:
    """A folder with the MFCCs of utterances: for each job one array of rows, and a list of what it holds.

    Args:
        folder: the folder; None to keep nothing.
        share: which of how many shares of the utterances this job has, counted from 1.
    """

    def __init__(self, folder: Path | None, share: tuple[int, int] = (1, 1)) -> None:
        self.folder = folder
        self.share = share

    def compute(self, frames: Frames, data: DataDir, *, where: str) -> None:
        """Keep the MFCCs of this job's share of the utterances.

        Args:
            frames: of the codes.
            data: the recordings.
            where: what the recordings are called in an error.
        """
        assert self.folder is not None
        number, shares = self.share
        keys = _keys(frames, data)
        known = self._known()
        todo = [name for name in list(keys)[number - 1 :: shares] if keys[name] not in known]
        if not todo:
            return
        index, rows, position = {}, [], 0
        for name, pooled in pooled_mfccs_of(todo, frames, data, where=where):
            index[keys[name]] = (position, position + len(pooled))
            rows.append(pooled)
            position += len(pooled)
        # A name that says what is in it: shares of other runs stay as they are.
        stem = hashlib.sha256(json.dumps(index).encode()).hexdigest()[:16]
        with atomic_path(self.folder / f"{stem}.npy") as temporary:
            np.save(temporary, np.concatenate(rows))
        with atomic_open(self.folder / f"{stem}.json") as file:
            json.dump(index, file)

    def all(self, frames: Frames, data: DataDir, *, where: str) -> NDArray[np.float32]:
        """MFCCs of all utterances, shape ``(frames, 39)``; those that no job has computed are now."""
        keys = _keys(frames, data)
        known = self._known()
        missing = [name for name, key in keys.items() if key not in known]
        made = dict(pooled_mfccs_of(missing, frames, data, where=where))
        return np.concatenate([made[name] if name in made else known[keys[name]] for name in keys])

    def _known(self) -> dict[str, NDArray[np.float32]]:
        return dict(self._read()) if self.folder else {}

    def _read(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        assert self.folder is not None
        # Hidden files are those that another job is writing just now.
        for index in sorted(self.folder.glob("[!.]*.json")):
            rows = np.load(index.with_suffix(".npy"), mmap_mode="r")
            for key, (start, end) in json.loads(index.read_text(encoding="utf-8")).items():
                yield key, rows[start:end]


def _keys(frames: Frames, data: DataDir) -> dict[str, str]:
    """Utterance -> what its MFCCs depend on."""
    lengths = np.diff(frames.bounds).tolist()
    keys = {}
    for name, length in zip(frames.utterances, lengths, strict=True):
        recording = (data[name].recording, data[name].start, data[name].end) if name in data else ()
        keys[name] = json.dumps([name, length, frames.frame_period, frames.offset, *recording])
    return keys
