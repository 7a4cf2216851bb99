"""encode and convert, killed at random: what is done stays, and only the recording under way is computed again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vqspeech import api
from vqspeech.cli.main import main

RATE, RECORDINGS = 16_000, 8
Start = Callable[[list[str]], BaseProcess]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of noise, the fourth of them longer."""
    generator = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(RECORDINGS):
        length = 12_000 if number == 3 else int(generator.integers(600, 2000))
        soundfile.write(tmp_path / f"in/u{number:02}.wav", 0.1 * generator.standard_normal(length), RATE)
    return tmp_path / "in"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that gets a line for each recording that is encoded, which takes a while."""
    log = tmp_path / "log"

    def slow(whole: Callable[..., Any]) -> Callable[..., Any]:
        def slowly(self: api.Model, waveform: Any, *given: Any, **named: Any) -> Any:
            with log.open("a") as file:
                file.write(f"{len(waveform)}\n")
            time.sleep(0.03)
            return whole(self, waveform, *given, **named)

        return slowly

    for name in ("encode_waveform", "adapt"):
        monkeypatch.setattr(api.Model, name, slow(getattr(api.Model, name)))
    return log


def killed_until_done(start: Start, words: list[str], log: Path, after_each: Callable[[], bool]) -> int:
    """Kill a command with SIGKILL at random until it comes to its end, or ``after_each`` says that all is there.

    Returns:
        How often it was killed.
    """
    chance = random.Random(0)
    for kills in range(100):
        before = len(lines(log))
        process = start(words)
        # From its second recording on, however busy the machine is, and each time a little later.
        while process.is_alive() and len(lines(log)) < before + 2:
            time.sleep(0.02)
        process.join(chance.uniform(0, 0.03 * (kills + 1)))
        if not process.is_alive():
            assert process.exitcode == 0
            return kills
        process.kill()
        process.join()
        if after_each():
            return kills + 1
    raise AssertionError("it never comes to its end")


def lines(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def test_encode_goes_on_at_the_recording_under_way(
    folder: Path, model: str, tmp_path: Path, log: Path, start: Start
) -> None:
    words = ["encode", str(folder), "--model", model]
    # First, so that all is imported when the process forks.
    whole = tmp_path / "whole"
    assert main([*words, "--out", str(whole / "codes.txt"), "--pitch", str(whole / "f0.txt")]) == 0
    log.unlink()
    out = tmp_path / "codes.txt"
    words += ["--out", str(out), "--pitch", str(tmp_path / "f0.txt")]

    kills = killed_until_done(start, words, log, out.exists)
    assert kills
    encoded = lines(log)
    assert len(set(encoded)) == RECORDINGS
    assert len(encoded) <= RECORDINGS + kills
    for name in ("codes.txt", "codes.json", "f0.txt", "f0.json"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_convert_writes_whole_files_and_goes_on_with_the_missing_ones(
    folder: Path, model: str, tmp_path: Path, log: Path, start: Start
) -> None:
    for path in sorted(folder.iterdir())[3:]:
        path.unlink()
    out = tmp_path / "out"
    words = ["convert", "--src", str(folder), "--speaker", "anna", "--seed", "3", "--model", model, "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    expected = contents(tmp_path / "whole")
    assert len(expected) == 3
    made: dict[str, int] = {}

    def what_is_there_is_whole_and_stays() -> bool:
        for path in visible(out):
            assert path.read_bytes() == expected[path.name]
            assert made.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
        return False

    assert killed_until_done(start, [*words, str(out)], log, what_is_there_is_whole_and_stays)
    what_is_there_is_whole_and_stays()
    assert contents(out) == expected


def visible(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*") if not path.name.startswith(".")]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in visible(folder)}
