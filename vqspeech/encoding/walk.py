"""A walk of a folder in a fixed order, for which threads list the folders ahead.

On a network's file system a folder takes some milliseconds to list, whatever is in it, and one after the other the
folders of a large corpus take hours. Here the folders that come next are listed side by side; what the walk gives, and
in which order, does not depend on that. Held are the names of the folders that it is in, those of some ahead, and one
name for each folder that is known and not yet listed; what a folder has beyond some hundred thousand recordings is
sorted on the disk.
"""

from __future__ import annotations

import heapq
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO

#: Folders that are listed at a time.
THREADS = 16
#: Names of folders ahead that are held: with so many no further folder is begun.
_AHEAD = 200_000
#: Names of one folder that are sorted in memory.
_SORTED = 200_000

#: A folder by the names that lead to it: in their order, folders come as the walk does.
_Place = tuple[str, ...]
#: What a name is sorted by: stem and suffix of a recording, or a folder's name and nothing.
_Key = tuple[str, str]


def walk(folder: Path, suffixes: tuple[str, ...], scratch: Path) -> Iterator[str]:
    """Files at any depth as paths within ``folder``, sorted within each folder by stem, then by suffix.

    Hidden files and folders are left out, and pipes and devices; links to folders are not followed. A folder stands
    among the files beside it by its name.

    Args:
        folder: where to begin.
        suffixes: endings that a file must have one of, in small letters, each with its dot.
        scratch: a folder for what does not fit into memory.

    Raises:
        OSError: a folder cannot be listed.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        ahead = _Ahead(pool, folder, suffixes, scratch)
        try:
            stack: list[tuple[_Place, Iterator[_Key]]] = [((), ahead.listed(()))]
            while stack:
                place, keys = stack[-1]
                for stem, suffix in keys:
                    if not suffix:
                        stack.append(((*place, stem), ahead.listed((*place, stem))))
                        break
                    yield os.path.join(*place, stem + suffix)  # noqa: PTH118  # of millions
                else:
                    stack.pop()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Ahead:
    """Lists folders before they are asked for, those that come first in the walk first.

    Args:
        pool: whose threads list.
        root: the folder of all.
        suffixes: see ``walk``.
        scratch: see ``walk``.
    """

    def __init__(self, pool: ThreadPoolExecutor, root: Path, suffixes: tuple[str, ...], scratch: Path) -> None:
        self._pool, self._root, self._suffixes, self._scratch = pool, root, suffixes, scratch
        self._unlisted: list[_Place] = [()]  # a heap
        self._begun: dict[_Place, Future[_Listing]] = {}
        self._running: dict[Future[_Listing], _Place] = {}
        self._held = 0

    def listed(self, place: _Place) -> Iterator[_Key]:
        """What is in the folder that comes next in the walk, in order."""
        if place not in self._begun:  # too much of later ones is held, but this is the next of all
            self._begin()
        self._go_on()
        while not self._begun[place].done():
            wait(self._running, return_when=FIRST_COMPLETED)
            self._go_on()
        listing = self._begun.pop(place).result()
        self._held -= listing.held
        self._go_on()
        return listing.keys()

    def _go_on(self) -> None:
        """Note what has been listed, and begin as many folders as may be under way."""
        for future in [future for future in self._running if future.done()]:
            place = self._running.pop(future)
            if future.exception() is None:
                self._held += future.result().held
                for name in future.result().folders:
                    heapq.heappush(self._unlisted, (*place, name))
        while self._unlisted and len(self._running) < THREADS and self._held < _AHEAD:
            self._begin()

    def _begin(self) -> None:
        place = heapq.heappop(self._unlisted)
        path = self._root.joinpath(*place)
        future = self._pool.submit(_list, path, self._suffixes, self._scratch)
        self._begun[place] = future
        self._running[future] = place


@dataclass(frozen=True)
class _Listing:
    """What is in a folder.

    Attributes:
        folders: their names, sorted.
        files: names of files, sorted: the last run of them.
        runs: earlier runs, each sorted, on the disk.
    """

    folders: list[str]
    files: list[str]
    runs: list[IO[str]]

    @property
    def held(self) -> int:
        """Names in memory."""
        return len(self.folders) + len(self.files)

    def keys(self) -> Iterator[_Key]:
        """Folders and files in order."""
        runs: list[Iterable[_Key]] = [map(_key, map(json.loads, run)) for run in self.runs]
        return heapq.merge([(name, "") for name in self.folders], map(_key, self.files), *runs)


def _list(folder: Path, suffixes: tuple[str, ...], scratch: Path) -> _Listing:
    folders: list[str] = []
    files: list[str] = []
    runs: list[IO[str]] = []
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.name.lower().endswith(suffixes) and (entry.is_symlink() or entry.is_file()):
                files.append(entry.name)
                if len(files) == _SORTED:
                    runs.append(_on_disk(sorted(files, key=_key), scratch))
                    files = []
    return _Listing(sorted(folders), sorted(files, key=_key), runs)


def _on_disk(names: list[str], scratch: Path) -> IO[str]:
    """A file of these names that goes with the process."""
    file = tempfile.TemporaryFile("w+", dir=scratch, encoding="ascii")  # noqa: SIM115  # read as the walk comes to it
    file.writelines(json.dumps(name) + "\n" for name in names)
    file.seek(0)
    return file


def _key(name: str) -> _Key:
    return os.path.splitext(name)  # noqa: PTH122  # of millions
