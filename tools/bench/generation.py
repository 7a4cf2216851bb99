#!/usr/bin/env python3
"""How fast samples are drawn: every engine, precision, number of streams and cores, beside what the processor allows.

Each round runs every case once, so that whatever else the machine does falls on all of them alike; figures are medians
over rounds, and ratios are taken within a round. On a busy machine, --clock processor counts the processor's time in
place of the clock's, for the cases of one core alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import get_args

import numpy as np
import torch

from vqspeech.errors import InputError
from vqspeech.generation import describe_engine, native_engine
from vqspeech.generation.engine import Engine, Precision
from vqspeech.generation.native_engine import NativeEngine
from vqspeech.generation.torch_engine import TorchEngine
from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.config import WaveNetConfig
from vqspeech.model.wavenet import WaveNet

SAMPLE_RATE = 16_000
CLASSES = 256
HOP = 64
SIZES = {
    "small": WaveNetConfig(layers=20, cycle=10, kernel=2, residual=64, gate=64, skip=128, output=128),
    "paper": WaveNetConfig(layers=30, cycle=10, kernel=2, residual=256, gate=256, skip=256, output=256),
    # A step draws four values.
    "bands": WaveNetConfig(layers=12, cycle=6, kernel=2, residual=96, gate=96, skip=192, output=96, bands=4),
    "bands-wide": WaveNetConfig(layers=14, cycle=7, kernel=2, residual=128, gate=128, skip=256, output=128, bands=4),
}


@dataclass
class Case:
    """One line of the table.

    Attributes:
        run: draws so many samples in each stream.
        roof: times real time that the processor allows at most; None where nobody measured it.
        clock: gives seconds.
        seconds: for a sample of one stream, one number per round.
    """

    size: str
    engine: str
    precision: Precision
    streams: int
    cores: int
    sample_rate: int
    run: Callable[[int], None]
    roof: float | None = None
    clock: Callable[[], float] = time.perf_counter
    samples: int = 1
    seconds: list[float] = field(default_factory=list)

    def prepare(self, seconds: float, most: int) -> None:
        """Choose how many samples a run draws, to last ``seconds``."""
        self.run(1)
        while self.samples < most:
            elapsed = self.once() * self.samples
            if elapsed > seconds / 2:
                self.samples = max(1, min(most, round(self.samples * seconds / elapsed)))
                break
            self.samples = min(most, self.samples * 4)

    def once(self) -> float:
        """Run once; seconds for a sample of one stream."""
        torch.set_num_threads(self.cores)
        start = self.clock()
        self.run(self.samples)
        return (self.clock() - start) / self.samples

    def row(self, reference: Case) -> dict[str, object]:
        """The line for ``--json``; ratios to ``reference`` round by round."""
        rates = [self.streams / seconds for seconds in self.seconds]
        ratios = [rate * seconds for rate, seconds in zip(rates, reference.seconds, strict=True)]
        return {
            "size": self.size,
            "engine": self.engine,
            "precision": self.precision,
            "streams": self.streams,
            "cores": self.cores,
            "samples_per_second": round(statistics.median(rates), 2),
            "real_time": round(statistics.median(rates) / self.sample_rate, 5),
            "ratio_to_torch_cached": round(statistics.median(ratios), 4),
        }


def random_wavenet(config: WaveNetConfig) -> WaveNet:
    """A WaveNet of random weights, with the scales that the 8-bit engine needs; speed does not depend on training."""
    torch.manual_seed(0)
    wavenet = WaveNet(config, classes=CLASSES, condition_channels=64).eval()
    classes = random_classes(wavenet, 16 * HOP)
    measure_activation_peaks(wavenet, [(classes, torch.randn(1, 16, 64), classes)])
    return wavenet


def random_classes(wavenet: WaveNet, samples: int) -> torch.Tensor:
    """``(1, samples)``, or ``(1, samples / bands, bands)``."""
    bands = wavenet.config.bands
    return torch.randint(wavenet.classes, (1, samples) if bands == 1 else (1, samples // bands, bands))


def full(wavenet: WaveNet) -> Callable[[int], None]:
    """Draw samples as without queues: the whole receptive field for every sample."""
    field_size = wavenet.config.receptive_field
    frames = torch.randn(1, 1, wavenet.conditioning.in_features)
    past = random_classes(wavenet, field_size)

    @torch.inference_mode()
    def run(samples: int) -> None:
        for _ in range(-(-samples // wavenet.config.bands)):
            wavenet(past, frames, past)

    return run


def cached(engine: Engine, wavenet: WaveNet, streams: int, most: int) -> Callable[[int], None]:
    """Draw samples with an engine, conditioning already projected."""
    session = engine.open(streams)
    frames = -(-most // HOP)
    with torch.no_grad():
        layers = wavenet.condition(torch.randn(1, frames, wavenet.conditioning.in_features)).expand(streams, -1, -1, -1)
    layers = layers.contiguous()
    uniforms = np.random.default_rng(0).random((streams, frames * HOP), dtype=np.float32)

    def run(samples: int) -> None:
        unit = HOP if samples >= HOP else wavenet.config.bands
        whole = -(-samples // unit) * unit
        # Fewer samples than a frame are one short frame.
        session.push(layers[:, : max(1, whole // HOP)], np.ascontiguousarray(uniforms[:, :whole]))

    return run


@dataclass(frozen=True)
class Roof:
    """What one core allows, in times real time: if it only multiplied, or only read the weights of one stream."""

    multiplying: float
    reading: float

    def of(self, streams: int, cores: int) -> float:
        """The lower of the two; streams of one core share what it reads, and cores share one stream."""
        return cores * min(self.multiplying, self.reading * max(1, streams // cores))


def cases_of(
    size: str, wavenet: WaveNet, sample_rate: int, roofs: dict[Precision, Roof], *, short: bool, most: int
) -> list[Case]:
    """All lines of one size; the first is torch cached, one stream on one core."""
    torch_engine = TorchEngine(wavenet)

    def case(engine: str, precision: Precision, streams: int, cores: int, run: Callable[[int], None]) -> Case:
        roof = roofs[precision].of(streams, cores) if precision in roofs else None
        return Case(size, engine, precision, streams, cores, sample_rate, run, roof)

    cases = [case("torch-cached", "fp32", 1, 1, cached(torch_engine, wavenet, 1, most))]
    cases.append(case("torch-full", "fp32", 1, 1, full(wavenet)))
    if not short:
        cases.append(case("torch-cached", "fp32", 16, 1, cached(torch_engine, wavenet, 16, most)))
    layouts = (
        [(1, 1), (1, 2), (8, 1), (16, 2)] if short else [(1, 1), (1, 2)] + [(n, c) for n in (4, 8, 16) for c in (1, 2)]
    )
    for precision in get_args(Precision):
        reason = native_engine.unsupported(wavenet, precision)
        if reason:
            print(f"{size}: no native {precision}: {reason}")
            continue
        for streams, cores in layouts:
            engine = NativeEngine(wavenet, precision=precision, threads=cores)
            cases.append(case("native", precision, streams, cores, cached(engine, wavenet, streams, most)))
    return cases


def macs(wavenet: WaveNet) -> tuple[int, int]:
    """Multiply-adds per sample; and those whose weights one stream reads anew for each (past taps serve eight).

    The dilated convolution of the first layer is looked up.
    """
    c = wavenet.config
    tap = c.residual * 2 * c.gate
    past = sum((c.kernel - 1) * tap for _ in c.dilations[1:])
    reread = sum((c.kernel - 1) * tap // min(8, dilation) for dilation in c.dilations[1:])
    rest = (c.layers - 1) * (tap + c.gate * c.residual)
    rest += c.layers * c.gate * c.skip + c.bands * (c.skip * c.output + c.output * wavenet.classes)
    return (past + rest) // c.bands, (reread + rest) // c.bands


def measure_roofs(size: str, wavenet: WaveNet, sample_rate: int) -> dict[Precision, Roof]:
    """Measure and print what one core could do at most."""
    total, reread = macs(wavenet)
    widths: dict[Precision, int] = {"fp32": 4, "bf16": 2, "int8": 1}
    roofs: dict[Precision, Roof] = {}
    for precision, width in widths.items():
        for instruction_set in native_engine.instruction_sets(precision)[:1]:
            peak = max(native_engine.peak(instruction_set, precision) for _ in range(3))
            step = wavenet.config.bands * reread  # what is read until it is read again
            read = max(native_engine.bandwidth(instruction_set, width * step) for _ in range(3))
            roof = Roof(peak / total / sample_rate, read / width / reread / sample_rate)
            roofs[precision] = roof
            print(
                f"{size:9} {precision:5} one core at most: {peak / 1e9:4.0f} G multiply-adds/s, or "
                f"{roof.multiplying:6.2f} x real time (many streams); {read / 1e9:4.0f} GB/s of "
                f"{width * step / 1e6:.1f} MB weights per step, or {roof.reading:6.2f} x (one stream)"
            )
    return roofs


def packaged() -> tuple[WaveNet, int] | None:
    """The decoder of the packaged model, if there is one."""
    import vqspeech

    try:
        model = vqspeech.load()
    except (InputError, OSError) as error:
        print(f"packaged: left out: {error}")
        return None
    return model.network.decoder, model.sample_rate


def main() -> None:
    """Measure, print the table, write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer cases and rounds, in under a minute")
    parser.add_argument("--json", metavar="FILE", help="write the rows there")
    parser.add_argument("--sizes", nargs="+", choices=[*SIZES, "packaged"], default=None)
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall", help="what seconds are counted")
    parser.add_argument("--rounds", type=int, default=None, help="runs of each case (7; 3 with --short)")
    options = parser.parse_args()
    sizes = options.sizes or (["small", "packaged"] if options.short else [*SIZES, "packaged"])
    rounds = options.rounds or (3 if options.short else 7)
    seconds, most = (0.1, 4096) if options.short else (0.3, 16_384)
    print(f"engine: {describe_engine()}; {os.cpu_count()} cores; {rounds} rounds")
    rows: list[dict[str, object]] = []
    for size in sizes:
        found = packaged() if size == "packaged" else (random_wavenet(SIZES[size]), SAMPLE_RATE)
        if found is None:
            continue
        wavenet, sample_rate = found
        roofs = {} if native_engine.MISSING else measure_roofs(size, wavenet, sample_rate)
        cases = cases_of(size, wavenet, sample_rate, roofs, short=options.short, most=most)
        if options.clock == "processor":
            cases = [replace(case, clock=time.process_time) for case in cases if case.cores == 1]
        for case in cases:
            case.prepare(seconds, most)
        for _ in range(rounds):
            for case in cases:
                case.seconds.append(case.once())
        print(f"{'size':9} {'engine':13} {'':5} streams cores  samples/s  x real time   at most  x torch cached")
        for case in cases:
            row = case.row(cases[0])
            rows.append(row)
            roof = f"{case.roof:.2f}" if case.roof else ""
            print(
                f"{case.size:9} {case.engine:13} {case.precision:5} {case.streams:7} {case.cores:5} "
                f"{row['samples_per_second']:10.0f} {row['real_time']:12.4f} {roof:>9} "
                f"{row['ratio_to_torch_cached']:15.3f}"
            )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123 - a plain tool
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
