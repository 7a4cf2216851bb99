"""A folder as source: one job lists it, the others wait for the list."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from vqspeech.encoding import folder as encoding_folder
from vqspeech.encoding.folder import listing
from vqspeech.errors import InputError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("b/2.flac", "a/1.wav", "a/.hidden.wav", "notes.txt"):
        (tmp_path / "corpus" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "corpus" / name).touch()
    return tmp_path / "corpus"


def start(corpus: Path, out: Path) -> Any:
    process = multiprocessing.get_context("fork").Process(target=listing, args=(corpus, out))
    process.start()
    return process


def test_of_jobs_that_start_together_one_walks_the_folder(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = encoding_folder.walk

    def slow(*given: Any) -> Any:
        (tmp_path / f"walked-{os.getpid()}").touch()
        time.sleep(0.3)
        yield from walk(*given)

    monkeypatch.setattr(encoding_folder, "walk", slow)
    jobs = [start(corpus, tmp_path / "out") for _ in range(4)]
    for job in jobs:
        job.join()
    assert [job.exitcode for job in jobs] == [0] * 4
    assert len(list(tmp_path.glob("walked-*"))) == 1
    lines = (tmp_path / "out/input.jsonl").read_text().splitlines()
    assert [line.split('"')[3] for line in lines] == ["a/1", "b/2"]


def test_killed_while_it_lists_another_job_does_and_nothing_is_left(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = encoding_folder.walk

    def for_ever(*given: Any) -> Any:
        (tmp_path / "begun").touch()
        time.sleep(600)
        yield from walk(*given)

    with monkeypatch.context() as context:
        context.setattr(encoding_folder, "walk", for_ever)
        doomed = start(corpus, tmp_path / "out")
    waiting = None
    try:
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        waiting = start(corpus, tmp_path / "out")
        time.sleep(0.3)
        assert waiting.is_alive()
    finally:
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.join()
    waiting.join()
    assert waiting.exitcode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["input.jsonl"]


def test_a_folder_without_recordings(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no recordings in it"):
        listing(tmp_path / "empty", tmp_path / "out")
