"""The walk of a folder: its order, whatever is listed when, and how much is listed ahead."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from vqspeech.encoding import walk as walk_module
from vqspeech.encoding.walk import walk

SUFFIXES = (".wav", ".flac")


def plainly(folder: Path) -> Iterator[Path]:
    """The same order by recursion, one folder after the other."""

    def order(path: Path) -> tuple[str, str]:
        return (path.name, "") if is_folder(path) else (path.stem, path.suffix)

    def is_folder(path: Path) -> bool:
        return path.is_dir() and not path.is_symlink()

    for path in sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=order):
        if is_folder(path):
            yield from plainly(path)
        elif path.name.lower().endswith(SUFFIXES):
            yield path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Folders and files whose order by name is not that of their whole paths, and what is left out."""
    root = tmp_path / "tree"
    chance = random.Random(0)
    names = ["a", "a!", "a.b", "a0", "B", "é", "a b", "a\nb", "z" * 200, os.fsdecode(b"\xff")]
    folders = [root]
    for _ in range(60):
        folders.append(chance.choice(folders[-8:]) / chance.choice(names))
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name in chance.sample(names, 5):
            for suffix in chance.sample([".wav", ".FLAC", ".flac", ".txt"], 2):
                (folder / f"{name}{suffix}").touch()
    (root / ".hidden").mkdir()
    (root / ".hidden/x.wav").touch()
    (root / ".x.wav").touch()
    (root / "sounds.wav").mkdir()
    (root / "sounds.wav/in.wav").touch()
    (root / "round").symlink_to(root)
    (root / "link.wav").symlink_to(root / "a.txt")
    return root


@pytest.mark.parametrize(("threads", "ahead", "in_memory"), [(16, 10**6, 10**6), (1, 1, 10**6), (16, 30, 1), (3, 7, 4)])
def test_the_order_is_that_of_one_folder_after_the_other(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int, ahead: int, in_memory: int
) -> None:
    for name, value in (("THREADS", threads), ("_AHEAD", ahead), ("_SORTED", in_memory)):
        monkeypatch.setattr(walk_module, name, value)
    expected = [str(path.relative_to(tree)) for path in plainly(tree)]
    assert len(expected) > 300
    before = set(tmp_path.iterdir())
    assert list(walk(tree, SUFFIXES, tmp_path)) == expected
    assert set(tmp_path.iterdir()) == before


class Scandir:
    """``os.scandir`` of a slow disk that notes who asks.

    Attributes:
        begun: folders that were asked for.
        most: of those at a time.
    """

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.begun = self.most = self.now = 0
        self.lock = threading.Lock()
        self.whole = os.scandir

    def __call__(self, path: Any) -> Any:
        with self.lock:
            self.begun += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.delay)
        with self.lock:
            self.now -= 1
        return self.whole(path)


@pytest.fixture
def readers(tmp_path: Path) -> Path:
    """Forty readers with two books each, of three recordings each."""
    for number in range(240):
        path = tmp_path / f"in/r{number // 6:02}/b{number // 3 % 2}/{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "in"


def test_a_slow_disk_is_asked_for_many_folders_at_a_time(
    readers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Scandir(0.02)
    monkeypatch.setattr(os, "scandir", slow)
    assert len(list(walk(readers, SUFFIXES, tmp_path))) == 240
    assert slow.begun == 121  # each folder once
    assert walk_module.THREADS // 2 < slow.most <= walk_module.THREADS


def test_no_more_is_listed_ahead_than_may_be_held(
    readers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Scandir(0.0)
    monkeypatch.setattr(os, "scandir", asked)
    monkeypatch.setattr(walk_module, "THREADS", 2)
    monkeypatch.setattr(walk_module, "_AHEAD", 12)
    found = walk(readers, SUFFIXES, tmp_path)
    next(found)
    time.sleep(0.2)
    # The folder of all, the first reader and its first book; then two names per reader, or three per book, up to
    # twelve, and those of which two threads learn too late that these are enough.
    assert 3 <= asked.begun <= 3 + 12 // 2 + 2
    assert len(list(found)) == 239
    assert asked.begun == 121


def test_a_folder_that_cannot_be_listed_ends_the_walk_where_it_stands(
    readers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.scandir

    def refusing(path: Any) -> Any:
        if os.fspath(path).endswith("r03/b1"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return whole(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = walk(readers, SUFFIXES, tmp_path)
    assert len(list(islice(found, 21))) == 21
    with pytest.raises(PermissionError, match="r03/b1"):
        next(found)
