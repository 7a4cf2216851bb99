"""``vqspeech live`` between virtual sound devices: what went in is compared with what came out, by the clock.

Conversion has the last of the processor cores that the test may use; the sound server, who plays and who records share
the others. The core has to be free for half a minute, so the test runs only when asked: ``VQSPEECH_SOUND=1
tools/test.sh tests/cli/test_live_devices.py``; ``VQSPEECH_SOUND_SECONDS=600`` makes that ten minutes, and
``VQSPEECH_REPORT=FILE`` writes what was measured.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vqspeech.streaming.priority import WATCH

RATE = 16_000
SECONDS = int(os.environ.get("VQSPEECH_SOUND_SECONDS", "8"))
#: Seconds from end to end, at most.
MARK = 0.2
#: Seconds that are compared at a time: the latency is that of the slowest minute.
WINDOW = 60
#: Seconds after the player's last silence was written from which on is compared: some of it is still under way.
SETTLED = 2

if os.environ.get("VQSPEECH_SOUND") != "1":
    pytest.skip("needs a core to itself: VQSPEECH_SOUND=1 runs it", allow_module_level=True)
pytest.importorskip("sounddevice", reason="sounddevice or PortAudio is not installed", exc_type=(ImportError, OSError))
if not all(shutil.which(tool) for tool in ("pulseaudio", "parec", "pacat")):
    pytest.skip("PulseAudio is not installed", allow_module_level=True)


CORES = sorted(os.sched_getaffinity(0))
CONVERTS, OTHERS = CORES[-1:], CORES[:-1] or CORES


@pytest.fixture(autouse=True)
def apart() -> Iterator[None]:
    """Keep this process, and what it starts, off the core that converts, where there is another.

    Ctrl-C has to reach what is started: a test suite in the background ignores it, and would hand that on.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    os.sched_setaffinity(0, OTHERS)
    yield
    os.sched_setaffinity(0, CORES)
    signal.signal(signal.SIGINT, before)


def before_others(process: int) -> None:
    """Have a process scheduled before other programs, as far as that is permitted."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process, -19)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a sound server of its own with two null sinks, one heard and one played to."""
    words = ["pulseaudio", "-n", "--exit-idle-time=-1", "--daemonize=no", "--use-pid-file=no"]
    socket = tmp_path / "socket"
    for module in (
        f"module-native-protocol-unix auth-anonymous=1 socket={socket}",
        f"module-null-sink sink_name=mic rate={RATE}",
        f"module-null-sink sink_name=out rate={RATE}",
    ):
        words += ["-L", module]
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_SERVER": f"unix:{socket}",
        "PULSE_SOURCE": "mic.monitor",
        "PULSE_SINK": "out",
    }
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The part that hands sound on between programs is an ordinary process; on one core, conversion would go first.
    with contextlib.suppress(OSError):
        os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(WATCH))
    deadline = time.monotonic() + 20
    while not socket.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    if not socket.exists():
        process.kill()
        pytest.skip("PulseAudio does not start here")
    yield environment
    process.terminate()
    process.wait(10)


class Recorder:
    """Records a monitor, and notes when its samples came."""

    def __init__(self, device: str, environment: dict[str, str]) -> None:
        words = ["parec", "-d", device, f"--rate={RATE}", "--format=s16le", "--channels=1", "--latency-msec=10"]
        self.process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)
        before_others(self.process.pid)
        self.pieces: list[bytes] = []
        self.times: list[float] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        assert self.process.stdout is not None
        while piece := os.read(self.process.stdout.fileno(), 4096):
            self.times.append(time.monotonic())
            self.pieces.append(piece)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.thread.join(10)

    def between(self, at: float, seconds: float) -> tuple[np.ndarray, float]:
        """What came from the time ``at`` on, and when its first sample was.

        Each span has its own beginning by the clock: what a recorder lost before does not count.
        """
        times = np.array(self.times)
        first, end = np.searchsorted(times, (at, at + seconds))
        pieces = self.pieces[first:end]
        ends = np.cumsum([len(piece) // 2 for piece in pieces]) / RATE
        # Pieces can be late, none is early.
        return np.frombuffer(b"".join(pieces), "<i2") / 32768, float(np.min(times[first:end] - ends))


def envelope(waveform: np.ndarray, began: float, at: float, seconds: float) -> np.ndarray:
    """Loudness by milliseconds from the time ``at`` on."""
    step = RATE // 1000
    power = np.square(waveform[: len(waveform) // step * step]).reshape(-1, step).mean(1)
    smooth = np.log(np.convolve(power, np.hanning(40) / 20, "same") + 1e-6)
    first = max(0, round(1000 * (at - began)))
    return smooth[first : first + round(1000 * seconds)]


def lag(heard: Recorder, made: Recorder, at: float, seconds: float) -> tuple[int, float]:
    """Milliseconds from what was heard to what was made of it, and how well the two agree then, -1 to 1."""
    first, second = (envelope(*recorder.between(at - 1, seconds + 1), at, seconds) for recorder in (heard, made))
    count = min(len(first), len(second))
    scores = [float(np.corrcoef(first[: count - ms], second[ms:count])[0, 1]) for ms in range(600)]
    return int(np.argmax(scores)), max(scores)


def bursts() -> np.ndarray:
    """Syllables at irregular times, so that there is one way alone to lay them over one another."""
    random = np.random.default_rng(0)
    clock = np.arange(SECONDS * RATE) / RATE
    loudness = np.zeros(len(clock))
    at = 0.3
    while at < SECONDS - 0.4:
        length = random.uniform(0.1, 0.25)
        syllable = slice(int(at * RATE), int((at + length) * RATE))
        loudness[syllable] = np.clip(np.sin(np.pi * (clock[syllable] - at) / length), 0, 1)
        at += length + random.uniform(0.1, 0.35)
    phase = 2 * np.pi * np.cumsum(140 + 30 * np.sin(3 * clock)) / RATE
    return (0.04 * loudness * sum(np.sin(k * phase) / k**0.7 for k in range(1, 25))).astype(np.float32)


@contextlib.contextmanager
def silence(playing: subprocess.Popen[bytes]) -> Iterator[Callable[[], None]]:
    """Keep a player busy with silence, until what is yielded is called."""
    assert playing.stdin is not None
    pipe = playing.stdin.fileno()
    # No more than an eighth of a second waits in it.
    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 4096)
    over = threading.Event()

    def feed() -> None:
        while not over.is_set():
            os.write(pipe, bytes(640))

    thread = threading.Thread(target=feed)
    thread.start()

    def end() -> None:
        over.set()
        thread.join(10)

    try:
        yield end
    finally:
        end()


def started(server: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """``vqspeech live`` between the two sinks, when it converts."""
    words = [sys.executable, "-m", "vqspeech", "live", "--speaker", "slt", "--input", "pulse", "--output", "pulse"]
    with log.open("w") as said:
        live = subprocess.Popen(words, env=server, stderr=said)
    os.sched_setaffinity(live.pid, CONVERTS)
    deadline = time.monotonic() + 120
    while "latency" not in log.read_text() and live.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    if live.poll() is not None and "no such sound device" in log.read_text():
        pytest.skip("PortAudio has no PulseAudio device (libasound2-plugins)")
    assert live.poll() is None, log.read_text()
    if "latency" not in log.read_text():
        live.kill()
        pytest.skip("this machine is too busy: the model is not loaded in two minutes")
    return live


def test_a_loudspeaker_that_is_unplugged_is_one_line(server: dict[str, str], tmp_path: Path) -> None:
    live = started(server, tmp_path / "log")
    time.sleep(1)
    subprocess.run(["pactl", "unload-module", "2"], env=server, check=True)
    assert live.wait(30) == 2
    said = (tmp_path / "log").read_text().splitlines()
    lines = [line for line in said if line.startswith("vqspeech live:")]  # not what the precision of this processor is
    assert [line.split()[2] for line in lines[:1] + lines[2:]] == ["latency", "the"], lines
    assert "converted" in lines[1]
    assert "the sound device" in lines[2]


def test_what_is_said_is_heard_within_200_ms(server: dict[str, str], tmp_path: Path) -> None:
    log, syllables = tmp_path / "log", (bursts() * 32767).astype("<i2").tobytes()
    player = ["pacat", "-d", "mic", f"--rate={RATE}", "--format=s16le", "--channels=1", "--latency-msec=20"]
    # A microphone that is on before anything is measured: the server's devices skip when a player comes or pauses.
    with subprocess.Popen(player, env=server, stdin=subprocess.PIPE) as playing, silence(playing) as speak:
        before_others(playing.pid)
        live = started(server, log)
        heard, made = Recorder("mic.monitor", server), Recorder("out.monitor", server)
        time.sleep(1)
        speak()
        began = time.monotonic()
        playing.communicate(syllables)
    assert playing.returncode == 0
    time.sleep(0.5)
    live.send_signal(signal.SIGINT)
    assert live.wait(30) == 0
    said_at_the_end = log.read_text().splitlines()[-1]
    heard.stop()
    made.stop()
    lags = [lag(heard, made, began + at, min(WINDOW, SECONDS - at)) for at in range(SETTLED, SECONDS - 5, WINDOW)]
    slowest, agreement = max(ms for ms, _ in lags), min(score for _, score in lags)
    by_minutes = " ".join(str(ms) for ms, _ in lags)
    report = f"end to end {slowest} ms ({by_minutes}), correlation {agreement:.2f}\n{log.read_text()}"
    if "VQSPEECH_REPORT" in os.environ:
        Path(os.environ["VQSPEECH_REPORT"]).write_text(report)
    if float(said_at_the_end.split("load ")[1].split()[0]) > 0.8:
        pytest.skip(f"this machine is too busy: {said_at_the_end}")
    assert agreement > 0.5, report
    assert slowest <= 1000 * MARK, report
    assert " 0 dropouts" in said_at_the_end, report
