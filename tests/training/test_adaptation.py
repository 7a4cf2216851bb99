"""A voice is fitted to recordings: it gets better, nothing else changes, and it can be stopped."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import make_config, make_model
from small_training import voice

from vqspeech.errors import InputError
from vqspeech.model.checkpoint import load_model, save_model
from vqspeech.model.speaker_conditioning import SpeakerAdapter, Voice
from vqspeech.model.vqvae import VQVAE
from vqspeech.training import adaptation
from vqspeech.training.adaptation import VoiceFit, add_voice, voice_of


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "CROP", 256)
    monkeypatch.setattr(adaptation, "BATCH", 2)
    monkeypatch.setattr(adaptation, "EVALUATE_EVERY", 2)


@pytest.fixture(scope="module")
def network() -> VQVAE:
    return make_model().eval()


def assert_same(a: SpeakerAdapter, b: SpeakerAdapter) -> None:
    for name, tensor in a.state_dict().items():
        assert torch.equal(tensor, b.state_dict()[name]), name


def make_fit(network: VQVAE, *, seconds: float = 12.0, seed: int = 0) -> VoiceFit:
    waveforms = [voice(round(seconds * 8000 / 2) + extra, seed) for extra, seed in ((3, 5), (0, 6))]
    padded = [torch.from_numpy(np.pad(waveform, (0, -len(waveform) % 16))) for waveform in waveforms]
    with torch.no_grad():
        codes = [network.quantize(waveform[None]).codes[0].numpy().astype(np.int32) for waveform in padded]
    return VoiceFit(network, waveforms, codes, seed=seed)


def test_a_fitted_voice_is_likelier_than_the_nearest_on_speech_held_out(network: VQVAE) -> None:
    fit = make_fit(network)
    fitted = fit.run(steps=30)
    assert fitted.after < fitted.before
    assert fitted.steps > 0
    nearest = network.voice({network.speakers.index(fitted.nearest): 1.0})
    assert fitted.before == pytest.approx(fit.held_out(nearest))
    assert fitted.after == pytest.approx(fit.held_out(voice_of(fitted.adapter, network)))


def test_a_voice_is_fitted_to_a_decoder_of_several_bands(tmp_path: Path) -> None:
    network = make_model(make_config(decoder={"bands": 4})).eval()
    fitted = make_fit(network).run(steps=20)
    assert fitted.after < fitted.before
    added = add_voice(network, "dora", fitted.adapter, torch.zeros(9, network.config.encoder.dimension))
    save_model(added, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.speakers[-1] == "dora"
    assert all(torch.equal(value, added.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_the_speech_to_learn_from_and_the_held_out_speech_share_no_sample(network: VQVAE) -> None:
    fit = make_fit(network)
    learnt_to = fit.train.stop - 1 + fit.crop + fit.context
    held_out_from = fit.dev.start - fit.context
    assert learnt_to <= held_out_from
    assert fit.dev.stop - 1 + fit.crop + fit.context <= len(fit.codes)


def test_nats_are_those_of_the_whole_model(network: VQVAE) -> None:
    fit = make_fit(network)
    start, hop = 40, 16
    speaker = network.voice({1: 1.0})
    with torch.no_grad():
        frames = network.frames(network.quantizer.lookup(fit.codes[None]), torch.tensor([1]))
        per_code = network.conditioner.frames_per_code
        crop = frames[:, start * per_code : (start + fit.crop) * per_code]
        targets = fit.samples[None, start * hop : (start + fit.crop) * hop + 1]
        whole = network.nll(targets, crop, (0, crop.shape[1]))[:, fit.skip :]
        torch.testing.assert_close(fit._nll(speaker, [start], fit._frames(speaker, [start])), whole)


def test_the_mel_head_learns_the_voice_too(network: VQVAE) -> None:
    fit = make_fit(network)
    starts = list(fit.train)[::40]

    def error(voice: Voice) -> float:
        with torch.no_grad():
            return float(fit._mel_error(voice, starts, fit._frames(voice, starts)))

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


def test_it_stops_when_held_out_speech_gets_no_better(network: VQVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = make_fit(network)
    monkeypatch.setattr(fit, "held_out", lambda _vector: 1.0)
    seen: list[int] = []
    fitted = fit.run(steps=100, progress=lambda step, *_: seen.append(step))
    assert seen[-1] == adaptation.PATIENCE * 2
    assert (fitted.steps, fitted.after) == (0, 1.0)
    assert torch.equal(
        fitted.adapter.vector, network.conditioner.speakers.weight[network.speakers.index(fitted.nearest)]
    )
    assert torch.equal(fitted.adapter.conditioning.weight, network.decoder.conditioning.weight)


def test_too_little_speech_is_refused(network: VQVAE) -> None:
    with pytest.raises(InputError, match=r"2\.0 s of speech.*at the very least"):
        make_fit(network, seconds=2)


def test_a_model_whose_numbers_are_broken_is_a_word_not_a_voice() -> None:
    broken = make_model().eval()
    broken.decoder.output.bias.data[:] = torch.nan
    with pytest.raises(InputError, match="no longer a number"):
        make_fit(broken).run(steps=4)


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


def codes_of(network: VQVAE) -> list[int]:
    with torch.no_grad():
        codes: list[int] = network.quantize(torch.from_numpy(voice(640, 1))[None]).codes[0].tolist()
    return codes


def test_a_voice_is_fitted_with_the_pitch_of_its_recordings() -> None:
    changes = {"block": "modulated", "pitch": True, "dilations": [1, -1, 1, -2]}
    network = make_model(make_config(conditioner=changes)).eval()
    fit = make_fit(network)
    assert fit.pitch_statistics is not None
    assert fit.pitch is not None
    speaker, start = network.voice({1: 1.0}), 40
    per_code = network.conditioner.frames_per_code
    with torch.no_grad():
        whole = network.frames(network.quantizer.lookup(fit.codes[None]), torch.tensor([1]), fit.pitch[None])
        crop = whole[:, start * per_code : (start + fit.crop) * per_code]
        torch.testing.assert_close(fit._frames(speaker, [start]), crop, rtol=1e-4, atol=1e-5)
        without = fit._frames(speaker, [start, start], np.array([True, False]))
    torch.testing.assert_close(without[:1], crop, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(without[1], without[0])
    fitted = fit.run(steps=6)
    network.speaker_stats.unigrams.fill_(1)
    added = add_voice(network, "dora", fitted.adapter, torch.zeros(9, 5), fit.pitch_statistics)
    assert added.speaker_stats.pitch[-1].tolist() == pytest.approx(
        [fit.pitch_statistics.mean, fit.pitch_statistics.deviation]
    )
