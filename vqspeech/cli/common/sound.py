"""Microphone and loudspeaker, by PortAudio."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.streaming.live import LiveConversion

#: Seconds without a callback after which a device is taken to have stopped.
_STOPPED = 3.0
#: Seconds of one callback: half a step of two codes at 16 kHz, and small enough for the buffers of sound servers, which
#: are multiples of it.
BLOCK = 0.008
#: Seconds that a loudspeaker's buffers hold: three blocks. With two, which "low" means beside a sound server, they ran
#: empty about once per minute while nothing was late.
_PLAYED_AHEAD = 3 * BLOCK


def sound_devices() -> Any:
    """The package sounddevice.

    Raises:
        InputError: it, or the library that it needs, is not there.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise InputError(
            "no package for sound devices", hint="install it with pip install 'vqspeech[live]', or use --raw"
        ) from error
    except OSError as error:  # what it says where the library is missing
        raise InputError(
            "no PortAudio library", hint="install libportaudio2 (apt) or portaudio (brew), or use --raw"
        ) from error
    return sounddevice


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
    """Keep what the C libraries of sound print to stderr by themselves (each underrun, each failed check) off it.

    What Python prints there still arrives.
    """
    if sys.stderr is None:  # closed by whoever started this
        yield
        return
    before, kept = sys.stderr, os.dup(2)
    before.flush()
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        with open(kept, "w", buffering=1, closefd=False, errors="backslashreplace") as own:
            with contextlib.suppress(OSError):  # not a file: somebody collects what is said
                sys.stderr = own if before.fileno() == 2 else before
            yield
    finally:
        sys.stderr = before
        os.dup2(kept, 2)
        os.close(kept)


def list_devices() -> None:
    """Print all devices; ``>`` marks the default input, ``<`` the default output."""
    devices = sound_devices().query_devices()
    print(devices if len(devices) else "no sound devices: this machine has none, or they are not shared with it")


def _device(word: str | None) -> str | int | None:
    return int(word) if word is not None and word.isdigit() else word


class SoundDevice:
    """A microphone and a loudspeaker, open together.

    Args:
        source: name or number of the input; None for the default.
        target: of the output.
        rate: samples per second that are preferred; the device's own where it has no such.

    Raises:
        InputError: there is no such device, or it cannot be opened.
    """

    def __init__(self, source: str | None, target: str | None, rate: int) -> None:
        self._package = sound_devices()
        self._devices = _device(source), _device(target)
        self.rate = self._supported(rate)
        self.block = round(BLOCK * self.rate)
        self._heard = self._played = time.monotonic()  # when each end was last there

    def _supported(self, rate: int) -> int:
        package = self._package
        try:
            own = round(package.query_devices(self._devices[0], "input")["default_samplerate"])
            for candidate in (rate, own):
                try:
                    package.check_input_settings(self._devices[0], channels=1, samplerate=candidate)
                    package.check_output_settings(self._devices[1], channels=1, samplerate=candidate)
                except package.PortAudioError:
                    continue
                return candidate
        except (ValueError, package.PortAudioError) as error:
            raise InputError(f"no such sound device: {error}", hint="vqspeech live --list-devices") from error
        raise InputError(f"no device for {rate} or {own} Hz", hint="choose others of vqspeech live --list-devices")

    def run(self, conversion: LiveConversion, report: Any) -> None:
        """Convert until interrupted.

        Args:
            conversion: at ``rate``, for blocks of ``block``.
            report: called four times per second, with the seconds that the device itself takes.

        Raises:
            InputError: the device cannot be opened, or stops.
        """

        def hear(taken: NDArray[np.float32], _count: int, _time: object, status: Any) -> None:
            self._heard = time.monotonic()
            if status.input_overflow:
                conversion.lost()
            conversion.hear(taken[:, 0])

        def play(played: NDArray[np.float32], _count: int, _time: object, status: Any) -> None:
            self._played = time.monotonic()
            if status.output_underflow:
                conversion.lost()
            played[:, 0] = conversion.play(len(played))

        # The callback needs the interpreter soon, whatever the thread beside it is at.
        sys.setswitchinterval(0.001)
        package = self._package
        try:
            same: dict[str, Any] = {
                "samplerate": self.rate,
                "blocksize": self.block,
                "channels": 1,
                "dtype": "float32",
            }
            # Two streams: one for both ends at the first hiccup of ALSA's plug-in for PulseAudio.
            with (
                package.InputStream(device=self._devices[0], callback=hear, **same, latency="low") as source,
                package.OutputStream(device=self._devices[1], callback=play, **same, latency=_PLAYED_AHEAD) as target,
            ):
                self._heard = self._played = time.monotonic()
                while source.active and target.active and conversion.error is None:
                    if time.monotonic() - min(self._heard, self._played) > _STOPPED:
                        raise InputError("the sound device has stopped", hint="plug it in again, or choose another")
                    report(source.latency + target.latency)
                    time.sleep(0.25)
        except package.PortAudioError as error:
            raise InputError(f"the sound device: {error}", hint="vqspeech live --list-devices") from error
        if conversion.error is not None:
            raise conversion.error
        raise InputError("the sound device has stopped", hint="plug it in again, or choose another")
