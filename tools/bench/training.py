"""How much faster the time-major form of the WaveNet trains than the plain one, on this machine.

  python tools/bench/training.py [--layers 20] [--repeats 5] [--threads N]

Times forward and backward of the decoder in one training step (batch 8, 4096 samples), each form and precision in turn,
and prints medians and their ratio to the plain form in fp32.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from vqspeech.model.config import WaveNetConfig
from vqspeech.model.wavenet import WaveNet

BATCH, TIME, HOP, CHANNELS = 8, 4096, 64, 128


def step(decoder: WaveNet, previous: torch.Tensor, frames: torch.Tensor, dtype: torch.dtype) -> float:
    """Seconds of one forward and backward pass."""
    began = time.perf_counter()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        logits = decoder(previous, frames)
    torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), previous.flatten()).backward()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = WaveNetConfig(layers=options.layers, cycle=10, kernel=2, residual=64, gate=64, skip=128, output=128)
    decoder = WaveNet(config, classes=256, condition_channels=CHANNELS)
    previous = torch.randint(256, (BATCH, TIME))
    frames = torch.randn(BATCH, TIME // HOP, CHANNELS)
    kinds = [(form, dtype) for form in ("plain", "matrix") for dtype in (torch.float32, torch.bfloat16)]
    seconds: dict[tuple[str, torch.dtype], list[float]] = {kind: [] for kind in kinds}
    # In turn, so that a change in the machine's speed meets all alike; the first round warms up.
    for round_number in range(options.repeats + 1):
        for form, dtype in kinds:
            decoder.form = form  # type: ignore[assignment]
            took = step(decoder, previous, frames, dtype)
            if round_number:
                seconds[form, dtype].append(took)
    reference = statistics.median(seconds["plain", torch.float32])
    print(f"{options.layers} layers, {options.threads} threads, batch {BATCH} x {TIME} samples")
    print(f"{'form':<8}{'precision':<10}{'seconds':>9}{'samples/s':>12}{'ratio':>8}")
    for form, dtype in kinds:
        median = statistics.median(seconds[form, dtype])
        name = "fp32" if dtype == torch.float32 else "bf16"
        print(f"{form:<8}{name:<10}{median:>9.3f}{BATCH * TIME / median:>12.0f}{reference / median:>8.2f}")


if __name__ == "__main__":
    main()
