"""Small models of every kind that a stream has to do with, and something like speech."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from small_models import make_config, make_model

from vqspeech.generation import make_engine
from vqspeech.model.vqvae import VQVAE
from vqspeech.speaker_blend import parse_voice
from vqspeech.streaming import Stream

RATE = 8000
_MEL: dict[str, Any] = {"front_end": "log-mel", "mel_hop": 16, "mel_bands": 10, "strides": [2], "input_norm": True}
_MODULATED: dict[str, Any] = {
    "encoder": {**_MEL, "block": "modulated", "dilations": [1, 2, -2, -4], "frame_norm": True},
    "conditioner": {"hop": 16, "block": "modulated", "pitch": True, "dilations": [1, -2, -4, 1, 2, -3]},
    "quantizer": {"mean_shift": 0.5},
}
KINDS: dict[str, dict[str, Any]] = {
    "modulated": _MODULATED,
    "unadapted": {**_MODULATED, "quantizer": {"mean_shift": 0.0, "unigram_prior": 0.0}},
    "warped": {**_MODULATED, "encoder": {**_MODULATED["encoder"], "f0_warp": 0.7}},
    "bands": {**_MODULATED, "decoder": {"bands": 4}},
    "plain": {"encoder": {"dilations": [1, -2]}, "conditioner": {"dilations": [2, -1, 1, -3]}},
    "instance": {"encoder": {"instance_norm": True}},
}


@cache
def make_network(kind: str) -> VQVAE:
    """A network whose blocks and statistics all take part."""
    network = make_model(make_config(**KINDS[kind])).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        stats = network.speaker_stats
        stats.means.copy_(torch.randn_like(stats.means))
        stats.unigrams.copy_(torch.rand_like(stats.unigrams).softmax(1))
        stats.pitch.copy_(torch.tensor([[4.8, 0.2], [5.2, 0.25], [5.0, 0.15]]))
    return network


def make_stream(kind: str, *, speaker: str = "ann", **options: Any) -> Stream:
    """A stream of a small model."""
    network = make_network(kind)

    def blend(voice: str) -> dict[int, float]:
        shares = parse_voice(voice, network.speakers, where="the model")
        return {network.speakers.index(name): share for name, share in shares.items()}

    return Stream(network, make_engine(network.decoder), blend, speaker, **options)


def speech_like(seconds: float, seed: int = 0) -> np.ndarray:
    """Voiced and unvoiced spans and pauses, ``(samples,)`` at ``RATE``."""
    random = np.random.default_rng(seed)
    count = max(1, round(seconds * RATE))
    time = np.arange(count) / RATE
    phase = 2 * np.pi * np.cumsum(120 + 30 * np.sin(5 * time)) / RATE
    voiced = sum(np.sin(k * phase) / k for k in range(1, 12))
    loudness = np.clip(np.sin(2 * np.pi * 1.7 * time + seed), 0, 1)
    noise = random.normal(0, 1, count) * np.clip(np.sin(2 * np.pi * 2.3 * time), 0, 1)
    return (0.1 * loudness * voiced + 0.02 * noise + 0.0005 * random.normal(0, 1, count)).astype(np.float32)
