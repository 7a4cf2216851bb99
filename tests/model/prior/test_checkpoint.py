"""``vqspeech.model.prior.checkpoint``: what was saved is loaded, and what cannot be is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
import yaml
from small_priors import NETWORKS, make_prior

from vqspeech.errors import InputError
from vqspeech.model.prior.checkpoint import load_prior, prior_folder, save_prior


def issue(folder: Path, **options: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_prior(folder, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_a_prior_comes_back_as_it_was_up_to_the_rounding_of_its_weights(kind: str, tmp_path: Path) -> None:
    prior = make_prior(kind)
    save_prior(prior, tmp_path)
    again = load_prior(tmp_path)
    assert again.config == prior.config
    assert again.speakers == prior.speakers
    assert not again.training
    for name, tensor in prior.state_dict().items():
        loaded = again.state_dict()[name]
        assert loaded.dtype == torch.float32
        torch.testing.assert_close(loaded, tensor, rtol=2**-11, atol=1e-6)
    save_prior(again, tmp_path / "again")
    assert (tmp_path / "again" / "prior.safetensors").read_bytes() == (tmp_path / "prior.safetensors").read_bytes()


def test_a_full_disk_is_an_os_error_and_leaves_the_weights_that_were_there(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    save_prior(make_prior(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(), pytest.raises(OSError, match=r"prior\.safetensors"):
        save_prior(make_prior(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_config_names_every_number(tmp_path: Path) -> None:
    save_prior(make_prior("transformer"), tmp_path)
    tree = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert set(tree) == {"codes", "made_by", "bigrams", "network"}
    assert tree["network"]["kind"] == "transformer"
    assert len(tree["network"]) == 7


def test_a_card_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("about it")
    save_prior(make_prior(), tmp_path)
    assert (tmp_path / "README.md").read_text() == "about it"


@pytest.mark.parametrize("inside", ["", "checkpoints/best", "prior", "checkpoints/best/prior"])
def test_it_is_found_in_an_experiment_and_in_a_model(tmp_path: Path, inside: str) -> None:
    save_prior(make_prior(), tmp_path / inside)
    assert prior_folder(tmp_path) == tmp_path / inside


def test_a_folder_without_one_is_told_how_to_get_one(tmp_path: Path) -> None:
    error = issue(tmp_path)
    assert error.where == str(tmp_path)
    assert "train-prior" in str(error.hint)


def test_a_prior_of_another_models_codes_is_refused(tmp_path: Path) -> None:
    prior = make_prior()
    save_prior(prior, tmp_path)
    load_prior(tmp_path, made_by="b" * 64)  # It does not know whose codes it has learnt.
    save_prior(_made_by(prior, "a" * 64), tmp_path)
    load_prior(tmp_path)
    load_prior(tmp_path, made_by="a" * 64)
    error = issue(tmp_path, made_by="b" * 64)
    assert "another model" in error.problem
    assert "--model" in str(error.hint)


def _made_by(prior, checksum: str):
    from msgspec.structs import replace

    prior.config = replace(prior.config, made_by=checksum)
    return prior


@pytest.mark.parametrize("name", ["config.yaml", "speakers.txt"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    save_prior(make_prior(), tmp_path)
    (tmp_path / name).unlink()
    assert name in issue(tmp_path).problem


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("config.yaml", b"codes: [", "not YAML"),
        ("config.yaml", b"codes: 7", "made_by"),
        ("config.yaml", b"\xff\xfe", "not a YAML text"),
        ("speakers.txt", b"\xff", "not UTF-8"),
        ("speakers.txt", b"ann\nbob\ncyd\n", "does not fit"),
        ("prior.safetensors", b"something else", "damaged"),
        ("prior.safetensors", b"", "damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    save_prior(make_prior(), tmp_path)
    (tmp_path / name).write_bytes(content)
    error = issue(tmp_path)
    assert problem in error.problem
    assert error.where == str(tmp_path / (name if "fit" not in problem else "prior.safetensors"))


def test_loading_disturbs_no_random_numbers(tmp_path: Path) -> None:
    save_prior(make_prior(), tmp_path)
    state = torch.get_rng_state()
    load_prior(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
