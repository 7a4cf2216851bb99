"""Convert while you speak: from a microphone to a loudspeaker, or from stdin to stdout.

  vqspeech live --speaker slt
  ffmpeg -loglevel error -i talk.mp4 -f s16le -ac 1 -ar 16000 - | vqspeech live --speaker slt --raw > slt.s16

Wear headphones: what the loudspeaker plays would be converted again. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.common.model import add_model, add_sampling, load
from vqspeech.cli.common.synthesis import add_f0
from vqspeech.errors import InputError
from vqspeech.speaker_blend import require_voices

if TYPE_CHECKING:
    from vqspeech.api import Model
    from vqspeech.cli.common.sound import SoundDevice
    from vqspeech.streaming.rates import ResampledStream

#: Load from which on a machine is said not to keep up: the rest is for the system and for slow moments.
_FULL = 0.9
#: Bytes read of stdin at a time, and seconds converted at a time.
_BLOCK, _BITE = 1 << 16, 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--speaker",
        metavar="NAME",
        help="whose voice (vqspeech speakers lists them), or a blend of several: NAME:WEIGHT,NAME:WEIGHT",
    )
    parser.add_argument("--list-devices", action="store_true", help="list microphones and loudspeakers, and end")
    parser.add_argument("--input", metavar="DEVICE", help="number or part of the name; default: the system's")
    parser.add_argument("--output", metavar="DEVICE", help="number or part of the name; default: the system's")
    parser.add_argument("--raw", action="store_true", help="16-bit samples, one channel, from stdin to stdout")
    parser.add_argument("--rate", type=ranges.LIVE_RATE, default=16_000, metavar="HZ", help="of --raw; default: 16000")
    parser.add_argument(
        "--enrol",
        type=Path,
        metavar="FILE",
        help="a recording of whoever will speak, by the same microphone: conversion is good from the first word on",
    )
    parser.add_argument(
        "--freeze",
        action="store_true",
        help="keep level, normalisation and pitch range as --enrol has them (one speaker, one microphone)",
    )
    parser.add_argument(
        "--no-real-time",
        action="store_true",
        help="do not ask the system to schedule conversion before other programs (sound devices only)",
    )
    add_f0(parser)
    add_model(parser)
    add_sampling(parser, precision="int8")


def run(options: argparse.Namespace) -> int:
    """Convert until the input ends, or Ctrl-C."""
    from vqspeech.cli.common.sound import SoundDevice, list_devices, silent_libraries

    if options.list_devices:
        list_devices()
        return 0
    if options.speaker is None:
        raise InputError("the following arguments are required: --speaker", hint="vqspeech live --help")
    if options.raw and (sys.stdin is None or sys.stdout is None):
        raise InputError("--raw without stdin or stdout", hint="vqspeech live --raw < in.s16 > out.s16")
    if options.freeze and options.enrol is None:
        raise InputError("--freeze keeps what --enrol has found", hint="give --enrol, too")
    if options.raw and (options.input is not None or options.output is not None):
        raise InputError(
            "--raw takes stdin and stdout, --input and --output sound devices", hint="give one or the other"
        )
    if options.raw:
        model = load(options)
        _convert_pipe(_stream(model, options, options.rate), _remedies(options, model))
        return 0
    with silent_libraries():
        device = SoundDevice(options.input, options.output, 16_000)
        model = load(options)
        stream = _stream(model, options, device.rate)
        _convert_device(device, stream, _remedies(options, model), real_time=not options.no_real_time)
    return 0


def _stream(model: Model, options: argparse.Namespace, rate: int) -> ResampledStream:
    from vqspeech.streaming.rates import ResampledStream

    require_voices(model.speakers, where=options.model)
    stream = model.stream(
        options.speaker,
        f0=options.f0,
        f0_shift=options.f0_shift,
        seed=options.seed,
        temperature=options.temperature,
    )
    if options.enrol is not None:
        from vqspeech import audio

        recording = audio.read(options.enrol, rate=model.sample_rate)
        if not audio.active_rms(recording, model.sample_rate):
            raise InputError("silence, no speech to enrol", where=options.enrol, hint="record some seconds of speech")
        stream.enrol(recording)
        stream.frozen = options.freeze
    return ResampledStream(stream, rate)


class _Interrupt:
    """Ctrl-C ends the wait for input at once, and conversion after what is in hand, so that the stream stays whole."""

    def __init__(self) -> None:
        self.came = self._waiting = False

    def __enter__(self) -> _Interrupt:
        self._before = signal.signal(signal.SIGINT, self._come)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _come(self, *_: object) -> None:
        again, self.came = self.came, True
        if self._waiting or again:
            raise KeyboardInterrupt

    def read(self, source: int) -> bytes:
        """Bytes of a file; none where it has ended, or at Ctrl-C."""
        try:
            self._waiting = True
            return b"" if self.came else os.read(source, _BLOCK)
        except KeyboardInterrupt:
            return b""
        finally:
            self._waiting = False


def _convert_pipe(stream: ResampledStream, remedies: str) -> None:
    """From stdin to stdout, as fast as it comes."""
    import numpy as np

    _say(f"latency {1000 * stream.latency:.0f} ms")
    source, target = sys.stdin.fileno(), sys.stdout.buffer
    bite = 2 * max(1, round(_BITE * stream.sample_rate))
    busy, count, data = 0.0, 0, b""

    def give(waveform: np.ndarray) -> None:
        if len(waveform):
            target.write(np.clip(np.rint(waveform * 32768), -32768, 32767).astype("<i2").tobytes())
            target.flush()

    with _Interrupt() as interrupt:
        while block := interrupt.read(source):
            data += block
            while len(data) > 1 and not interrupt.came:
                size = min(bite, len(data) // 2 * 2)
                samples, data = data[:size], data[size:]
                began = time.perf_counter()
                made = stream.push(np.frombuffer(samples, "<i2").astype(np.float32) / 32768)
                busy += time.perf_counter() - began
                count += len(samples) // 2
                give(made)
        give(stream.finish())
    seconds = count / stream.sample_rate
    _say(f"{seconds:.1f} s converted, load {busy / seconds if seconds else 0:.2f} of real time")
    if busy > _FULL * seconds and seconds > 1:
        _say(_advice(busy / seconds, remedies))


def _convert_device(device: SoundDevice, stream: ResampledStream, remedies: str, *, real_time: bool) -> None:
    """From microphone to loudspeaker."""
    from vqspeech.streaming.live import LiveConversion
    from vqspeech.streaming.priority import WATCH, ask_for_real_time, give_up_real_time, no_spinning

    conversion = LiveConversion(stream, block=device.block, real_time=real_time)
    advised = said = False

    def report(of_device: float) -> None:
        nonlocal advised, said
        if not said:
            said = True
            _say(
                f"latency {1000 * (conversion.delay + of_device):.0f} ms: {1000 * stream.latency:.0f} of the model, "
                f"{1000 * (conversion.delay - stream.latency):.0f} of buffers, {1000 * of_device:.0f} of the device; "
                + ("real-time priority; " if conversion.real_time else "")
                + "Ctrl-C ends"
            )
        if conversion.seconds > 1 and conversion.load > _FULL and not advised:
            advised = True
            _say(_advice(conversion.load, remedies))
        if sys.stderr.isatty():
            print(f"\rload {conversion.load:4.2f}  dropouts {conversion.dropouts}  ", end="", file=sys.stderr)

    if real_time:
        # While it waited for a processor with the interpreter in hand, the others would wait, too.
        ask_for_real_time(WATCH)
    try:
        with no_spinning():
            device.run(conversion, report)
    except KeyboardInterrupt:
        pass  # that is how it ends
    finally:
        if real_time:
            give_up_real_time()
        conversion.close()
        if sys.stderr.isatty():
            print(file=sys.stderr)
        losses = f", {conversion.losses} of them the device's" if conversion.losses else ""
        _say(
            f"{conversion.seconds:.1f} s converted, load {conversion.load:.2f} of real time, "
            f"{conversion.dropouts} dropouts{losses}"
        )


def _remedies(options: argparse.Namespace, model: Model) -> str:
    """What would make conversion faster and is not in use."""
    config = model.network.config
    faster = ["--precision int8"] if options.precision != "int8" else []
    if options.threads < (os.cpu_count() or 1):
        faster.append(f"--threads {options.threads + 1}")
    if options.f0 != "target" and config.conditioner.pitch and not config.encoder.f0_warp:
        faster.append("--f0 target")  # else the encoder needs the source's F0, whatever the decoder is given
    if model.post_filter and config.conditioner.mel_bands:
        faster.append("--post-filter 0")
    return f"use {', '.join(faster)}, or close what runs beside" if faster else "close what runs beside"


def _advice(load: float, remedies: str) -> str:
    return f"this machine cannot keep up (load {load:.2f}): {remedies}"


def _say(line: str) -> None:
    print(f"vqspeech live: {line}", file=sys.stderr, flush=True)
