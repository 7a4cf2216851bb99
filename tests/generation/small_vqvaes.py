from __future__ import annotations

import msgspec
import torch

from vqspeech.model.config import ModelConfig
from vqspeech.model.vqvae import VQVAE

CODES = 20
CONFIG = {
    "audio": {"sample_rate": 8000, "levels": 64, "emphasis": 0.85, "gain": 4.0, "rms": 0.06},
    "encoder": {
        "front_end": "waveform", "mel_hop": 1, "mel_bands": 1, "strides": [4, 3], "channels": 8, "dilations": [],
        "dimension": 6, "instance_norm": False, "frame_norm": False,
    },
    "quantizer": {
        "codes": CODES, "update": "loss", "decay": 0.9, "commitment": 0.25, "restart_below": 0.0, "jitter": 0.0,
    },
    "conditioner": {
        "hop": 4, "channels": 9, "kernel": 3, "dilations": [1, 2, 1, 2], "speaker_dimension": 4, "mel_bands": 0,
    },
    "decoder": {"layers": 5, "cycle": 3, "kernel": 2, "residual": 12, "gate": 12, "skip": 20, "output": 20},
}  # fmt: skip


def make_network(
    kernel: int = 3, dilations: tuple[int, ...] = (1, 2, 1, 2), mel_bands: int = 0, bands: int = 1
) -> VQVAE:
    """A small VQ-VAE of random weights, with 667 codes per second and three voices."""
    torch.manual_seed(0)
    config = msgspec.convert(CONFIG, ModelConfig)
    conditioner = msgspec.structs.replace(config.conditioner, kernel=kernel, dilations=dilations, mel_bands=mel_bands)
    decoder = msgspec.structs.replace(config.decoder, bands=bands)
    config = msgspec.structs.replace(config, conditioner=conditioner, decoder=decoder)
    return VQVAE(config, ("a", "b", "c")).eval()
