"""``vqspeech.load()`` and what a loaded model does, on a model of random weights: shapes, seeds, seams, faults."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import vqspeech
from vqspeech import audio
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset

RATE, HOP = 16_000, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with random weights and three speakers."""
    torch.manual_seed(0)
    model = VQVAE(read_preset("tiny").model, ("anna", "bert", "p225"))
    model.quantizer.start(torch.randn(2000, 32))
    path = tmp_path_factory.mktemp("model")
    save_model(model, path)
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> vqspeech.Model:
    return vqspeech.load(folder)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def test_a_code_lasts_one_hop_and_the_last_is_filled_up(model: vqspeech.Model) -> None:
    for samples in (1, HOP - 1, HOP, HOP + 1, 1600):
        codes = model.encode(noise(1)[:samples])
        assert codes.shape == (-(-samples // HOP),)
        assert codes.dtype == np.int32
        assert 0 <= codes.min() <= codes.max() < 128


def test_speech_decodes_to_a_hop_a_code_and_converts_to_its_own_length(model: vqspeech.Model) -> None:
    assert model.decode(np.array([3, 5, 7]), "anna").shape == (3 * HOP,)
    converted = model.convert(noise(0.1)[:1001], "bert")
    assert converted.shape == (1001,)
    assert converted.dtype == np.float32
    assert np.isfinite(converted).all()


def test_convert_is_encode_then_decode(model: vqspeech.Model) -> None:
    waveform = noise(0.1)
    decoded = model.decode(model.encode(waveform), "anna", seed=3)
    np.testing.assert_array_equal(model.convert(waveform, "anna", seed=3), decoded[: len(waveform)])


def test_the_seed_decides_the_samples_and_the_speaker_the_voice(model: vqspeech.Model) -> None:
    codes = model.encode(noise(0.1))
    first = model.decode(codes, "anna", seed=1)
    np.testing.assert_array_equal(first, model.decode(codes, "anna", seed=1))
    assert not np.array_equal(first, model.decode(codes, "anna", seed=2))
    assert not np.array_equal(first, model.decode(codes, "bert", seed=1))


def test_several_at_once_are_what_each_is_alone(model: vqspeech.Model) -> None:
    sequences = [model.encode(noise(seconds, seed=i)) for i, seconds in enumerate((0.05, 0.12, 0.01))]
    together = model.decode_many(sequences, "anna", seed=4)
    for codes, waveform in zip(sequences, together, strict=True):
        np.testing.assert_array_equal(waveform, model.decode(codes, "anna", seed=4))


def test_each_sequence_may_have_a_voice_of_its_own(model: vqspeech.Model) -> None:
    sequences = [model.encode(noise(seconds, seed=i)) for i, seconds in enumerate((0.05, 0.02, 0.05))]
    voices = ["anna", "p225", "bert"]
    for codes, voice, waveform in zip(sequences, voices, model.decode_many(sequences, voices, seed=4), strict=True):
        np.testing.assert_array_equal(waveform, model.decode(codes, voice, seed=4))


def test_voices_are_as_many_as_sequences(model: vqspeech.Model) -> None:
    codes = np.array([1, 2, 3])
    assert model.decode_many([], "anna") == model.decode_many([], []) == []
    with pytest.raises(InputError, match="2 speakers for 3 sequences"):
        model.decode_many([codes] * 3, ["anna", "bert"])
    with pytest.raises(InputError, match="no speaker 'carl'"):
        model.decode_many([codes] * 2, ["anna", "carl"])


def test_a_long_recording_is_encoded_in_blocks_without_a_seam(
    model: vqspeech.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = noise(7.3)
    whole = model.encode(waveform)
    monkeypatch.setattr("vqspeech.inference.waveform_encoder._BLOCK_SECONDS", 1)
    # Rounding in convolutions of another length may tip a vector that lies between two codes.
    assert (model.encode(waveform) != whole).mean() < 1e-3


def test_a_long_sequence_is_cut_and_the_same_whatever_runs_beside_it(
    folder: Path, model: vqspeech.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vqspeech.generation.chunks.SHORTEST", 0.1)
    monkeypatch.setattr("vqspeech.generation.chunks.LONGEST", 0.15)
    codes = model.encode(noise(0.5))
    short = codes[:20]
    seen: list[tuple[int, int]] = []
    expected = model.decode(codes, "anna", seed=4, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] > len(expected) == len(codes) * HOP
    other = vqspeech.load(folder, threads=2)
    spoken = other.decode_many([short, codes, short, codes], ["bert", "anna", "anna", "anna"], seed=4)
    np.testing.assert_array_equal(spoken[1], expected)
    np.testing.assert_array_equal(spoken[3], expected)
    np.testing.assert_array_equal(spoken[2], model.decode(short, "anna", seed=4))


def test_loudness_of_the_recording_does_not_matter(model: vqspeech.Model) -> None:
    waveform = noise(0.5)
    assert (model.encode(waveform) == model.encode(waveform * 0.05)).mean() > 0.999


def test_silence_gives_finite_speech(model: vqspeech.Model) -> None:
    assert np.isfinite(model.convert(np.zeros(800, np.float32), "anna")).all()


def test_code_info_tells_rate_and_model(model: vqspeech.Model) -> None:
    info = model.code_info
    assert (info.codebook_size, info.frame_period, info.offset) == (128, HOP / RATE, HOP / 2 / RATE)
    assert info.checksum is not None
    assert len(info.checksum) == 64


def test_an_unknown_speaker_is_told_the_nearest(model: vqspeech.Model) -> None:
    with pytest.raises(InputError, match=r"no speaker 'p255'; nearest: p225.*vqspeech speakers"):
        model.convert(noise(0.1), "p255")


@pytest.mark.parametrize(
    ("waveform", "problem"),
    [
        (np.zeros(0, np.float32), "shape"),
        (np.zeros((2, 100), np.float32), "shape"),
        (np.array([0.0, np.nan], np.float32), "NaN"),
    ],
)
def test_unusable_waveforms_are_refused(model: vqspeech.Model, waveform: np.ndarray, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        model.encode(waveform)


@pytest.mark.parametrize("codes", [np.array([128]), np.array([-1]), np.array([0.5]), np.zeros((2, 2), int), []])
def test_unusable_codes_are_refused(model: vqspeech.Model, codes: np.ndarray) -> None:
    with pytest.raises(InputError, match="code"):
        model.decode(codes, "anna")


def test_a_temperature_of_zero_needs_no_seed_and_a_negative_one_is_refused(model: vqspeech.Model) -> None:
    codes = model.encode(noise(0.05))
    np.testing.assert_array_equal(
        model.decode(codes, "anna", seed=1, temperature=0), model.decode(codes, "anna", seed=2, temperature=0)
    )
    with pytest.raises(InputError, match="temperature"):
        model.decode(codes, "anna", temperature=-1)


def test_no_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config.yaml.*model directory"):
        vqspeech.load(tmp_path)


def test_the_packaged_model_speaks_in_the_voices_of_its_list() -> None:
    model = vqspeech.load()
    assert "p225" in model.speakers
    assert model.convert(noise(0.05), "p225").shape == (800,)


@pytest.fixture(scope="module")
def measured(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> vqspeech.Model:
    """The model again, which now knows what its voices' codes are like."""
    model = vqspeech.load(folder)
    for speaker in range(3):
        vectors = torch.randn(300, 32, generator=torch.Generator().manual_seed(speaker)) + speaker
        model.network.speaker_stats.update(speaker, vectors, model.network.quantizer)
    path = tmp_path_factory.mktemp("measured")
    save_model(model.network, path)
    return vqspeech.load(path)


def test_codes_for_a_voice_are_brought_to_it(measured: vqspeech.Model, model: vqspeech.Model) -> None:
    waveform = noise(0.5)
    plain = measured.encode(waveform)
    np.testing.assert_array_equal(plain, model.encode(waveform))
    anna, bert = measured.encode(waveform, "anna"), measured.encode(waveform, "bert")
    assert anna.shape == bert.shape == plain.shape
    assert (anna != plain).any()
    assert (anna != bert).any()
    levelled = measured.read(waveform)
    everywhere = torch.ones(len(plain), dtype=torch.bool)
    expected = measured.network.adapted_codes(measured.vectors(levelled), everywhere, {1: 1.0})
    np.testing.assert_array_equal(bert, expected.numpy())


def test_convert_speaks_codes_that_were_brought_to_the_voice(measured: vqspeech.Model) -> None:
    waveform = noise(0.1)
    for voice in ("bert", "anna:0.5,bert:0.5"):
        decoded = measured.decode(measured.encode(waveform, voice), voice)
        np.testing.assert_array_equal(measured.convert(waveform, voice), decoded)


def test_long_silence_hardly_changes_how_codes_are_brought_to_a_voice(measured: vqspeech.Model) -> None:
    waveform = np.concatenate([noise(2.0), np.zeros(6 * RATE, np.float32)])
    alone = measured.encode(waveform[: 2 * RATE], "anna")
    padded = measured.encode(waveform, "anna")[: len(alone)]
    vectors = measured.vectors(measured.read(waveform))
    everywhere = torch.ones(len(vectors), dtype=torch.bool)
    careless = measured.network.adapted_codes(vectors, everywhere, {0: 1.0}).numpy()[: len(alone)]
    assert (padded != alone).mean() < 0.5 * (careless != alone).mean()


def test_a_model_whose_voices_were_not_measured_speaks_the_codes_as_they_are(model: vqspeech.Model) -> None:
    waveform = noise(0.1)
    np.testing.assert_array_equal(model.encode(waveform, "anna"), model.encode(waveform))


def test_codes_for_an_unknown_voice_are_refused(measured: vqspeech.Model) -> None:
    with pytest.raises(InputError, match="p255"):
        measured.encode(noise(0.1), "p255")


def test_a_part_of_an_array_is_that_of_a_file(tmp_path: Path, model: vqspeech.Model) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    audio.write(tmp_path / "a.wav", noise)
    whole = audio.read(tmp_path / "a.wav")
    for part in ({"start": 0.25, "end": 0.5}, {"start": 0.25}, {"end": 0.5}, {"start": 0.9, "end": 1.4}):
        np.testing.assert_array_equal(model.read(whole, **part), model.read(tmp_path / "a.wav", **part))
    for wrong in ({"start": -1.0}, {"start": 1.0}, {"start": 0.5, "end": 0.5}, {"end": 2.0}, {"start": float("nan")}):
        with pytest.raises(InputError):
            model.read(whole, **wrong)


def test_a_model_goes_to_other_processes(model: vqspeech.Model) -> None:
    again = pickle.loads(pickle.dumps(model))
    voice = model.speakers[0]
    np.testing.assert_array_equal(again.decode([1, 2, 3], voice), model.decode([1, 2, 3], voice))
    assert (again.engine.name, again.speakers) == (model.engine.name, model.speakers)


def test_a_device_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="no device"):
        vqspeech.load(device="gpu")
