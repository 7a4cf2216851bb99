#!/usr/bin/env python3
"""How many seconds of speech a core encodes in a second, one utterance at a time and together, beside the roofline.

  .venv/bin/python tools/bench/encoding.py [--model units] [--seconds 2 10 15] [--shards-of N [--lasting 1.5]]

The roofline is what the encoder's multiply-adds would take at the rate that this machine reaches in a large matrix
product of fp32. Times are of the processor, so that other programs on it change them little. --shards-of N encodes a
synthetic corpus of N FLAC files, and prints the peak memory as it goes.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

import vqspeech
from vqspeech.encoding import encode_shard, open_rows

#: Seconds of speech encoded for each figure.
SPEECH = 60


def best(function: Callable[[], object], repeats: int = 3) -> float:
    """Processor seconds of the quickest of several calls."""
    function()
    times = []
    for _ in range(repeats):
        began = time.process_time()
        function()
        times.append(time.process_time() - began)
    return min(times)


def gemm_rate() -> float:
    """Multiply-adds per second of a product of 1024 x 1024 matrices."""
    a = torch.randn(1024, 1024)
    return 1024**3 / best(lambda: a @ a, 5)


def multiply_adds(model: Any) -> float:
    """Of the encoder's products and the search, per second of speech."""
    packed = model._encoder._packed
    rate, total, fineness = model.network.config.code_rate, 0.0, 1
    for stride, _, product in reversed(packed.strided):
        total += product.weight.numel() * fineness
        fineness *= stride
    products = [*(block.out for block in packed.blocks), packed.projection, packed.distances]
    total += sum(product.weight.numel() for product in products)
    # Of a window of three, of which pairs of outputs take two thirds (vqspeech.model.paired_convolution).
    total += sum(3 * block.dilated.weights[0].numel() for block in packed.blocks)
    return float(total * rate)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=None)
    parser.add_argument("--seconds", type=int, nargs="+", default=[2, 10, 15])
    parser.add_argument("--shards-of", type=int, default=0, metavar="N")
    parser.add_argument("--lasting", type=float, default=1.5, metavar="SECONDS", help="each of the N; default: 1.5")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = vqspeech.load(options.model)
    if options.shards_of:
        corpus(model, options.shards_of, options.lasting)
        return 0
    rate, work = gemm_rate(), multiply_adds(model)
    print(f"{2 * rate / 1e9:.0f} GFLOP/s in a product; {work / 1e6:.0f} M multiply-adds per second of speech", end="")
    print(f": roofline {rate / work:.0f} x real time")
    generator = np.random.default_rng(0)
    for seconds in options.seconds:
        count = max(1, SPEECH // seconds)
        speech = [
            (0.05 * generator.standard_normal(seconds * model.sample_rate)).astype(np.float32) for _ in range(count)
        ]
        alone = best(lambda speech=speech: [model.encode_waveform(one) for one in speech])
        together = best(lambda speech=speech: model.encode_waveforms(speech))
        total = seconds * count
        print(f"{seconds:3} s utterances: alone {total / alone:6.0f} x, together {total / together:6.0f} x real time")
    return 0


def corpus(model: Any, count: int, seconds: float) -> None:
    """Encode many recordings as one shard; peak memory at each tenth."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(16):
            noise = 0.05 * generator.standard_normal(round(seconds * 16_000))
            soundfile.write(folder / f"{number}.flac", noise, 16_000)
        with (folder / "rows.jsonl").open("w") as rows:
            for number in range(count):
                rows.write(json.dumps({"path": str(folder / f"{number % 16}.flac"), "id": f"u{number}"}) + "\n")
        began, tenth = time.process_time(), max(1, count // 10)
        shown = [0]

        def tell(done: int, total: int) -> None:
            if done // tenth > shown[0] or done == total:
                shown[0] = done // tenth
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                speed = seconds * done / (time.process_time() - began)
                print(f"{done:8} recordings, {speed:.0f} x real time with reading, peak {peak:.0f} MB", flush=True)

        encode_shard(model, open_rows(folder / "rows.jsonl", folder), folder / "out", shard=1, shards=1, progress=tell)


if __name__ == "__main__":
    sys.exit(main())
