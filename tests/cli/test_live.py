"""``vqspeech live --raw`` by pipes, and what it says where there is no sound device."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import vqspeech
from vqspeech.cli import live
from vqspeech.cli.common import sound
from vqspeech.cli.main import command_parser, main
from vqspeech.errors import InputError
from vqspeech.streaming.live import LiveConversion
from vqspeech.streaming.rates import ResampledStream


def give(monkeypatch: pytest.MonkeyPatch, data: bytes, folder: Path) -> None:
    """``data`` on stdin."""
    path = folder / "input"
    path.write_bytes(data)
    monkeypatch.setattr(sys, "stdin", path.open("rb"))


def noise(count: int) -> np.ndarray:
    return (3000 * np.random.default_rng(0).standard_normal(count)).astype("<i2")


@pytest.mark.parametrize("rate", [16_000, 8_000, 44_100])
def test_raw_gives_a_sample_for_each_that_it_takes(
    tmp_path: Path, model: str, rate: int, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    samples = noise(rate // 10)
    give(monkeypatch, samples.tobytes() + b"x", tmp_path)  # half a sample too much
    assert main(["live", "--speaker", "anna", "--raw", "--rate", str(rate), "--model", model]) == 0
    out, err = capfdbinary.readouterr()
    made = np.frombuffer(out, "<i2")
    assert len(made) == len(samples)
    assert made.any()
    assert b"latency" in err
    assert b"load" in err


def test_pieces_of_any_size_give_the_same(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    samples = noise(2000).tobytes()
    read, made = os.read, []
    for size in (1, 7, 1 << 16):
        give(monkeypatch, samples, tmp_path)
        with monkeypatch.context() as patched:
            patched.setattr(os, "read", lambda file, count, size=size: read(file, min(count, size)))
            assert main(["live", "--speaker", "anna", "--raw", "--model", model]) == 0
        made.append(capfdbinary.readouterr()[0])
    assert made[0] == made[1] == made[2]


def test_ctrl_c_ends_it_as_the_end_of_the_input_does(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    give(monkeypatch, b"", tmp_path)
    samples = noise(2000).tobytes()
    answers = iter([samples])

    def read(file: int, count: int) -> bytes:
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", read)
        assert main(["live", "--speaker", "anna", "--raw", "--model", model]) == 0
    assert len(capfdbinary.readouterr()[0]) == len(samples)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_the_middle_of_a_conversion_lets_it_end(
    times: int,
    tmp_path: Path,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    give(monkeypatch, noise(8000).tobytes(), tmp_path)
    before = signal.getsignal(signal.SIGINT)
    push = ResampledStream.push

    def interrupted(stream: ResampledStream, waveform: np.ndarray) -> np.ndarray:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return push(stream, waveform)

    monkeypatch.setattr(ResampledStream, "push", interrupted)
    assert main(["live", "--speaker", "anna", "--raw", "--model", model]) == (0 if times == 1 else 130)
    out, err = capfdbinary.readouterr()
    assert len(out) == (1600 if times == 1 else 0)  # of what is converted at a time
    assert (b"0.1 s converted" if times == 1 else b"interrupted") in err
    assert signal.getsignal(signal.SIGINT) is before  # ignored, where the tests run in the background of a script


def test_a_reader_that_leaves_ends_it_as_a_signal_would(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in ``vqspeech live --raw | head``."""
    give(monkeypatch, noise(20_000).tobytes(), tmp_path)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["live", "--speaker", "anna", "--raw", "--model", model]) == 141
    assert capfd.readouterr().err.startswith("vqspeech live: latency")


def test_without_stdin_there_is_one_line(
    model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in ``vqspeech live --raw <&-``."""
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["live", "--speaker", "anna", "--raw", "--model", model]) == 2
    assert capsys.readouterr().err.count("\n") == 1


class Devices(types.ModuleType):
    """Stands for the package sounddevice with devices that end, as those that are unplugged do.

    Args:
        how: ``silent`` where their callbacks cease, ``microphone`` or ``loudspeaker`` where those of one do, the other
            going on, ``inactive`` where PortAudio notices, ``error`` where it raises.
    """

    class PortAudioError(Exception):
        """PortAudio's own."""

    def __init__(self, how: str) -> None:
        super().__init__("sounddevice")
        devices = self

        class Stream:
            latency, kind, over = 0.01, "", False

            def __init__(self, *, callback: Any, blocksize: int, **_: object) -> None:
                self.callback, self.block, self.calls = callback, blocksize, 0
                self.thread = threading.Thread(target=self.run)

            def __enter__(self) -> Stream:
                self.thread.start()
                return self

            def __exit__(self, *_: object) -> None:
                self.over = True
                self.thread.join()

            def run(self) -> None:
                goes_on = how in ("microphone", "loudspeaker") and how != self.kind
                for turn in itertools.takewhile(
                    lambda turn: turn < 20 or (goes_on and not self.over), itertools.count()
                ):
                    status = types.SimpleNamespace(input_overflow=turn == 3, output_underflow=turn in (5, 7))
                    self.callback(np.zeros((self.block, 1), np.float32), self.block, None, status)
                    time.sleep(0.001)
                self.calls = 20

            @property
            def active(self) -> bool:
                if how == "error" and self.calls:
                    raise devices.PortAudioError("Unanticipated host error [PaErrorCode -9999]")
                return how in ("silent", "microphone", "loudspeaker") or not self.calls

        class InputStream(Stream):
            kind = "microphone"

        class OutputStream(Stream):
            kind = "loudspeaker"

        self.InputStream, self.OutputStream = InputStream, OutputStream

    def query_devices(self, *_: object) -> dict[str, float]:
        return {"default_samplerate": 16_000.0}

    def check_input_settings(self, *_: object, **__: object) -> None:
        """All are good."""

    check_output_settings = check_input_settings


@pytest.mark.parametrize("how", ["silent", "microphone", "loudspeaker", "inactive", "error"])
def test_a_device_that_stops_is_one_line_and_an_error(
    how: str, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Devices(how))
    monkeypatch.setattr("vqspeech.cli.common.sound._STOPPED", 0.3)
    assert main(["live", "--speaker", "anna", "--model", model]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "advice" not in line and "keep up" not in line]
    assert lines[-1].startswith("vqspeech live: the sound device")
    assert "host error" in lines[-1] if how == "error" else "has stopped" in lines[-1]
    assert "converted" in lines[-2]
    assert "Traceback" not in "".join(lines)


def test_c_libraries_do_not_print_between_the_lines_and_python_does(tmp_path: Path) -> None:
    script = (
        "import os, sys; from vqspeech.cli.common.sound import silent_libraries\n"
        "with silent_libraries():\n    os.write(2, b'underrun\\n'); print('latency', file=sys.stderr)\n"
        "os.write(2, b'after\\n'); print('end', file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stderr == "latency\nafter\nend\n"


def test_what_the_device_loses_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", Devices("inactive"))
    device = sound.SoundDevice(None, None, 16_000)
    conversion = LiveConversion(Silence(), block=device.block)
    lost: list[int] = []
    monkeypatch.setattr(conversion, "lost", lambda: lost.append(1))
    with pytest.raises(InputError, match="has stopped"):
        device.run(conversion, lambda _: None)
    conversion.close()
    assert len(lost) == 3  # of the microphone one, of the loudspeaker two


class Silence:
    """Converts anything to nothing."""

    sample_rate, latency = 16_000, 0.05

    def push(self, waveform: np.ndarray) -> np.ndarray:
        return np.zeros(len(waveform), np.float32)


def test_a_recording_enrols(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    # Quiet speech, with pauses: steady noise is none.
    bursts = 0.05 / 32768 * noise(16_000) * (np.arange(16_000) // 2000 % 2 + 0.01)
    soundfile.write(tmp_path / "me.wav", bursts, 16_000, subtype="FLOAT")
    words = ["live", "--speaker", "anna", "--raw", "--model", model]
    made = []
    for more in ([], ["--enrol", str(tmp_path / "me.wav"), "--freeze"]):
        give(monkeypatch, noise(2000).tobytes(), tmp_path)
        assert main([*words, *more]) == 0
        made.append(capfdbinary.readouterr()[0])
    assert made[0] != made[1]
    assert main([*words, "--freeze"]) == 2
    assert b"--enrol" in capfdbinary.readouterr()[1]


def test_options_that_make_no_sense_are_one_line(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(16_000), 16_000)
    for words, problem in (
        (["--speaker", "anna", "--model", model, "--input", "1"], "sound devices"),
        (["--speaker", "anna", "--model", model, "--enrol", str(silence)], "no speech to enrol"),
        (["--speaker", "slt", "--model", "units"], "units only"),
    ):
        assert main(["live", "--raw", *words]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert problem in error


def test_what_is_advised_is_not_in_use_already_and_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = command_parser("live")
    model = vqspeech.load()
    slow = parser.parse_args(["--speaker", "anna", "--precision", "fp32"])
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    # Its encoder follows the source's F0.
    assert model.network.config.encoder.f0_warp
    assert "use --precision int8, --threads 2, --post-filter 0, or" in live._remedies(slow, model)
    without = types.SimpleNamespace(
        post_filter=0.0,
        network=types.SimpleNamespace(
            config=types.SimpleNamespace(
                conditioner=types.SimpleNamespace(pitch=True, mel_bands=80), encoder=types.SimpleNamespace(f0_warp=0.0)
            )
        ),
    )
    assert "use --precision int8, --threads 2, --f0 target, or" in live._remedies(slow, without)
    fast = parser.parse_args(["--speaker", "anna", "--threads", "1024", "--f0", "target"])
    assert live._remedies(fast, without) == "close what runs beside"


def test_a_machine_without_sound_devices_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = types.SimpleNamespace(query_devices=list)
    monkeypatch.setattr(sound, "sound_devices", lambda: package)
    assert main(["live", "--list-devices"]) == 0
    assert "no sound devices" in capsys.readouterr().out


def test_without_a_speaker_or_a_sound_library_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live"]) == 2
    assert "--speaker" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["live", "--list-devices"]) == 2
    assert "vqspeech[live]" in capsys.readouterr().err
    finder = types.SimpleNamespace(find_spec=_no_portaudio)
    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    assert main(["live", "--speaker", "anna"]) == 2
    assert "libportaudio2" in capsys.readouterr().err


def _no_portaudio(name: str, *_: object) -> None:
    if name == "sounddevice":
        raise OSError("PortAudio library not found")
