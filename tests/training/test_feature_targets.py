"""Another model's features as targets: their times, what they teach, and files that will not do."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from small_training import RATE, make_pack, make_preset, write_data

import vqspeech
from vqspeech.cli.main import main
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import load_model
from vqspeech.model.packaged import find_model
from vqspeech.torchaudio_import import torchaudio
from vqspeech.training.config import FeatureConfig
from vqspeech.training.feature_targets import FeatureTargets
from vqspeech.training.feature_teachers import UNITS, TorchaudioTeacher
from vqspeech.training.vqvae_task import VQVAETask
from vqspeech.training.warm_start import initialise_from

DIMENSION = 16
CONFIG = FeatureConfig(model="hubert_base", layer=2, weight=1.0)
WITH_FEATURES = (
    f"model.conditioner.features={DIMENSION}",
    "training.features={model: hubert_base, layer: 2, weight: 1.0}",
)


def small_hubert() -> torch.nn.Module:
    """HuBERT's shape with its seven convolutions, random and tiny."""
    strides = (5, 2, 2, 2, 2, 2, 2)
    kernels = (10, 3, 3, 3, 3, 2, 2)
    made: torch.nn.Module = torchaudio.models.wav2vec2_model(
        "group_norm", [(8, kernel, stride) for kernel, stride in zip(kernels, strides, strict=True)], False,
        DIMENSION, 0.0, 16, 4, 3, 2, 0.0, 32, 0.0, 0.0, False, 0.0, None,
    )  # fmt: skip
    return made


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a small random HuBERT, which takes the place of HuBERT base."""
    monkeypatch.setattr(torchaudio.models, "hubert_base", small_hubert)
    torch.manual_seed(1)
    file = tmp_path / "hubert.pth"
    torch.save(small_hubert().state_dict(), file)
    return file


@pytest.mark.parametrize(("rate", "hop"), [(16000, 64), (16000, 320), (16000, 640), (8000, 64), (24000, 128)])
def test_each_frame_has_the_features_of_its_time(weights: Path, rate: int, hop: int) -> None:
    waveform = torch.randn(2, rate // 2) / 10
    found = FeatureTargets(CONFIG, weights, sample_rate=rate, hop=hop)(waveform)
    model = small_hubert().eval()
    model.load_state_dict(torch.load(weights))
    with torch.no_grad():
        resampled = torchaudio.functional.resample(waveform, rate, TorchaudioTeacher.rate)
        layers, _ = model.extract_features(resampled)  # type: ignore[operator]
    own = layers[1].numpy().astype(np.float64)
    own = (own - own.mean(2, keepdims=True)) / np.sqrt(own.var(2, keepdims=True) + 1e-5)
    # The middle of the 400 samples that each frame of the model sees, in seconds, and of the frames wanted.
    times = (np.arange(own.shape[1]) * TorchaudioTeacher.hop + 200) / TorchaudioTeacher.rate
    wanted = (np.arange(waveform.shape[1] // hop) + 0.5) * hop / rate
    expected = np.stack([[np.interp(wanted, times, row[:, d]) for d in range(DIMENSION)] for row in own])
    assert found.shape == (2, waveform.shape[1] // hop, DIMENSION)
    torch.testing.assert_close(found.double(), torch.from_numpy(expected.transpose(0, 2, 1)), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("rate", "hop"), [(16000, 64), (16000, 640), (8000, 64)])
def test_those_of_a_unit_model_are_its_blocks_outputs(rate: int, hop: int) -> None:
    config = FeatureConfig(model=UNITS, layer=3, weight=1.0)
    waveform = torch.randn(2, rate // 2) / 10
    found = FeatureTargets(config, find_model(UNITS), sample_rate=rate, hop=hop)(waveform)
    model = load_model(find_model(UNITS))
    resampled = torchaudio.functional.resample(waveform, rate, 16000)
    with torch.no_grad():
        hidden = model.encoder.hidden(model.encoder.features(model.companding.preemphasise(resampled)))[3]
    own = hidden.transpose(1, 2).numpy().astype(np.float64)  # (batch, units, channels)
    own = (own - own.mean(2, keepdims=True)) / np.sqrt(own.var(2, keepdims=True) + 1e-5)
    times = (np.arange(own.shape[1]) + 0.5) / 50  # the middle of each unit, in seconds
    wanted = (np.arange(waveform.shape[1] // hop) + 0.5) * hop / rate
    expected = np.stack([[np.interp(wanted, times, row[:, d]) for d in range(own.shape[2])] for row in own])
    assert found.shape == expected.transpose(0, 2, 1).shape
    torch.testing.assert_close(found.double(), torch.from_numpy(expected.transpose(0, 2, 1)), atol=1e-4, rtol=1e-4)


def test_they_teach_the_encoder(weights: Path) -> None:
    """With no other loss, the encoder learns from them alone; the large model itself stays as it was."""
    preset = make_preset(*WITH_FEATURES, "training.mel_weight=0.0", "training.decode_from=1000")
    pack = make_pack()
    hop = preset.model.conditioner.hop
    targets = FeatureTargets(CONFIG, weights, sample_rate=RATE, hop=hop)
    task = VQVAETask(preset, pack, pack, features=targets)
    before = [p.clone() for p in targets.teacher.network.parameters()]
    optimizer = torch.optim.Adam(task.model.parameters(), lr=0.01)
    errors = []
    for step in range(30):
        torch.manual_seed(step)
        loss, terms = task.loss(task.model, task.train(0), 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(float(terms["features"]))
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in task.model.encoder.parameters())
    assert errors[-1] < 0.9 * errors[0]
    assert all(torch.equal(old, new) for old, new in zip(before, targets.teacher.network.parameters(), strict=True))


def test_by_the_command_and_without_the_head_afterwards(weights: Path, tmp_path: Path) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "exp"
    preset = make_preset(*WITH_FEATURES)
    file = tmp_path / "preset.yaml"
    file.write_bytes(msgspec.yaml.encode(preset))
    command = ["train", str(file), "--data", str(data), "--dev", str(data), "--out", str(out), "--device", "cpu"]
    assert main([*command, "--features", str(weights)]) == 0
    assert "features" in (out / "train.log").read_text()
    trained = load_model(out)
    assert trained.conditioner.feature_head is not None
    assert vqspeech.load(out).encode(np.zeros(4000, np.float32)).size  # nothing else needs the weights of that model
    plain = VQVAETask(make_preset(), make_pack(), make_pack()).model
    plain = type(plain)(plain.config, trained.speakers)
    initialise_from(plain, trained, where="exp")
    assert torch.equal(plain.encoder.projection.weight, trained.encoder.projection.weight)


def test_what_will_not_do_is_one_line(weights: Path, tmp_path: Path) -> None:
    def problem(config: FeatureConfig, file: Path) -> str:
        with pytest.raises(InputError) as caught:
            FeatureTargets(config, file, sample_rate=RATE, hop=32)
        assert caught.value.hint
        assert str(file) in str(caught.value)
        return caught.value.problem

    noise, other = tmp_path / "noise.pth", tmp_path / "other.pth"
    noise.write_bytes(bytes(range(256)) * 8)
    torch.save({"weight": torch.zeros(3)}, other)
    assert "no such file" in problem(CONFIG, tmp_path / "absent.pth")
    assert "not the weights" in problem(CONFIG, noise)
    assert "not the weights of hubert_base" in problem(CONFIG, other)
    assert "layer is 8" in problem(FeatureConfig(model=UNITS, layer=8, weight=1.0), find_model(UNITS))
    assert "layer is 9" in problem(msgspec.structs.replace(CONFIG, layer=9), weights)
    torch.save([1, 2], other)
    assert "not the weights of hubert_base" in problem(CONFIG, other)


def test_a_preset_names_head_and_model_together() -> None:
    for change in WITH_FEATURES:
        with pytest.raises(InputError, match=r"model\.conditioner\.features is"):
            make_preset(change)
    pack = make_pack()
    with pytest.raises(InputError, match="another model's features"):
        VQVAETask(make_preset(*WITH_FEATURES), dataclasses.replace(pack), pack)


def test_the_head_has_as_many_values_as_the_features(weights: Path) -> None:
    preset, pack = make_preset(*WITH_FEATURES, "model.conditioner.features=15"), make_pack()
    targets = FeatureTargets(CONFIG, weights, sample_rate=RATE, hop=preset.model.conditioner.hop)
    with pytest.raises(InputError, match="is 15, the model's features have 16") as caught:
        VQVAETask(preset, pack, pack, features=targets)
    assert caught.value.hint == "set model.conditioner.features=16"
