"""The archive of F0 contours that lies beside codes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.codes import Contours, ContourWriter, FrameTimes, read_contours
from vqspeech.errors import InputError

TIMES = FrameTimes(frame_period=0.004, offset=0.002)
TRACKS = st.lists(st.just(0.0) | st.floats(20, 2000, width=32), max_size=30)


@settings(deadline=None, max_examples=30)
@given(tracks=st.lists(TRACKS, min_size=1, max_size=4))
def test_what_is_written_is_read_back_to_the_bit(tmp_path_factory: pytest.TempPathFactory, tracks: list) -> None:
    path = tmp_path_factory.mktemp("f0") / "f0.txt"
    with ContourWriter(path, TIMES) as writer:
        for number, track in enumerate(tracks):
            writer.append(f"u{number}", np.array(track, np.float32))
    found = read_contours(path)
    assert found.times == TIMES
    assert list(found.f0) == [f"u{number}" for number in range(len(tracks))]
    for track, again in zip(tracks, found.f0.values(), strict=True):
        np.testing.assert_array_equal(np.array(track, np.float32), again)


def test_a_killed_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "f0.txt"
    with contextlib.suppress(KeyboardInterrupt), ContourWriter(path, TIMES, ["a", "b"]) as writer:
        writer.append("a", np.array([100.0], np.float32))
        raise KeyboardInterrupt
    assert not path.exists()
    with ContourWriter(path, TIMES, ["a", "b"]) as writer:
        assert writer.done == {"a"}
        writer.append("b", np.array([0.0], np.float32))
    assert {name: track.tolist() for name, track in read_contours(path).f0.items()} == {"a": [100.0], "b": [0.0]}


def test_other_frame_times_take_the_nearest_value() -> None:
    contours = Contours(FrameTimes(0.01, 0.005), {"a": np.array([100.0, 0.0, 300.0], np.float32)})
    same = contours.at("a", FrameTimes(0.01, 0.005), 4)
    assert same.tolist() == [100.0, 0.0, 300.0, 0.0]  # beyond its end: unvoiced
    finer = contours.at("a", FrameTimes(0.005, 0.0025), 6)
    assert finer.tolist() == [100.0, 100.0, 0.0, 0.0, 300.0, 300.0]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a 100 x", "'x' is not an F0"),
        ("a -5", "an F0 of -5 Hz"),
        ("a nan", "an F0 of nan Hz"),
        ("a 1e9", "an F0 of 1e"),
        ("", "an empty line"),
        ("b 100", "occurs twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "f0.txt"
    path.write_text(f"b 100 0\n{line}\n")
    (tmp_path / "f0.json").write_text('{"frame_period": 0.004, "offset": 0.002}')
    with pytest.raises(InputError, match=problem) as caught:
        read_contours(path)
    assert caught.value.line == 2


@pytest.mark.parametrize(
    "times", [None, "[", "[]", {"frame_period": 0.004}, {"frame_period": 0, "offset": 0}, {"frame_period": "x"}]
)
def test_bad_frame_times_are_named(tmp_path: Path, times: object) -> None:
    path = tmp_path / "f0.txt"
    path.write_text("b 100 0\n")
    if times is not None:
        (tmp_path / "f0.json").write_text(times if isinstance(times, str) else json.dumps(times))
    with pytest.raises(InputError) as caught:
        read_contours(path)
    assert str(caught.value.where).endswith("f0.json")
