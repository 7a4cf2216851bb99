#!/usr/bin/env python3
"""Latency, load and dropouts of live conversion, by precision, on a simulated clock.

Blocks of 8 ms come as a sound device would bring them; each is converted, and the time that took moves a simulated
clock: a block begins when it has come and the one before it is done. A dropout is a block that is done after its time,
``CUSHION`` later than without any wait. Minutes of speech so take as long as their conversion, not minutes. On a busy
machine, --clock processor counts the processor's time, as though nothing else ran. --layers compares what encoder and
conditioning network are computed by: the compiled kernel from weights in fp16 (as beside an int8 or bf16 engine) or
fp32, or PyTorch, the reference.

  python tools/bench/live.py --recording talk.wav --minutes 10 --precision int8 --clock processor --layers fp16 torch
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch

import vqspeech
from vqspeech import audio
from vqspeech.cli.common.sound import BLOCK
from vqspeech.streaming import stream as streaming
from vqspeech.streaming.layers import Layers
from vqspeech.streaming.live import CUSHION

#: What ``--layers`` names.
LAYERS = {"fp16": {"native": True, "half": True}, "fp32": {"native": True}, "torch": {}}


def speech_like(seconds: float, rate: int) -> np.ndarray:
    """Bursts of a buzz whose pitch moves, ``(samples,)``, where no recording is given."""
    clock = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(130 + 30 * np.sin(5 * clock)) / rate
    buzz = sum(np.sin(k * phase) / k for k in range(1, 20))
    return (0.05 * buzz * np.clip(np.sin(2 * np.pi * 2.1 * clock), 0, 1)).astype(np.float32)


def main() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recording", type=Path, help="said over and over; default: a synthetic buzz")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--precision", nargs="+", default=["int8", "bf16", "fp32"])
    parser.add_argument("--model", help="default: the packaged model")
    parser.add_argument("--speaker", help="default: the model's first")
    parser.add_argument("--f0", default="source")
    parser.add_argument("--layers", nargs="+", choices=LAYERS, help="default: as the precision has them")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    options = parser.parse_args()
    torch.set_num_threads(1)
    clock = time.perf_counter if options.clock == "wall" else time.process_time
    print("| precision | layers | latency, ms | load, share of real time | slowest block, ms | dropouts | minutes |")
    print("|---|---|---|---|---|---|---|")
    for precision in options.precision:
        model = vqspeech.load(options.model, precision=precision)
        for layers in options.layers or ["fp32" if model.engine.precision == "fp32" else "fp16"]:
            with mock.patch.object(streaming, "Layers", lambda layers=layers, **_: Layers(**LAYERS[layers])):
                measure(model, layers, options, clock)


def measure(model: vqspeech.Model, layers: str, options: argparse.Namespace, clock: Callable[[], float]) -> None:
    """Convert, and print a row."""
    rate = model.sample_rate
    speech = audio.read(options.recording, rate=rate) if options.recording else speech_like(10, rate)
    stream = model.stream(options.speaker or model.speakers[0], f0=options.f0)
    size = round(BLOCK * rate)
    count = round(60 * options.minutes / BLOCK)
    stream.push(speech[: 20 * size])  # what is made only once
    done, costs, dropouts = 0.0, np.zeros(count), 0
    for block in range(count):
        at = block * size % max(1, len(speech) - size)
        began = clock()
        stream.push(speech[at : at + size])
        costs[block] = clock() - began
        done = max(done, block * BLOCK) + costs[block]
        if done > block * BLOCK + CUSHION:
            dropouts += 1
            done = min(done, (block + 1) * BLOCK + 1.0)  # more than a second is left out
    print(
        f"| {model.engine.precision} | {layers} | {1000 * stream.latency:.0f} | {costs.sum() / (count * BLOCK):.2f} "
        f"| {1000 * costs.max():.1f} | {dropouts} | {options.minutes:g} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
