"""A voice is fitted to recordings: it gets better, nothing else changes, and it can be stopped."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from small_adaptation import assert_same, make_fit
from small_models import make_config, make_model

from vqspeech.errors import InputError
from vqspeech.files import save_checkpoint
from vqspeech.model.checkpoint import load_model, save_model
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.adaptation import add_voice, voice_of
from vqspeech.training.adaptation import fit as fit_module


def test_a_fitted_voice_is_likelier_than_the_nearest_on_speech_held_out(network: VQVAE) -> None:
    fit = make_fit(network)
    fitted = fit.run(steps=30)
    assert fitted.after < fitted.before
    assert fitted.steps > 0
    nearest = network.voice({network.speakers.index(fitted.nearest): 1.0})
    assert fitted.before == pytest.approx(fit.speech.held_out(nearest))
    assert fitted.after == pytest.approx(fit.speech.held_out(voice_of(fitted.adapter, network)))


def test_a_voice_is_fitted_to_a_decoder_of_several_bands(tmp_path: Path) -> None:
    network = make_model(make_config(decoder={"bands": 4})).eval()
    fitted = make_fit(network).run(steps=20)
    assert fitted.after < fitted.before
    added = add_voice(network, "dora", fitted.adapter, torch.zeros(9, network.config.encoder.dimension))
    save_model(added, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.speakers[-1] == "dora"
    assert all(torch.equal(value, added.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_the_mel_head_learns_the_voice_too(network: VQVAE) -> None:
    fit = make_fit(network)
    starts = list(fit.speech.train)[::40]

    def error(voice: Voice) -> float:
        with torch.no_grad():
            return float(fit.speech.mel_error(voice, starts, fit.speech.frames(voice, starts)))

    fitted = fit.run(steps=30)
    nearest = network.voice({network.speakers.index(fitted.nearest): 1.0})
    assert error(voice_of(fitted.adapter, network)) < error(nearest)


def test_no_weight_of_the_model_changes(network: VQVAE) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learnt = [parameter.requires_grad for parameter in network.parameters()]
    make_fit(network).run(steps=4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [parameter.requires_grad for parameter in network.parameters()] == learnt


@pytest.mark.parametrize("stop_at", [2, 4])
def test_a_fit_that_was_stopped_ends_as_one_that_was_not(network: VQVAE, tmp_path: Path, stop_at: int) -> None:
    whole = make_fit(network).run(steps=8)

    def stop(step: int, _steps: int, _nll: float) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_fit(network).run(tmp_path / "fit", steps=8, progress=stop)
    seen: list[int] = []
    again = make_fit(network).run(tmp_path / "fit", steps=8, progress=lambda step, *_: seen.append(step))
    assert seen[0] == stop_at
    assert_same(again.adapter, whole.adapter)
    assert (again.before, again.after, again.steps, again.nearest) == (
        whole.before,
        whole.after,
        whole.steps,
        whole.nearest,
    )


def test_the_checkpoint_of_another_fit_and_a_damaged_one_are_not_gone_on_from(network: VQVAE, tmp_path: Path) -> None:
    checkpoint = tmp_path / "fit"
    make_fit(network, seed=1).run(checkpoint, steps=4)
    whole = make_fit(network).run(steps=4)
    assert_same(make_fit(network).run(checkpoint, steps=4).adapter, whole.adapter)
    checkpoint.write_bytes(checkpoint.read_bytes()[:300])
    assert_same(make_fit(network).run(checkpoint, steps=4).adapter, whole.adapter)


@pytest.mark.parametrize(
    ("name", "value"), [("weights", {}), ("best", 3), ("step", 99), ("step", "x"), ("nearest", 9), ("after", math.nan)]
)
def test_a_checkpoint_whose_parts_make_no_sense_is_not_gone_on_from(
    network: VQVAE, tmp_path: Path, name: str, value: object
) -> None:
    checkpoint = tmp_path / "fit"
    whole = make_fit(network).run(checkpoint, steps=4)
    save_checkpoint(checkpoint, {**torch.load(checkpoint, weights_only=True), name: value})
    assert_same(make_fit(network).run(checkpoint, steps=4).adapter, whole.adapter)


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"\x80", 0, 1, "invalid"), AssertionError(), ValueError()]
)
def test_whatever_is_raised_over_a_damaged_checkpoint_the_fit_begins_again(
    network: VQVAE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    checkpoint = tmp_path / "fit"
    whole = make_fit(network).run(checkpoint, steps=4)

    def damaged(*_: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", damaged)
    assert_same(make_fit(network).run(checkpoint, steps=4).adapter, whole.adapter)


def test_it_stops_when_held_out_speech_gets_no_better(network: VQVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = make_fit(network)
    monkeypatch.setattr(fit.speech, "held_out", lambda _vector: 1.0)
    seen: list[int] = []
    fitted = fit.run(steps=100, progress=lambda step, *_: seen.append(step))
    assert seen[-1] == fit_module.PATIENCE * 2
    assert (fitted.steps, fitted.after) == (0, 1.0)
    assert torch.equal(
        fitted.adapter.vector, network.conditioner.speakers.weight[network.speakers.index(fitted.nearest)]
    )
    assert torch.equal(fitted.adapter.conditioning.weight, network.decoder.conditioning.weight)


def test_a_model_whose_numbers_are_broken_is_a_word_not_a_voice() -> None:
    broken = make_model().eval()
    broken.decoder.output.bias.data[:] = torch.nan
    with pytest.raises(InputError, match="no longer a number"):
        make_fit(broken).run(steps=4)


def test_a_voice_is_fitted_with_the_pitch_of_its_recordings() -> None:
    changes = {"block": "modulated", "pitch": True, "dilations": [1, -1, 1, -2]}
    network = make_model(make_config(conditioner=changes)).eval()
    fit = make_fit(network)
    assert fit.pitch_statistics is not None
    assert fit.speech.pitch is not None
    speaker, start = network.voice({1: 1.0}), 40
    per_code = network.conditioner.frames_per_code
    with torch.no_grad():
        whole = network.frames(
            network.quantizer.lookup(fit.speech.codes[None]), torch.tensor([1]), fit.speech.pitch[None]
        )
        crop = whole[:, start * per_code : (start + fit.speech.crop) * per_code]
        torch.testing.assert_close(fit.speech.frames(speaker, [start]), crop, rtol=1e-4, atol=1e-5)
        without = fit.speech.frames(speaker, [start, start], np.array([True, False]))
    torch.testing.assert_close(without[:1], crop, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(without[1], without[0])
    fitted = fit.run(steps=6)
    network.speaker_stats.unigrams.fill_(1)
    added = add_voice(network, "dora", fitted.adapter, torch.zeros(9, 5), fit.pitch_statistics)
    assert added.speaker_stats.pitch[-1].tolist() == pytest.approx(
        [fit.pitch_statistics.mean, fit.pitch_statistics.deviation]
    )
