"""Model directories of others: no size, number or nesting in them is a traceback or fills the memory."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_models import make_model

from vqspeech.errors import InputError
from vqspeech.model.checkpoint import load_model, save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model."""
    folder = tmp_path_factory.mktemp("model")
    save_model(make_model(), folder)
    return folder


@pytest.mark.parametrize(
    "line",
    [
        "  layers: 1000000000", "  channels: 1000000000", "  residual: 99999999999999999999", "  codes: 1000000000",
        "  mel_bands: 2001-99-99", "  channels: !!bool x", "  gain: .nan", "  gain: .inf", "  gain: 1e400",
        "  strides: [4096, 4096, 4096, 4096]", "  dilations: [1000000000]", "  kernel: 1000000",
        "  levels: " + "[" * 3000, "- " * 5000 + "x", "  gain: &a [*a]", "\tx", "  levels: " + "9" * 5000,
    ],
)  # fmt: skip
def test_a_config_of_senseless_numbers(tmp_path: Path, folder: Path, line: str) -> None:
    model = shutil.copytree(folder, tmp_path / "m")
    key = line.strip().split(":")[0]
    lines = (model / "config.yaml").read_text().splitlines()
    places = [place for place, text in enumerate(lines) if text.startswith(f"  {key}:")] or [0]
    for place in places:
        lines[place] = line
        while place + 1 < len(lines) and lines[place + 1].lstrip().startswith("- "):
            del lines[place + 1]  # the list that was there
            places = places[:1]
    (model / "config.yaml").write_text("\n".join(lines))
    began = time.process_time()
    with pytest.raises(InputError, match="m/"):
        load_model(model)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path: Path, folder: Path, number: float) -> None:
    model = shutil.copytree(folder, tmp_path / "m")
    tensors = load_file(model / "model.safetensors")
    name = next(name for name in tensors if name.endswith("weight"))
    tensors[name] = torch.full_like(tensors[name], number)
    save_file(tensors, model / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors: .* not finite|NaN or infinite"):
        load_model(model)
