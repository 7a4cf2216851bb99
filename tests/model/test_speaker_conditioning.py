"""``vqspeech.model.speaker_conditioning``: one speaker or a blend, with the shared network or an adapter."""

from __future__ import annotations

import pytest
import torch
from small_models import make_config, make_model
from torch import Tensor

from vqspeech.model.speaker_conditioning import SpeakerAdapter, Voice
from vqspeech.model.vqvae import VQVAE


@pytest.fixture
def network() -> VQVAE:
    """Three speakers, the last with a network of its own."""
    torch.manual_seed(0)
    model = VQVAE(make_config(), ("ann", "bob", "cyd"), adapters=[2])
    return model.eval()


def values(network: VQVAE) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, network.config.encoder.dimension, 6, generator=generator)


@torch.no_grad()
def conditioning(network: VQVAE, voice: Voice) -> Tensor:
    made = voice.conditioning(voice.frames(values(network)))
    decoder = network.config.decoder
    assert made.shape == (2, 6 * network.conditioner.frames_per_code, decoder.layers, 2 * decoder.gate)
    return made


def test_a_speaker_is_conditioned_on_as_in_training(network: VQVAE) -> None:
    with torch.no_grad():
        frames = network.frames(values(network), torch.tensor([1, 1]))
        torch.testing.assert_close(conditioning(network, network.voice({1: 1.0})), network.decoder.condition(frames))


def test_speakers_that_share_a_network_are_blended_by_their_vectors(network: VQVAE) -> None:
    (component,) = network.voice({0: 0.25, 1: 0.75}).components
    ann, bob = network.conditioner.speakers.weight.detach()[:2]
    torch.testing.assert_close(component.vector, 0.25 * ann + 0.75 * bob)


def test_a_voice_with_its_own_network_is_blended_by_its_weight(network: VQVAE) -> None:
    alone = [conditioning(network, network.voice({speaker: 1.0})) for speaker in range(3)]
    torch.testing.assert_close(
        conditioning(network, network.voice({2: 0.3, 0: 0.7})), 0.3 * alone[2] + 0.7 * alone[0], atol=1e-5, rtol=1e-4
    )
    both = conditioning(network, network.voice({0: 0.5, 1: 0.5}))
    three = conditioning(network, network.voice({0: 0.25, 2: 0.5, 1: 0.25}))
    torch.testing.assert_close(three, 0.5 * alone[2] + 0.5 * both, atol=1e-5, rtol=1e-4)


def test_a_copied_network_makes_the_same_of_the_same_vector() -> None:
    model = make_model().eval()
    (component,) = model.voice({1: 1.0}).components
    own = SpeakerAdapter.copied(component.conditioner, component.conditioning, component.vector)
    beside = VQVAE(model.config, model.speakers, adapters=[0])
    beside.adapters["0"].load_state_dict(own.state_dict())
    assert torch.equal(conditioning(model, model.voice({1: 1.0})), conditioning(beside, beside.voice({0: 1.0})))
    with torch.no_grad():
        own.vector.add_(1)
    assert not torch.equal(own.vector, component.vector), "a copy must not change what it was copied from"


def test_the_mel_head_of_a_blend_is_the_blend_of_the_mel_heads(network: VQVAE) -> None:
    def mel(voice: Voice) -> Tensor:
        with torch.no_grad():
            bands = voice.mel(voice.frames(values(network)))
        assert bands is not None
        return bands

    one, other = mel(network.voice({0: 1.0})), mel(network.voice({2: 1.0}))
    torch.testing.assert_close(mel(network.voice({0: 0.5, 2: 0.5})), (one + other) / 2, atol=1e-5, rtol=1e-4)


def test_without_a_mel_head_there_are_no_bands() -> None:
    model = make_model(make_config(conditioner={"mel_bands": 0}))
    voice = model.voice({0: 1.0})
    assert voice.mel(voice.frames(values(model))) is None
