"""Very small models for tests."""

from __future__ import annotations

from typing import Any

import msgspec
import torch

from vqspeech.model.config import ModelConfig
from vqspeech.model.vqvae import VQVAE


def make_config(**changes: dict[str, Any]) -> ModelConfig:
    """A model of 16 samples per code; ``encoder={"channels": 4}`` and the like change parts of it."""
    tree: dict[str, dict[str, Any]] = {
        "audio": {"sample_rate": 8000, "levels": 64, "emphasis": 0.5, "gain": 2.0, "rms": 0.1},
        "encoder": {
            "front_end": "waveform",
            "mel_hop": 8,
            "mel_bands": 6,
            "strides": [4, 4],
            "channels": 6,
            "dilations": [1, 2],
            "dimension": 5,
            "instance_norm": False,
            "frame_norm": False,
        },
        "quantizer": {
            "codes": 8,
            "update": "loss",
            "decay": 0.9,
            "commitment": 0.25,
            "restart_below": 0.0,
            "jitter": 0.0,
        },
        "conditioner": {
            "hop": 8,
            "channels": 7,
            "kernel": 3,
            "dilations": [1, 2],
            "speaker_dimension": 3,
            "mel_bands": 6,
        },
        "decoder": {"layers": 4, "cycle": 2, "kernel": 2, "residual": 6, "gate": 5, "skip": 8, "output": 9},
    }
    for part, values in changes.items():
        tree[part].update(values)
    config = msgspec.convert(tree, ModelConfig)
    config.check("the test")
    return config


def make_model(config: ModelConfig | None = None, *, seed: int = 0) -> VQVAE:
    """A model of three speakers with random weights, its codebook in use."""
    torch.manual_seed(seed)
    model = VQVAE(config or make_config(), ("ann", "bob", "cyd"))
    model.quantizer.started.fill_(True)
    return model
