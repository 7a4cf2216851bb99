"""A copy of a model with one more voice, all else as it was."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from small_adaptation import codes_of, make_fit

from vqspeech.model.checkpoint import load_model, save_model
from vqspeech.model.speaker_conditioning import SpeakerAdapter
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.adaptation import add_voice


def test_a_voice_is_added_and_all_else_stays(network: VQVAE) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    adapter = SpeakerAdapter(network.config)
    torch.manual_seed(3)
    copy = add_voice(network, "dora", adapter, torch.zeros(9, 5))
    assert torch.equal(torch.rand(1), expected)
    assert copy.speakers == ("ann", "bob", "cyd", "dora")
    assert torch.equal(copy.conditioner.speakers.weight[:3], network.conditioner.speakers.weight)
    values = torch.randn(1, 5, 6)
    with torch.no_grad():
        assert torch.equal(copy.frames(values, torch.tensor([1])), network.frames(values, torch.tensor([1])))
    for name, tensor in network.state_dict().items():
        per_voice = name == "conditioner.speakers.weight" or name.startswith("speaker_stats.")
        assert per_voice or torch.equal(copy.state_dict()[name], tensor), name


def test_a_voice_of_its_own_is_kept_in_the_model_directory(network: VQVAE, tmp_path: Path) -> None:
    copy = add_voice(network, "dora", SpeakerAdapter(network.config), torch.zeros(9, 5))
    again = add_voice(copy, "emma", SpeakerAdapter(network.config), torch.zeros(9, 5))
    save_model(again, tmp_path)
    read = load_model(tmp_path)
    assert read.speakers == ("ann", "bob", "cyd", "dora", "emma")
    assert list(read.adapters) == ["3", "4"]
    for name, tensor in again.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor), name
    assert codes_of(read) == codes_of(network)


def test_a_voice_is_learnt_beside_another_that_was_added(network: VQVAE) -> None:
    copy = add_voice(network, "dora", make_fit(network).run(steps=4).adapter, torch.zeros(9, 5))
    fitted = make_fit(copy).run(steps=4)
    assert fitted.nearest == "dora"  # it was learnt from this very speech
    assert fitted.before == pytest.approx(make_fit(network).run(steps=4).after)


def test_a_new_voice_s_codes_are_measured_where_those_of_the_others_were(network: VQVAE) -> None:
    vectors = torch.randn(50, 5)
    unmeasured = add_voice(network, "dora", SpeakerAdapter(network.config), vectors)
    assert not unmeasured.speaker_stats.computed([3])
    measured = copy.deepcopy(network)
    for speaker in range(3):
        measured.speaker_stats.update(speaker, torch.randn(50, 5), measured.quantizer)
    added = add_voice(measured, "dora", SpeakerAdapter(network.config), vectors)
    assert added.speaker_stats.computed(range(4))
    assert torch.equal(added.speaker_stats.means[:3], measured.speaker_stats.means)
    torch.testing.assert_close(added.speaker_stats.means[3], vectors.mean(0))
