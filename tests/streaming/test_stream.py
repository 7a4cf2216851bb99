"""Streams of small models with random weights."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stream_reference import convert
from streaming_models import RATE, make_network, make_stream, speech_like

from vqspeech.errors import InputError


def spoken(kind: str, waveform: np.ndarray, sizes: list[int], **options: object) -> np.ndarray:
    """What a stream makes of chunks of these sizes, over and over."""
    stream = make_stream(kind, **options)
    pieces, place, turn = [], 0, 0
    while place < len(waveform):
        size = sizes[turn % len(sizes)]
        pieces.append(stream.push(waveform[place : place + size]))
        place, turn = place + size, turn + 1
    return np.concatenate([*pieces, stream.finish()])


@pytest.mark.parametrize("kind", ["modulated", "warped", "plain", "bands"])
@settings(max_examples=6)
@given(
    seconds=st.floats(0.05, 0.6),
    sizes=st.lists(st.integers(1, 4096) | st.integers(1, 20), min_size=1, max_size=6),
    seed=st.integers(0, 99),
)
def test_push_by_push_is_what_all_at_once_is(kind: str, seconds: float, sizes: list[int], seed: int) -> None:
    waveform = speech_like(seconds, seed)
    whole = spoken(kind, waveform, [len(waveform)], seed=seed, post_filter=0.5)
    assert len(whole) == len(waveform)
    assert np.array_equal(spoken(kind, waveform, sizes, seed=seed, post_filter=0.5), whole)


@pytest.mark.parametrize("kind", ["modulated", "warped", "bands"])
@pytest.mark.parametrize(("seconds", "seed"), [(0.5, 3), (0.31, 5)])
def test_it_is_what_the_slow_reference_makes_of_the_whole_recording(kind: str, seconds: float, seed: int) -> None:
    waveform = speech_like(seconds, seed)
    same = []
    for draw in range(3):
        made = spoken(kind, waveform, [len(waveform)], seed=seed + draw, speaker="ann:1,cyd:2")
        wanted = convert(make_network(kind), waveform, {0: 1 / 3, 2: 2 / 3}, seed=seed + draw)
        assert len(made) == len(wanted)
        same.append(np.allclose(made, wanted, atol=1e-5))
    # Rounding differs between one step and the whole, and may turn a sample drawn at the border of two classes; what
    # follows it is another draw then.
    assert sum(same) >= 2


def test_memory_and_work_do_not_grow() -> None:
    """An hour is as ten seconds: the tensors and arrays that a stream holds are as large, and as many."""
    stream = make_stream("modulated", post_filter=0.5)
    stream.codes = deque(maxlen=20)  # in place of ten seconds, so that it is full at once
    sizes = []
    for _ in range(3):
        for seed in range(3):
            stream.push(speech_like(0.32, seed))
        sizes.append(held(stream))
    assert max(sizes) - min(sizes) < 512


def held(thing: object, seen: set[int] | None = None) -> int:
    """Bytes of all arrays and tensors that hang on an object, those of the model left out."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, torch.nn.Module | torch.nn.Parameter | str | type):
        return 0
    seen.add(id(thing))
    if isinstance(thing, torch.Tensor):
        return thing.untyped_storage().nbytes()
    if isinstance(thing, np.ndarray):
        return thing.nbytes if thing.base is None else thing.base.nbytes
    if isinstance(thing, dict):
        return sum(held(value, seen) for value in thing.values())
    if isinstance(thing, list | tuple | deque):
        return 8 * len(thing) + sum(held(value, seen) for value in thing)
    return held(vars(thing), seen) if hasattr(thing, "__dict__") else 0


@pytest.mark.parametrize("post_filter", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["modulated", "plain", "bands"])
def test_samples_come_after_the_stated_latency_and_not_earlier(kind: str, post_filter: float) -> None:
    stream = make_stream(kind, post_filter=post_filter)
    waveform = speech_like(0.6)
    latency = round(stream.latency * RATE)
    missing, given_so_far = 0, 0
    for place in range(len(waveform)):
        given_so_far += len(stream.push(waveform[place : place + 1]))
        missing = max(missing, place + 1 - given_so_far)
    assert missing == latency - 1


def test_another_voice_in_the_middle_is_as_though_it_had_been_there_from_the_start() -> None:
    """Of what is drawn from there on, the conditioning is that of a stream of the second voice alone."""
    kind = "unadapted"  # otherwise the codes so far are those of the first voice
    waveform = speech_like(1.5)
    whole, changed = make_stream(kind, speaker="bob"), make_stream(kind, speaker="ann")
    seen: dict[str, list[torch.Tensor]] = {"whole": [], "changed": []}
    for name, stream in (("whole", whole), ("changed", changed)):
        stream.push(waveform[:7000])
        stream.speaker = "bob"
        before = stream.push(waveform[7000:7000])
        assert not len(before)
        push = stream._voice.push

        def kept(values: torch.Tensor, pitch: torch.Tensor, push=push, rows=seen[name]) -> torch.Tensor:
            made = push(values, pitch)
            rows.append(made)
            return made

        stream._voice.push = kept  # type: ignore[method-assign]
        stream.push(waveform[7000:])
    assert len(seen["whole"])
    torch.testing.assert_close(torch.cat(seen["changed"]), torch.cat(seen["whole"]), rtol=1e-4, atol=1e-5)


def test_a_voice_that_changes_is_heard_and_does_not_depend_on_chunks() -> None:
    waveform = speech_like(1.5)
    made = []
    for sizes in ([5000], [1], [97, 33]):
        stream = make_stream("modulated", speaker="ann")
        pieces, place, turn = [], 0, 0
        while place < len(waveform):
            size = min(sizes[turn % len(sizes)], 5000 - place if place < 5000 else len(waveform))
            pieces.append(stream.push(waveform[place : place + size]))
            place, turn = place + size, turn + 1
            if place == 5000:
                stream.speaker = "ann:1,cyd:3"
                assert stream.speaker == "ann:1,cyd:3"
        made.append(np.concatenate([*pieces, stream.finish()]))
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])
    other = spoken("modulated", waveform, [len(waveform)], speaker="ann")
    assert not np.array_equal(made[0], other)
    assert np.array_equal(made[0][:2000], other[:2000])


def test_what_a_stream_cannot_take_is_refused(tmp_path: Path) -> None:
    stream = make_stream("modulated")
    with pytest.raises(InputError, match=r"shape \(2, 3\)"):
        stream.push(np.zeros((2, 3)))
    with pytest.raises(InputError, match="NaN"):
        stream.push([0.0, np.nan])
    with pytest.raises(InputError, match="no speaker"):
        stream.speaker = "dan"
    stream.finish()
    with pytest.raises(InputError, match="finished"):
        stream.push([0.0])
    with pytest.raises(InputError, match="finished"):
        stream.finish()
    with make_stream("plain") as inside:
        inside.push(np.zeros(10))
    with pytest.raises(InputError, match="finished"):
        inside.push(np.zeros(10))
    with pytest.raises(InputError, match="normalises its channels"):
        make_stream("instance")


def test_silence_and_nothing_are_streams_too() -> None:
    for count in (0, 1, 30, 5000):
        stream = make_stream("modulated")
        pieces = [stream.push(np.zeros(count)), stream.push([]), stream.finish()]
        assert sum(map(len, pieces)) == count
