"""A copy of a model with one more voice."""

from __future__ import annotations

import torch
from torch import Tensor

from vqspeech.model.speaker_conditioning import SpeakerAdapter
from vqspeech.model.vqvae import VQVAE
from vqspeech.pitch import PitchStatistics


def add_voice(
    network: VQVAE, name: str, adapter: SpeakerAdapter, vectors: Tensor, pitch: PitchStatistics | None = None
) -> VQVAE:
    """A copy of a model with one more voice, the last; all else is the same to the bit.

    Args:
        network: the model.
        name: of the voice.
        adapter: the voice's own conditioning network.
        vectors: the encoder's output for its recordings, ``(n, dimension)``.
        pitch: of its recordings, for a model that pitch conditions.

    Returns:
        The copy, on the CPU, in evaluation mode.
    """
    # Its random first weights are all replaced; drawing them must not disturb the user's random numbers.
    with torch.random.fork_rng(devices=[]):
        adapted = [int(speaker) for speaker in network.adapters]
        copy = VQVAE(network.config, (*network.speakers, name), (*adapted, len(network.speakers)))
    weights = {key: tensor.cpu() for key, tensor in network.state_dict().items()}
    voices = "conditioner.speakers.weight"
    weights[voices] = torch.cat([weights[voices], adapter.vector.detach().cpu()[None]])  # (speakers + 1, width)
    weights |= {f"adapters.{len(network.speakers)}.{key}": tensor.cpu() for key, tensor in adapter.state_dict().items()}
    for key in ("speaker_stats.means", "speaker_stats.unigrams", "speaker_stats.pitch"):
        weights[key] = torch.cat([weights[key], torch.zeros_like(weights[key][:1])])  # (speakers + 1, ...)
    copy.load_state_dict(weights)
    if network.speaker_stats.computed(range(len(network.speakers))):
        copy.speaker_stats.update(len(network.speakers), vectors.cpu(), copy.quantizer)
    if pitch is not None:
        copy.speaker_stats.pitch[-1] = torch.tensor([pitch.mean, pitch.deviation])
    return copy.eval()
