"""What ``--speaker`` takes: a name, or a blend of several."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import vqspeech
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.speaker_blend import parse_voice, voice_label
from vqspeech.training.config import read_preset

SPEAKERS = ("anna", "bert", "cyd", "p225", "odd:1,name")


def test_a_name_is_that_speaker_alone() -> None:
    assert parse_voice("bert", SPEAKERS) == {"bert": 1.0}
    assert parse_voice("bert:3", SPEAKERS) == {"bert": 1.0}


def test_a_name_with_a_colon_or_a_comma_is_still_a_name() -> None:
    assert parse_voice("odd:1,name", SPEAKERS) == {"odd:1,name": 1.0}


def test_weights_become_shares_in_the_order_given() -> None:
    assert parse_voice("bert:0.5,anna:0.5", SPEAKERS) == {"bert": 0.5, "anna": 0.5}
    assert list(parse_voice("bert:3, anna:1", SPEAKERS).items()) == [("bert", 0.75), ("anna", 0.25)]


@given(st.lists(st.floats(1e-300, 1e308), min_size=1, max_size=4))
def test_shares_add_up_to_one_whatever_the_weights(weights: list[float]) -> None:
    text = ",".join(f"{name}:{weight!r}" for name, weight in zip(SPEAKERS, weights, strict=False))
    assert math.fsum(parse_voice(text, SPEAKERS).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("p255", "nearest: p225"),
        ("", "no speaker ''"),
        ("anna:0.5,bret:0.5", "no speaker 'bret'; nearest: bert"),
        ("anna,bert", "no weight for 'anna'"),
        ("anna:0.5,bert", "no weight for 'bert'"),
        ("anna:0.5,", "no weight for ''"),
        ("anna:,bert:1", "'' is no weight"),
        ("anna:0,bert:1", "'0' is no weight"),
        ("anna:-1,bert:2", "'-1' is no weight"),
        ("anna:nan,bert:1", "'nan' is no weight"),
        ("anna:inf,bert:1", "'inf' is no weight"),
        ("anna:half,bert:half", "'half' is no weight"),
        ("anna:0.5,anna:0.5", "'anna' is there twice"),
    ],
)
def test_faults_are_one_line_with_a_cure(text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_voice(text, SPEAKERS)
    assert problem in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_a_file_name_tells_the_blend_without_a_colon() -> None:
    assert voice_label("anna") == "anna"
    assert voice_label("anna:0.75, bert:0.25") == "anna-0.75+bert-0.25"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with random weights and two voices."""
    torch.manual_seed(0)
    network = VQVAE(read_preset("tiny").model, ("anna", "bert"))
    network.quantizer.start(torch.randn(2000, 32))
    path = tmp_path_factory.mktemp("model")
    save_model(network, path)
    return path


@pytest.mark.parametrize("engine", ["torch", "auto"])
def test_a_model_speaks_in_a_blend_as_in_a_speaker(folder: Path, engine: Literal["torch", "auto"]) -> None:
    model = vqspeech.load(folder, engine=engine)
    codes = np.arange(8)
    alone = model.decode(codes, "anna")
    np.testing.assert_array_equal(model.decode(codes, "anna:7"), alone)
    blended = model.decode(codes, "anna:1,bert:3")
    assert blended.shape == alone.shape
    assert not np.array_equal(blended, alone)
    assert not np.array_equal(blended, model.decode(codes, "bert"))
    np.testing.assert_array_equal(model.decode(codes, "anna:0.25,bert:0.75"), blended)
    recording = 0.1 * np.random.default_rng(0).standard_normal(500)
    np.testing.assert_array_equal(
        model.convert(recording, "anna:1,bert:3"), model.decode(model.encode(recording), "anna:1,bert:3")[:500]
    )


def test_the_vector_of_a_blend_is_the_weighted_mean(folder: Path) -> None:
    model = vqspeech.load(folder)

    def vector(voice: str) -> torch.Tensor:
        (part,) = model.voice(voice).components
        return part.vector

    anna, bert = vector("anna"), vector("bert")
    assert torch.equal(anna, model.network.conditioner.speakers.weight[0])
    torch.testing.assert_close(vector("bert:3,anna:1"), 0.75 * bert + 0.25 * anna)


def test_a_bad_blend_is_refused_before_the_recording_is_read(folder: Path) -> None:
    with pytest.raises(InputError, match="no speaker 'carl'"):
        vqspeech.load(folder).convert("there-is-no-such.wav", "anna:1,carl:1")
