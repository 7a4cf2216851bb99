"""convert and decode of one long recording: interrupted, they go on where they were, and leave nothing in the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vqspeech.cli.main import main
from vqspeech.files import locked
from vqspeech.generation import sampler

RATE, SECONDS = 16_000, 4.0
Start = Callable[[list[str]], BaseProcess]


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is long is so already after a second."""
    monkeypatch.setattr("vqspeech.generation.chunks.SHORTEST", 0.1)
    monkeypatch.setattr("vqspeech.generation.chunks.LONGEST", 0.2)
    monkeypatch.setattr("vqspeech.cli.common.synthesis._LONG_SECONDS", 1)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    noise = 0.1 * np.random.default_rng(0).standard_normal(round(SECONDS * RATE))
    soundfile.write(tmp_path / "in/a.wav", noise, RATE)
    return tmp_path / "in/a.wav"


@pytest.fixture
def words(source: Path, model: str) -> list[str]:
    return ["convert", "--src", str(source), "--speaker", "anna", "--model", model, "--seed", "3"]


@pytest.fixture
def whole(words: list[str], tmp_path: Path) -> bytes:
    """What an uninterrupted run writes."""
    assert main([*words, "--out", str(tmp_path / "whole.wav")]) == 0
    return (tmp_path / "whole.wav").read_bytes()


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that gets a line with the number of streams of each batch that is drawn, which takes a while."""
    log = tmp_path / "log"
    together = sampler._together

    def slowly(engine: Any, requests: list[Any], *given: Any) -> Any:
        with log.open("a") as file:
            file.write(f"{len(requests)}\n")
        time.sleep(0.03)
        return together(engine, requests, *given)

    monkeypatch.setattr(sampler, "_together", slowly)
    return log


def lines(log: Path) -> list[str]:
    return log.read_text().split() if log.exists() else []


def interrupt_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> None:
    together = sampler._together
    drawn = iter(range(batches))

    def counted(*given: Any) -> Any:
        if next(drawn, None) is None:
            raise KeyboardInterrupt
        return together(*given)

    monkeypatch.setattr(sampler, "_together", counted)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_killed_again_and_again_it_goes_on(
    words: list[str], whole: bytes, tmp_path: Path, log: Path, start: Start
) -> None:
    out = tmp_path / "out" / "a.wav"
    words += ["--out", str(out)]
    chance = random.Random(0)
    kills = 0
    while not out.exists():
        before = len(lines(log))
        process = start(words)
        # From its second batch on, however busy the machine is.
        while process.is_alive() and len(lines(log)) < before + 2:
            time.sleep(0.01)
        process.join(chance.uniform(0, 0.1))
        if process.is_alive():
            process.kill()
            kills += 1
            assert kills < 100
        process.join()
    assert kills
    assert out.read_bytes() == whole
    drawn = len(lines(log))
    # The last run may have been killed between the output and its end.
    assert main([*words, "--force"]) == 0
    assert left_in(out.parent) == ["a.wav"]
    log.write_text("")
    assert main([*words, "--force"]) == 0
    assert drawn <= len(lines(log)) + kills


def test_ctrl_c_says_what_is_finished_and_the_next_run_goes_on(
    words: list[str],
    whole: bytes,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = source.with_name("a-anna.wav")
    capsys.readouterr()
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        assert main(words) == 130
    finished, interrupted = capsys.readouterr().err.splitlines()
    assert finished.startswith(f"{target}: ")
    assert "parts are finished" in finished
    assert interrupted == "vqspeech convert: interrupted"
    assert left_in(source.parent) == ["a-anna.wav.partial", "a.wav"]
    # Of the folder, the partial file is no source.
    assert main(words) == 0
    goes_on, done = capsys.readouterr().err.splitlines()
    assert goes_on.startswith(f"{target}.partial: ")
    assert "s of speech, what was left of it in" in done
    assert target.read_bytes() == whole
    assert left_in(source.parent) == ["a-anna.wav", "a.wav"]


@pytest.mark.parametrize("change", [["--seed", "4"], ["--temperature", "0.5"], ["--speaker", "bert"], ["--f0", "flat"]])
def test_other_options_begin_anew(
    change: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        assert main([*words, "--out", str(tmp_path / "b.wav")]) == 130
    assert main([*words, *change, "--out", str(tmp_path / "c.wav")]) == 0
    assert main([*words, *change, "--out", str(tmp_path / "b.wav")]) == 0
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_another_recording_of_the_same_name_begins_anew(
    words: list[str], whole: bytes, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        assert main([*words, "--out", str(tmp_path / "b.wav")]) == 130
    other, rate = soundfile.read(source)
    soundfile.write(source, other[::-1], rate)
    for name in ("b.wav", "c.wav"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    assert whole != (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_decode_goes_on_too(
    source: Path, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    codes = tmp_path / "codes.txt"
    assert main(["encode", str(source), "--model", model, "--out", str(codes)]) == 0
    words = ["decode", str(codes), "--speaker", "bert", "--model", model, "--out"]
    assert main([*words, str(tmp_path / "whole.wav")]) == 0
    batches = lines(log)
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)
        assert main([*words, str(tmp_path / "b.wav")]) == 130
    log.write_text("")
    assert main([*words, str(tmp_path / "b.wav")]) == 0
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()
    assert lines(log) == batches[2:]


def test_a_short_recording_needs_no_file(
    words: list[str], source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("vqspeech.cli.common.synthesis._LONG_SECONDS", SECONDS + 1)
    interrupt_after(1, monkeypatch)
    assert main(words) == 130
    assert capsys.readouterr().err == "vqspeech convert: interrupted\n"
    assert left_in(source.parent) == ["a.wav"]


def test_a_recording_given_twice_is_written(words: list[str], whole: bytes, source: Path) -> None:
    words.insert(2, str(source))
    assert main(words) == 0
    assert left_in(source.parent) == ["a-anna.wav", "a.wav"]
    assert source.with_name("a-anna.wav").read_bytes() == whole


def test_a_full_disk_is_one_line_and_loses_nothing(
    words: list[str],
    whole: bytes,
    source: Path,
    full_disk: Callable[[], AbstractContextManager[None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = source.with_name("a-anna.wav")
    capsys.readouterr()
    with full_disk():
        assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"vqspeech convert: {target}.partial: ")
    assert main(words) == 0
    assert target.read_bytes() == whole


def test_a_folder_in_its_place_is_one_line(words: list[str], source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source.parent / "a-anna.wav.partial").mkdir()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"vqspeech convert: {source.parent}/a-anna.wav.partial: ")


def test_two_at_once_are_refused(words: list[str], source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(source.with_name("a-anna.wav")):
        assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "another process is writing it" in line
