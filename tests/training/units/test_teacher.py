"""``vqspeech.training.units.teacher``: the targets are the units that the earlier model gives whole utterances."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from small_units import make_pack, small_preset

from vqspeech.codes.duration_penalty import join_by_duration
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import load_model, save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.units.codebook import VECTORS, place_codebook
from vqspeech.training.units.teacher import Teacher

PACK = make_pack({"ann": [1.3, 0.7], "bob": [1.1]})


def model(folder: Path, *changes: str, seed: int = 3) -> Path:
    torch.manual_seed(seed)
    made = VQVAE(small_preset(*changes).model, ()).eval()
    place_codebook(made, PACK, vectors=100, seed=1)
    save_model(made, folder)
    return folder


def test_targets_are_the_units_of_each_whole_utterance(tmp_path: Path) -> None:
    folder = model(tmp_path / "model", "model.quantizer.codes=7")
    teacher = Teacher(folder, small_preset())
    assert teacher.units == 7
    found = teacher.targets(tmp_path / "targets", {"train": PACK}, torch.device("cpu"))["train"]
    start = 0
    for end in PACK.ends.tolist():
        first, last = -(-start // 320), end // 320
        waveform = torch.from_numpy(PACK.samples[first * 320 : last * 320].astype(np.float32) / 32767)
        expected = load_model(folder).quantize(waveform[None]).codes[0]
        np.testing.assert_array_equal(found[first:last], expected)
        if start % 320:
            assert found[first - 1] == -1  # shared by two utterances
        start = end
    assert len(np.unique(found)) > 2


def test_penalised_targets_are_the_cheapest_paths_through_the_vectors(tmp_path: Path) -> None:
    folder = model(tmp_path / "model", "model.quantizer.codes=7")
    network, cpu = load_model(folder), torch.device("cpu")
    nearest = Teacher(folder, small_preset()).targets(tmp_path / "nearest", {"train": PACK}, cpu)["train"]
    penalised = Teacher(folder, small_preset("training.targets.duration_penalty=0.3"))
    joined = penalised.targets(tmp_path / "joined", {"train": PACK}, cpu)["train"]
    waveform = torch.from_numpy(PACK.samples[: int(PACK.ends[0]) // 320 * 320].astype(np.float32) / 32767)
    with torch.no_grad():
        vectors = network.encoder(network.companding.preemphasise(waveform[None]))[0].t()  # (units, dimension)
    codebook = network.quantizer.codebook.detach()
    distances = torch.cdist(vectors, codebook).square().numpy()
    expected = join_by_duration(distances, penalty=0.3 * 2 * float(codebook.double().var(0, correction=0).sum()))
    np.testing.assert_array_equal(joined[: len(expected)], expected)
    changes = [np.count_nonzero(np.diff(part[: len(expected)])) for part in (nearest, joined)]
    assert changes[1] < changes[0]
    with pytest.raises(InputError, match="other clusters"):
        Teacher(folder, small_preset()).targets(tmp_path / "joined", {"train": PACK}, cpu)


def test_targets_may_be_more_units_than_the_earlier_model_has(tmp_path: Path) -> None:
    folder, cpu = model(tmp_path / "model"), torch.device("cpu")
    preset = small_preset("training.targets.units=20", "training.seed=4")
    teacher = Teacher(folder, preset)
    assert teacher.units == 20
    found = teacher.targets(tmp_path / "targets", {"train": PACK}, cpu)["train"]
    assert 10 < len(np.unique(found[found >= 0])) <= 20
    # They are those of a model that has the same encoder and was given so many.
    clustered = VQVAE(small_preset("model.quantizer.codes=20").model, ()).eval()
    clustered.encoder.load_state_dict(load_model(folder).encoder.state_dict())
    place_codebook(clustered, PACK, vectors=VECTORS, seed=4)
    waveform = torch.from_numpy(PACK.samples[: int(PACK.ends[0]) // 320 * 320].astype(np.float32) / 32767)
    expected = clustered.quantize(waveform[None]).codes[0]
    np.testing.assert_array_equal(found[: len(expected)], expected)
    with pytest.raises(InputError, match="other clusters"):
        Teacher(folder, small_preset("training.targets.units=19")).targets(tmp_path / "targets", {"train": PACK}, cpu)


def test_targets_are_kept_and_those_of_another_model_refused(tmp_path: Path) -> None:
    cache, cpu = tmp_path / "targets", torch.device("cpu")
    preset = small_preset()
    first, other = model(tmp_path / "first"), model(tmp_path / "other", seed=4)
    made = Teacher(first, preset).targets(cache, {"train": PACK}, cpu)["train"]
    written = cache.stat().st_mtime_ns
    again = Teacher(first, preset).targets(cache, {"train": PACK}, cpu)["train"]
    assert cache.stat().st_mtime_ns == written
    np.testing.assert_array_equal(made, again)
    with pytest.raises(InputError, match="other clusters"):
        Teacher(other, preset).targets(cache, {"train": PACK}, cpu)


def test_a_teacher_of_another_rate_is_refused(tmp_path: Path) -> None:
    slower = model(tmp_path, "model.encoder.strides=[4]", "model.conditioner.hop=640")
    with pytest.raises(InputError, match="25 units per second, the preset 50"):
        Teacher(slower, small_preset())


def test_a_teacher_without_log_mel_frames_is_refused(tmp_path: Path) -> None:
    preset = small_preset()
    ours = preset.model
    plain = {"front_end": "waveform", "strides": (5, 8, 8), "block": "plain", "input_norm": False}
    encoder = msgspec.structs.replace(ours.encoder, **plain)
    save_model(VQVAE(msgspec.structs.replace(ours, encoder=encoder), ()), tmp_path)
    with pytest.raises(InputError, match="log-mel"):
        Teacher(tmp_path, preset)
