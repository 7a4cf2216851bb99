"""How fast decoders train on this machine: in which form, in which precision, with one band or several.

  python tools/bench/training.py [--decoders full-band multi-band] [--precisions fp32 bf16 fp16]

Times forward and backward of the decoder in one training step (batch 8, 4096 samples), each form and precision in
turn, and prints medians of processor time per thread, multiply-adds per second (three for each of the forward pass),
seconds of audio per second, and ratios to the plain form in fp32. The last line names the precision to train in. fp16
is for processors that compute in it (AVX512-FP16); others take minutes for a step. It has no loss scale here: speed
does not depend on it.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from vqspeech.model.config import WaveNetConfig
from vqspeech.model.wavenet import WaveNet

BATCH, TIME, HOP, CHANNELS, RATE = 8, 4096, 64, 256, 16_000
DECODERS = {
    "full-band": WaveNetConfig(layers=20, cycle=10, kernel=2, residual=64, gate=64, skip=128, output=128),
    "multi-band": WaveNetConfig(layers=14, cycle=7, kernel=2, residual=128, gate=128, skip=256, output=128, bands=4),
}
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def multiply_adds(wavenet: WaveNet) -> int:
    """Of the forward pass of a training step."""
    c = wavenet.config
    matrices = [*wavenet.dilated.parameters(), *wavenet.residual.parameters(), wavenet.skip.weight]
    per_step = sum(p.numel() for p in matrices if p.ndim == 2) + wavenet.hidden.weight.numel()
    per_step += wavenet.output.weight.numel()
    return BATCH * (TIME // c.bands * per_step + TIME // HOP * wavenet.conditioning.weight.numel())


def step(decoder: WaveNet, classes: torch.Tensor, frames: torch.Tensor, dtype: torch.dtype) -> float:
    """Processor seconds of one forward and backward pass."""
    decoder.zero_grad()
    began = time.process_time()
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        logits = decoder(classes, frames, classes)
    torch.nn.functional.cross_entropy(logits.float().flatten(0, -2), classes.flatten()).backward()
    return time.process_time() - began


def measure(name: str, precisions: list[str], repeats: int, threads: int) -> None:
    """Measure one decoder and print its rows."""
    config = DECODERS[name]
    decoder = WaveNet(config, classes=256, condition_channels=CHANNELS)
    shape = (BATCH, TIME // config.bands) + ((config.bands,) if config.bands > 1 else ())
    classes = torch.randint(256, shape)
    frames = torch.randn(BATCH, TIME // HOP, CHANNELS)
    kinds = [("plain", "fp32"), *(("matrix", precision) for precision in precisions)]
    seconds: dict[tuple[str, str], list[float]] = {kind: [] for kind in kinds}
    # In turn, so that a change in the machine's speed meets all alike; the first round warms up.
    for round_number in range(repeats + 1):
        for form, precision in kinds:
            decoder.form = form  # type: ignore[assignment]
            took = step(decoder, classes, frames, PRECISIONS[precision]) / threads
            if round_number:
                seconds[form, precision].append(took)
    medians = {kind: statistics.median(values) for kind, values in seconds.items()}
    total = 3 * multiply_adds(decoder)
    for (form, precision), median in medians.items():
        print(
            f"{name:<11}{form:<8}{precision:<10}{median:>9.3f}{total / median / 1e9:>9.1f}"
            f"{BATCH * TIME / RATE / median:>9.2f}{medians['plain', 'fp32'] / median:>8.2f}"
        )
    best = min(precisions, key=lambda precision: medians["matrix", precision])
    print(f"{name}: {best} is the fastest here")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decoders", nargs="+", choices=list(DECODERS), default=list(DECODERS))
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=["fp32", "bf16"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, batch {BATCH} x {TIME} samples")
    print(f"{'decoder':<11}{'form':<8}{'precision':<10}{'seconds':>9}{'GMAC/s':>9}{'audio/s':>9}{'ratio':>8}")
    for name in options.decoders:
        measure(name, options.precisions, options.repeats, options.threads)


if __name__ == "__main__":
    main()
