"""``vqspeech.model.packaged``: names before paths, and only strings are names."""

from __future__ import annotations

from pathlib import Path

import pytest

import vqspeech
from vqspeech.model import packaged
from vqspeech.model.packaged import PRETRAINED, PURPOSES, find_model, packaged_models


def test_every_packaged_model_has_a_card_and_a_purpose_and_is_small() -> None:
    found = packaged_models()
    assert next(iter(found)) == "default"
    assert set(found) == set(PURPOSES)
    for folder in found.values():
        assert (folder / "README.md").is_file()
    assert sum(file.stat().st_size for file in found["units"].iterdir()) <= 8e6


def test_the_prior_of_the_default_is_no_model() -> None:
    assert "prior" not in packaged_models()


def test_a_name_goes_before_a_folder_and_a_path_is_never_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "units").mkdir()
    assert find_model(None) == find_model("default") == PRETRAINED
    assert find_model("units") == PRETRAINED / "units"
    assert find_model("./units") == find_model(Path("units")) == Path("units")
    with pytest.raises(vqspeech.InputError, match="no config"):
        vqspeech.load("./units")


def test_a_folder_without_weights_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.safetensors").touch()
    monkeypatch.setattr(packaged, "PRETRAINED", tmp_path)
    assert list(packaged_models()) == ["default", "one"]
