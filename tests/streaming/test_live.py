"""The thread between microphone and loudspeaker, by a callback that the test plays."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vqspeech.streaming.live import LiveConversion, Ring
from vqspeech.streaming.priority import give_up_real_time

RATE, BLOCK = 1000, 20


@pytest.fixture(autouse=True)
def ordinary_scheduling() -> Iterator[None]:
    """The test's thread plays the sound device's part and is scheduled as such; the tests after it are not."""
    yield
    give_up_real_time()


class Echo:
    """Gives what it takes, 50 ms later; can be held up."""

    sample_rate, latency = RATE, 0.05

    def __init__(self) -> None:
        self.held = np.zeros(0, np.float32)
        self.free = threading.Event()
        self.free.set()
        self.pushed = 0
        self.calls = 0

    def push(self, waveform: np.ndarray) -> np.ndarray:
        self.calls += 1
        self.free.wait()
        self.pushed += len(waveform)
        self.held = np.concatenate([self.held, waveform])
        done = max(0, len(self.held) - 50)
        made, self.held = self.held[:done], self.held[done:]
        return made


def wait_until(done: Callable[[], bool]) -> None:
    """Until another thread has come so far, or 20 s are over."""
    deadline = time.monotonic() + 20
    while not done() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert done()


def wait_for(conversion: LiveConversion) -> None:
    """Until all input is converted."""
    wait_until(lambda: conversion.waiting() == 0)


def play(conversion: LiveConversion, samples: np.ndarray, *, wait: bool = True) -> np.ndarray:
    """Call back for each block in turn."""
    played = []
    for begin in range(0, len(samples), BLOCK):
        played.append(conversion.exchange(samples[begin : begin + BLOCK]))
        if wait:
            wait_for(conversion)
    return np.concatenate(played)


@pytest.fixture
def echo() -> Echo:
    return Echo()


def test_a_sample_is_played_the_stated_delay_after_it_came(echo: Echo) -> None:
    conversion = LiveConversion(echo, block=BLOCK, cushion=0.03)
    samples = np.arange(1, 1001, dtype=np.float32)
    played = play(conversion, samples)
    delay = round(conversion.delay * RATE)
    assert delay == 50 + 30 + BLOCK
    assert not played[:delay].any()
    assert np.array_equal(played[delay:], samples[:-delay])
    assert conversion.dropouts == 0
    assert conversion.seconds == pytest.approx(1.0)
    assert 0 < conversion.load < 100
    conversion.close()


def test_what_the_device_itself_lost_is_a_dropout(echo: Echo) -> None:
    conversion = LiveConversion(echo, block=BLOCK)
    play(conversion, np.ones(10 * BLOCK, np.float32))
    conversion.lost()
    assert conversion.dropouts == conversion.losses == 1
    conversion.close()


def test_what_comes_too_late_is_left_out_and_the_rest_stays_in_time(echo: Echo) -> None:
    conversion = LiveConversion(echo, block=BLOCK, cushion=0.03)
    samples = np.arange(1, 1601, dtype=np.float32)
    first = play(conversion, samples[:600])
    echo.free.clear()
    held = play(conversion, samples[600:800], wait=False)
    echo.free.set()
    wait_for(conversion)
    after = play(conversion, samples[800:])
    delay = round(conversion.delay * RATE)
    played = np.concatenate([first, held, after])
    assert conversion.dropouts == 1
    right = (played[delay:] == samples[:-delay]) | (played[delay:] == 0)
    assert right.all()
    assert 0 < (played[delay:] == 0).sum() <= 200
    assert np.array_equal(after[BLOCK:], samples[800 + BLOCK - delay : 1600 - delay])
    conversion.close()


def test_a_long_backlog_is_skipped(echo: Echo) -> None:
    conversion = LiveConversion(echo, block=BLOCK)
    samples = np.arange(1, 5001, dtype=np.float32)
    play(conversion, samples[:400])
    echo.free.clear()
    calls = echo.calls
    play(conversion, samples[400 : 400 + BLOCK], wait=False)
    # The thread is held up before the rest comes, not merely late to begin.
    wait_until(lambda: echo.calls == calls + 1)
    play(conversion, samples[400 + BLOCK : 3400], wait=False)
    echo.free.set()
    wait_for(conversion)
    assert echo.pushed == 400 + BLOCK
    after = play(conversion, samples[3400:])
    assert after[1000:].all()
    conversion.close()


def test_an_error_of_the_thread_is_kept_for_the_command(echo: Echo) -> None:
    def broken(waveform: np.ndarray) -> np.ndarray:
        raise ValueError("broken")

    echo.push = broken  # type: ignore[method-assign]
    conversion = LiveConversion(echo, block=BLOCK)
    conversion.exchange(np.ones(BLOCK, np.float32))
    conversion._thread.join(20)
    assert isinstance(conversion.error, ValueError)
    conversion.close()


def test_a_ring_keeps_the_latest() -> None:
    ring = Ring(7)
    for begin in range(0, 40, 5):
        ring.write(np.arange(begin, begin + 5, dtype=np.float32))
        first = max(0, ring.end - 7)
        assert np.array_equal(ring.read(first, ring.end), np.arange(first, ring.end))


def served(conversion: LiveConversion, samples: np.ndarray, surge: int, size: int) -> np.ndarray:
    """Hear and play block by block; ``size`` samples more are heard at ``surge``, or played where it is negative."""
    heard, played = 0, []
    while heard + BLOCK <= len(samples):
        conversion.hear(samples[heard : heard + BLOCK])
        heard += BLOCK
        if surge <= heard < surge + BLOCK:
            conversion.hear(samples[heard : heard + max(0, size)])
            heard += max(0, size)
            played += [conversion.play(BLOCK) for _ in range(max(0, -size) // BLOCK)]
        wait_for(conversion)
        played.append(conversion.play(BLOCK))
    return np.concatenate(played)


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("surge", [BLOCK, 1000])
def test_a_microphone_whose_buffer_fills_up_late_makes_nothing_late_for_long(
    echo: Echo, surge: int, blocks: int
) -> None:
    conversion = LiveConversion(echo, block=BLOCK, cushion=0.03)
    samples = np.arange(1, 4001, dtype=np.float32)
    ahead = blocks * BLOCK
    made = served(conversion, samples, surge, ahead)
    delay = round(conversion.delay * RATE)
    if surge > BLOCK:  # not at once, since it may be for a moment
        assert np.array_equal(made[surge : surge + 300], samples[surge - delay : surge + 300 - delay])
    after = surge + 1100
    assert np.array_equal(made[after:], samples[after + ahead - delay : len(made) + ahead - delay])
    assert conversion.dropouts == 0
    conversion.close()


@pytest.mark.parametrize("surge", [BLOCK, 1000])
def test_a_loudspeaker_that_asks_for_more_at_once_leaves_the_cushion_as_it_is(echo: Echo, surge: int) -> None:
    """As one does that fills its buffer before it starts, or anew after an underrun."""
    conversion = LiveConversion(echo, block=BLOCK, cushion=0.03)
    samples = np.arange(1, 4001, dtype=np.float32)
    more = 4 * BLOCK
    made = served(conversion, samples, surge, -more)
    delay = round(conversion.delay * RATE)
    after = surge + 1100
    assert np.array_equal(made[after:], samples[after - more - delay : len(made) - more - delay])
    assert conversion.dropouts <= 1
    conversion.close()


class Noted(Echo):
    """Notes the scheduling of the thread that converts."""

    policy: int | None = None

    def push(self, waveform: np.ndarray) -> np.ndarray:
        self.policy = os.sched_getscheduler(0)
        return super().push(waveform)


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="the system has no real-time scheduling")
def test_real_time_is_asked_for_in_the_threads_that_carry_sound_alone() -> None:
    converter = Noted()
    conversion = LiveConversion(converter, block=BLOCK, real_time=True)
    policies: list[int] = []

    def callback() -> None:
        play(conversion, np.ones(BLOCK, np.float32))
        policies.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=callback)
    thread.start()
    thread.join(20)
    conversion.close()
    real = os.SCHED_RR | os.SCHED_RESET_ON_FORK
    assert converter.policy in ((real, os.SCHED_RR) if conversion.real_time else (os.SCHED_OTHER,))
    assert policies == [converter.policy]
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


@pytest.mark.parametrize("busy", [20.0, 5.0])
@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="the system has no real-time scheduling")
def test_a_machine_that_cannot_keep_up_is_not_kept_from_all_else(busy: float) -> None:
    """Behind by a second and slower than speech: real time is given up; behind for a moment alone: it is not."""
    converter = Noted()
    conversion = LiveConversion(converter, block=BLOCK, real_time=True)
    play(conversion, np.ones(2 * BLOCK, np.float32))
    permitted = conversion.real_time
    conversion.seconds, conversion.busy = 10.0, busy
    converter.free.clear()
    play(conversion, np.ones(1500, np.float32), wait=False)
    converter.free.set()
    wait_for(conversion)
    play(conversion, np.ones(2 * BLOCK, np.float32))
    conversion.close()
    assert conversion.real_time == (permitted and busy < 10)
    assert (converter.policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR) == conversion.real_time


@pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="the system has no real-time scheduling")
def test_where_real_time_is_not_permitted_or_wanted_conversion_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    for wanted in (True, False):
        converter = Noted()
        conversion = LiveConversion(converter, block=BLOCK, real_time=wanted)
        play(conversion, np.ones(2 * BLOCK, np.float32))
        conversion.close()
        assert not conversion.real_time
        assert conversion.error is None
        assert converter.policy == os.SCHED_OTHER
        assert converter.pushed == 2 * BLOCK


SPINNER = """
import hashlib, os, threading, time
from vqspeech.streaming import priority
priority._SPIN = 1
with priority.no_spinning():
    permitted = priority.ask_for_real_time(priority.WATCH)
    over = False
    def spin():
        priority.ask_for_real_time(priority.CALLBACK)
        while not over:  # outside of the interpreter, as PortAudio does: a wait for the interpreter's lock is a wait
            hashlib.pbkdf2_hmac("sha256", b"", b"", 100_000)
    thread = threading.Thread(target=spin)
    thread.start()
    deadline = time.monotonic() + 8
    while permitted and os.sched_getscheduler(thread.native_id) != os.SCHED_OTHER | os.SCHED_RESET_ON_FORK:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    policy = os.sched_getscheduler(thread.native_id) & ~os.SCHED_RESET_ON_FORK
    over = True
    thread.join()
print(permitted, policy == os.SCHED_OTHER)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit of Linux")
def test_a_thread_that_spins_does_not_keep_real_time_scheduling() -> None:
    said = subprocess.run([sys.executable, "-c", SPINNER], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.split()[1] == "True", said
