"""A fit of a voice to made-up recordings."""

from __future__ import annotations

import numpy as np
import torch
from small_training import voice

from vqspeech.model.speaker_conditioning import SpeakerAdapter
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.adaptation import VoiceFit


def assert_same(a: SpeakerAdapter, b: SpeakerAdapter) -> None:
    for name, tensor in a.state_dict().items():
        assert torch.equal(tensor, b.state_dict()[name]), name


def make_fit(network: VQVAE, *, seconds: float = 12.0, seed: int = 0) -> VoiceFit:
    waveforms = [voice(round(seconds * 8000 / 2) + extra, seed) for extra, seed in ((3, 5), (0, 6))]
    padded = [torch.from_numpy(np.pad(waveform, (0, -len(waveform) % 16))) for waveform in waveforms]
    with torch.no_grad():
        codes = [network.quantize(waveform[None]).codes[0].numpy().astype(np.int32) for waveform in padded]
    return VoiceFit(network, waveforms, codes, seed=seed)


def codes_of(network: VQVAE) -> list[int]:
    with torch.no_grad():
        codes: list[int] = network.quantize(torch.from_numpy(voice(640, 1))[None]).codes[0].tolist()
    return codes
