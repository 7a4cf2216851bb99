"""Progress where nobody looks on: a line per minute."""

from __future__ import annotations

import pytest

from vqspeech.cli.common import progress


def test_a_line_per_minute_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock)
    draw = progress.bar("decoding", "sample")
    for second in range(150):
        clock = float(second)
        draw(second + 1, 150)
    assert capsys.readouterr().err.splitlines() == [
        "decoding: 61 of 150 samples, 1 min left",
        "decoding: 121 of 150 samples, 0 min left",
    ]
