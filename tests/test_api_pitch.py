"""Pitch beside the codes: conversions follow the source's intonation, or not, as they are asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import vqspeech
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset

RATE = 16_000
SAMPLE = Path(__file__).parent.parent / "egs" / "quickstart" / "sample"
CHANGES = (
    "model.conditioner.block=modulated",
    "model.conditioner.pitch=true",
    "model.conditioner.dilations=[1,-2]",
)


def make(folder: Path, *changes: str) -> vqspeech.Model:
    torch.manual_seed(0)
    model = VQVAE(read_preset("tiny", changes).model, ("anna", "bert"))
    model.quantizer.start(torch.randn(2000, 32))
    model.speaker_stats.pitch.copy_(torch.tensor([[5.3, 0.25], [4.7, 0.1]]))
    save_model(model, folder)
    return vqspeech.load(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> vqspeech.Model:
    return make(tmp_path_factory.mktemp("model"), *CHANGES)


def glide(seconds: float = 0.5, low: float = 110.0, high: float = 180.0) -> NDArray[np.float32]:
    phase = 2 * np.pi * np.cumsum(np.linspace(low, high, round(seconds * RATE))) / RATE
    return (0.05 * sum(np.sin(k * phase) / k for k in range(1, 10))).astype(np.float32)


def test_the_contour_is_the_sources_whatever_its_own_pitch(model: vqspeech.Model) -> None:
    low, high = (model.pitch(model.read(glide(low=f, high=1.6 * f)), "anna") for f in (100.0, 200.0))
    assert low is not None
    assert high is not None
    assert low.shape == (len(model.encode(glide())) * model.network.conditioner.frames_per_code, 3)
    both = (low[:, 1] > 0) & (high[:, 1] > 0)
    assert both.mean() > 0.8
    assert np.corrcoef(low[both, 0], high[both, 0])[0, 1] > 0.99
    np.testing.assert_allclose(low[both, 0], high[both, 0], atol=0.3)


def test_flat_is_a_monotone_that_keeps_the_voicing(model: vqspeech.Model) -> None:
    waveform = model.read(glide())
    source, flat = model.pitch(waveform, "anna"), model.pitch(waveform, "anna", f0="flat")
    assert source is not None
    assert flat is not None
    assert not flat[:, 0].any()
    np.testing.assert_array_equal(flat[:, 1:], source[:, 1:])


def test_a_shift_is_in_the_deviations_of_the_target(model: vqspeech.Model) -> None:
    waveform = model.read(glide())
    semitone = np.log(2) / 12
    for speaker, deviation in (("anna", 0.25), ("bert", 0.1)):
        plain, shifted = model.pitch(waveform, speaker), model.pitch(waveform, speaker, f0_shift=-3)
        assert plain is not None
        assert shifted is not None
        np.testing.assert_allclose(
            shifted[:, 0] - plain[:, 0], -3 * semitone / deviation * plain[:, 1], rtol=1e-4, atol=1e-5
        )


def test_convert_follows_the_intonation_that_is_asked_for(model: vqspeech.Model) -> None:
    waveform = glide(0.2)
    codes = model.encode(waveform, "anna")
    read = model.read(waveform)
    made = {f0: model.convert(waveform, "anna", f0=f0) for f0 in ("source", "target", "flat")}
    for f0, speech in made.items():
        pitch = model.pitch(read, "anna", f0=f0)
        np.testing.assert_array_equal(speech, model.decode(codes, "anna", pitch=pitch)[: len(waveform)])
    assert not np.array_equal(made["source"], made["flat"])
    assert not np.array_equal(made["source"], made["target"])


def test_a_model_without_pitch_converts_as_ever(tmp_path: Path) -> None:
    model = make(tmp_path)
    assert model.pitch(model.read(glide()), "anna") is None
    with pytest.raises(InputError, match="f0_shift"):
        model.convert(glide(), "anna", f0_shift=2)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (5, 2)])
def test_pitch_of_another_shape_is_refused(model: vqspeech.Model, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="pitch of shape"):
        model.decode([1, 2], "anna", pitch=np.zeros(shape))


def test_spectra_are_warped_towards_the_f0_of_the_voice(tmp_path: Path) -> None:
    front = ("model.encoder.front_end=log-mel", "model.encoder.mel_hop=32", "model.encoder.mel_bands=20")
    model = make(tmp_path, *CHANGES, *front, "model.encoder.strides=[2]", "model.encoder.f0_warp=1")
    anna, bert = 200.3, 109.9  # Hz, of the means in their statistics
    model.network.speaker_stats.pitch[:, 0] = torch.tensor([anna, bert]).log()
    plain = make(tmp_path / "plain", *CHANGES, *front, "model.encoder.strides=[2]")
    plain.network.load_state_dict(model.network.state_dict())
    waveform = model.read(glide(low=anna - 10, high=anna + 10))
    # A voice of the source's F0 leaves the spectra; another's does not; nor does a model that warps nothing.
    codes, pitch = model.adapt(waveform, "anna")
    assert (codes == plain.encode_waveform(waveform, "anna")).mean() > 0.9
    np.testing.assert_array_equal(pitch, model.pitch(waveform, "anna"))
    lower, _ = model.adapt(waveform, "bert", f0="target")
    assert (lower != plain.encode_waveform(waveform, "bert")).mean() > 0.2
    np.testing.assert_array_equal(lower, model.encode_waveform(waveform, "bert"))
    np.testing.assert_array_equal(plain.adapt(waveform, "bert")[0], plain.encode_waveform(waveform, "bert"))


@pytest.mark.parametrize(("name", "speaker"), [("slt-001", "bdl"), ("slt-002", "p226"), ("rms-001", "slt")])
def test_the_packaged_model_speaks_at_the_f0_of_the_voice(name: str, speaker: str) -> None:
    """Women to men and back: the codes hold the source's F0, and may not give it to the conversion."""
    model = vqspeech.load()
    spoken = model.convert(SAMPLE / f"{name}.flac", speaker)
    track = model.f0(spoken)
    target = model.network.speaker_stats.log_f0({model.speakers.index(speaker): 1.0})
    assert target is not None
    assert abs(float(np.median(np.log(track[track > 0]))) - target) < 0.2
