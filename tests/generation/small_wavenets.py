from __future__ import annotations

import torch

from vqspeech.model.config import WaveNetConfig
from vqspeech.model.wavenet import WaveNet


def make_wavenet(
    *,
    layers: int = 6,
    cycle: int = 3,
    kernel: int = 2,
    residual: int = 12,
    gate: int = 12,
    skip: int = 20,
    output: int = 24,
    classes: int = 64,
    bands: int = 1,
    condition_channels: int = 5,
    seed: int = 0,
) -> WaveNet:
    """A small WaveNet with lively random weights and biases, so that every one of them matters."""
    torch.manual_seed(seed)
    config = WaveNetConfig(
        layers=layers, cycle=cycle, kernel=kernel, residual=residual, gate=gate, skip=skip, output=output, bands=bands
    )
    wavenet = WaveNet(config, classes=classes, condition_channels=condition_channels).eval()
    with torch.no_grad():
        for name, parameter in wavenet.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.2)
        wavenet.output.weight.mul_(4)
        if wavenet.below is not None:
            wavenet.below.weight.normal_(std=0.3)
    return wavenet
