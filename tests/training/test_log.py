"""``vqspeech.training.log``: lines and the progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from vqspeech.training.log import Log


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_is_shown_on_a_terminal_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with Log(tmp_path, True, 3) as log:
        for step in range(4, 11):
            log.advance(step, 10)
            log.line(f"line {step}")
        assert (log.bar is not None) == terminal
        if terminal:
            assert (log.bar.n, log.bar.total, log.bar.initial) == (10, 10, 3)
    shown = capsys.readouterr().err
    assert ("10/10" in shown) == terminal
    # Every line stands whole in the log, and on the terminal.
    lines = [f"line {step}" for step in range(4, 11)]
    assert [line[20:] for line in (tmp_path / "train.log").read_text().splitlines()] == lines
    assert all(f"{line}\n" in shown for line in lines)


def test_a_full_disk_is_one_error_that_names_a_file_whoever_writes(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]], capfd: pytest.CaptureFixture[str]
) -> None:
    """TensorBoard writes in a thread of its own, of which nothing is said."""
    pytest.importorskip("tensorboard")

    def run() -> None:
        with Log(tmp_path, True, 0) as log:
            for step in range(1000):
                log.evaluation(step, {f"measure{number}": 0.5 for number in range(20)})
                time.sleep(0.01)

    with full_disk(), pytest.raises(OSError, match=f"{tmp_path}/(tensorboard|train.log)"):
        run()
    assert "Traceback" not in capfd.readouterr().err


def test_a_full_disk_of_curves_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    record_writer = pytest.importorskip("tensorboard.summary.writer.record_writer")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def run() -> None:
        with Log(tmp_path, True, 0) as log:
            monkeypatch.setattr(record_writer.RecordWriter, "write", full)
            for step in range(1000):
                log.evaluation(step, {"measure": 0.5})
                time.sleep(0.01)

    with pytest.raises(OSError, match=f"{tmp_path}/tensorboard"):
        run()
    assert "Traceback" not in capfd.readouterr().err
