"""``vqspeech.training.log``: lines and the progress bar."""

from __future__ import annotations

import sys
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
