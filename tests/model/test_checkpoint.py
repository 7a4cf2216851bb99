"""``vqspeech.model.checkpoint``: a model directory comes back to the bit, and what is wrong with one is said."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from small_models import make_config, make_model

from vqspeech.errors import InputError, RenamedWarning
from vqspeech.model import checkpoint
from vqspeech.model.checkpoint import checksum, codes_checksum, load_model, model_folder, read_speakers, save_model
from vqspeech.model.legacy import current_names
from vqspeech.model.vqvae import VQVAE

FILES = ["config.yaml", "speakers.txt", "model.safetensors"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(make_model(), tmp_path / "model")
    return tmp_path / "model"


def issue(folder: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("update", ["loss", "ema"])
def test_everything_comes_back_to_the_bit(tmp_path: Path, update: str) -> None:
    model = make_model(make_config(quantizer={"update": update}))
    model.decoder.activation_peaks.uniform_()
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    assert loaded.config == model.config
    assert loaded.speakers == model.speakers == read_speakers(tmp_path)
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, tensor in loaded.state_dict().items():
        assert tensor.dtype == model.state_dict()[name].dtype
        assert torch.equal(tensor, model.state_dict()[name]), name
    trained = {name: parameter.requires_grad for name, parameter in loaded.named_parameters()}
    assert trained == {name: parameter.requires_grad for name, parameter in model.named_parameters()}


def test_a_full_disk_is_an_os_error_and_leaves_the_model_that_was_there(
    folder: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    before = {name: (folder / name).read_bytes() for name in FILES}
    other = make_model()
    torch.nn.init.zeros_(other.quantizer.codebook)
    with full_disk(), pytest.raises(OSError, match=r"model\.safetensors"):
        save_model(other, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_setting_that_models_had_not_yet_does_not_change_which_codes_are_whose(folder: Path) -> None:
    before = codes_checksum(folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["encoder"].pop("input_norm") is False  # newer than the first packaged model
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert codes_checksum(folder) == before


def test_a_loaded_model_computes_the_same(folder: Path) -> None:
    waveform, speaker = torch.randn(1, 160), torch.tensor([1])
    results = []
    for model in (make_model().eval(), load_model(folder)):
        quantized = model.quantize(waveform)
        results.append((quantized.codes, model.frames(quantized.values, speaker)))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_the_config_is_complete_and_plain_yaml(folder: Path) -> None:
    tree = yaml.safe_load((folder / "config.yaml").read_text())
    assert set(tree) == {"audio", "encoder", "quantizer", "conditioner", "decoder"}
    assert tree["encoder"]["strides"] == [4, 4]


def test_a_card_that_is_there_stays(folder: Path) -> None:
    (folder / "README.md").write_text("the card")
    save_model(make_model(seed=1), folder)
    assert (folder / "README.md").read_text() == "the card"


def test_the_checksum_is_of_the_weights(folder: Path, tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "same")
    save_model(make_model(seed=1), tmp_path / "other")
    assert checksum(folder) == checksum(tmp_path / "same") != checksum(tmp_path / "other")


def test_the_checksum_of_the_codes_is_of_what_decides_them(folder: Path, tmp_path: Path) -> None:
    for part in ("encoder", "quantizer", "decoder", "conditioner"):
        model = make_model()
        with torch.no_grad():
            for tensor in getattr(model, part).state_dict().values():
                if tensor.is_floating_point():
                    tensor.add_(1)
        save_model(model, tmp_path / part)
        assert (codes_checksum(tmp_path / part) == codes_checksum(folder)) == (part in ("decoder", "conditioner"))


def test_the_folder_of_an_experiment_stands_for_its_best_model(folder: Path, tmp_path: Path) -> None:
    best = tmp_path / "exp" / "checkpoints" / "best"
    shutil.copytree(folder, best)
    (tmp_path / "exp" / "config.yaml").write_text("the run's own preset")
    assert model_folder(tmp_path / "exp") == best
    assert load_model(tmp_path / "exp").speakers == ("ann", "bob", "cyd")


@pytest.mark.parametrize("missing", FILES)
def test_a_missing_file_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    error = issue(folder)
    assert error.where == str(folder)
    assert missing in error.problem


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in str(issue(tmp_path / "nowhere"))


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_truncated_weights_are_named(folder: Path, kept: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    assert issue(folder).where == str(weights)


def test_a_file_of_something_else_is_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"RIFF" + bytes(1000))
    assert issue(folder).where == str(folder / "model.safetensors")


@pytest.mark.parametrize("fault", ["shape", "missing", "extra"])
def test_tensors_that_do_not_fit_the_config_are_named(folder: Path, fault: str) -> None:
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    if fault == "shape":
        tensors["quantizer.codebook"] = torch.zeros(9, 5)
    elif fault == "missing":
        del tensors["quantizer.codebook"]
    else:
        tensors["quantizer.codebook2"] = torch.zeros(1)
    save_file(tensors, weights)
    error = issue(folder)
    assert error.where == str(weights)
    assert "quantizer.codebook" in error.problem


def test_another_number_of_speakers_is_told(folder: Path) -> None:
    (folder / "speakers.txt").write_text("ann\nbob\n")
    assert "conditioner.speakers" in issue(folder).problem


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("decoder.layers", 0, "layers"),
        ("decoder.layers", "many", "layers"),
        ("encoder.colour", 1, "colour"),
        ("encoder.strides", [], "strides"),
        ("conditioner.hop", 3, "conditioner.hop"),
        ("quantizer.update", "magic", "update"),
        ("audio", None, "audio"),
    ],
)
def test_a_config_that_is_wrong_is_named_with_its_key(folder: Path, path: str, value: Any, named: str) -> None:
    tree = yaml.safe_load((folder / "config.yaml").read_text())
    node = tree
    *parents, key = path.split(".")
    for parent in parents:
        node = node[parent]
    node[key] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(tree))
    error = issue(folder)
    assert error.where == str(folder / "config.yaml")
    assert named in error.problem


@pytest.mark.parametrize("text", [b"", b"audio: [", b"\xff\xfe\x00", b"a\x00b", b"- 1"])
def test_a_config_that_is_no_yaml_mapping_is_named(folder: Path, text: bytes) -> None:
    (folder / "config.yaml").write_bytes(text)
    assert issue(folder).where == str(folder / "config.yaml")


def test_speakers_that_are_no_text_are_named(folder: Path) -> None:
    (folder / "speakers.txt").write_bytes(b"ann\nb\xffb\ncyd\n")
    assert issue(folder).where == str(folder / "speakers.txt")


def test_interrupted_the_old_model_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_tensors: Any) -> bytes:
        raise KeyboardInterrupt

    before = contents(folder)
    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_model(other_model(), folder)
    assert contents(folder) == before
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)


class _KilledError(BaseException):
    """Stands for ``kill -9``: nothing of the dying process is run after it."""


def test_killed_at_any_step_a_model_is_the_old_or_the_new_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    save_model(make_model(), old)
    save_model(other_model(), new)
    (old / "README.md").write_text("the card")
    outcomes = []
    for steps in range(20):
        folder = tmp_path / f"killed-{steps}"
        shutil.copytree(old, folder)
        with monkeypatch.context() as patch:
            killed = dying_after(steps, patch)
            with contextlib.suppress(_KilledError):
                save_model(other_model(), folder)
        found = contents(model_folder(folder))
        assert found in (contents(old), contents(new))
        load_model(folder)
        assert (folder / "README.md").read_text() == "the card"
        outcomes.append(found == contents(new))
        if not killed:
            break
    assert outcomes == sorted(outcomes)
    assert len(outcomes) - sum(outcomes) >= 4  # three files, then the step that makes them count
    assert sum(outcomes) >= 4
    assert not killed


def dying_after(steps: int, patch: pytest.MonkeyPatch) -> list[str]:
    """Let so many changes of the file system happen, then none, not even those of cleaning up."""
    left = [steps]
    killed: list[str] = []

    def mortal(name: str, real: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            if not left[0]:
                killed.append(name)
                raise _KilledError(name)
            left[0] -= 1
            return real(*arguments, **named)

        return step

    for name in ("replace", "rename", "rmdir"):
        patch.setattr(Path, name, mortal(name, getattr(Path, name)))
    patch.setattr(tempfile.TemporaryDirectory, "cleanup", lambda _self: None)
    return killed


def test_the_next_save_clears_what_a_killed_one_left(folder: Path) -> None:
    (folder / ".saved").mkdir()
    for name in FILES[1:]:
        shutil.move(folder / name, folder / ".saved" / name)
    save_model(other_model(), folder)
    assert load_model(folder).speakers == other_model().speakers
    assert not (folder / ".saved").exists()


def other_model() -> VQVAE:
    """One that fits neither config nor speakers of ``make_model()``."""
    torch.manual_seed(1)
    return VQVAE(make_config(decoder={"residual": 7}), ("dan", "eve"))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_tensors_under_earlier_names_are_renamed_with_one_warning(tmp_path: Path) -> None:
    model = VQVAE(make_config(), ("ann", "bob"), adapters=[1])
    model.speaker_stats.update(0, torch.randn(50, model.config.encoder.dimension), model.quantizer)
    save_model(model, tmp_path)
    weights = tmp_path / "model.safetensors"
    earlier = {"speaker_stats.unigrams": "matching.shares", "speaker_stats.means": "matching.means"}
    stored = {
        earlier.get(name, name).replace("adapters.", "own."): tensor for name, tensor in load_file(weights).items()
    }
    assert {name.split(".")[0] for name in stored} >= {"own", "matching"}
    save_file(stored, weights)
    with pytest.warns(RenamedWarning, match=r"model\.safetensors: .* is now called") as caught:
        read = load_model(tmp_path)
    assert len(caught) == 1
    for name, tensor in model.state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor), name


def test_a_training_checkpoint_s_average_is_renamed_too() -> None:
    zeros = torch.zeros(2)
    stored = {"n_averaged": zeros, "module.own.3.conditioning.bias": zeros, "module.decoder.own.x": zeros}
    assert list(current_names(stored)) == ["n_averaged", "module.adapters.3.conditioning.bias", "module.decoder.own.x"]


def test_in_half_the_size_the_codes_are_the_same_and_the_rest_is_rounded(tmp_path: Path) -> None:
    model = make_model()
    save_model(model, tmp_path / "whole")
    save_model(model, tmp_path / "half", half=True)
    assert codes_checksum(tmp_path / "half") == codes_checksum(tmp_path / "whole")
    sizes = {name: (tmp_path / name / "model.safetensors").stat().st_size for name in ("whole", "half")}
    assert sizes["half"] < sizes["whole"]
    loaded = load_model(tmp_path / "half").state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == tensor.dtype, name
        torch.testing.assert_close(loaded[name], tensor, rtol=2**-11, atol=1e-7)
