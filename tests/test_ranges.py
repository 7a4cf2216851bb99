"""Numbers of options and arguments."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

import vqspeech
from vqspeech import ranges
from vqspeech.errors import InputError


@pytest.mark.parametrize("text", ["-1", "nan", "1e400", "x", "", "1.5", "9" * 5000, str(2**32)])
def test_what_is_no_seed_is_told_with_the_range(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number from 0 to 4294967295"):
        ranges.SEED(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e400", "0", "x"])
def test_a_mass_is_above_zero(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number above 0 to 1"):
        ranges.MASS(text)


def test_what_is_inside_is_taken() -> None:
    assert ranges.SEED("0") == 0
    assert ranges.SHARE("1") == 1.0
    assert ranges.MASS("1e-3") == 1e-3
    ranges.SEED.check(np.int64(3), "seed")
    ranges.TEMPERATURE.check(np.float32(0), "temperature")


@pytest.mark.parametrize("value", [-1, 1.5, "3", None, float("nan"), 10**400])
def test_an_argument_outside_is_an_input_error(value: object) -> None:
    with pytest.raises(InputError, match="seed is"):
        ranges.SEED.check(value, "seed")


@pytest.mark.parametrize(
    "wrong", [{"threads": 0}, {"threads": -1}, {"post_filter": float("nan")}, {"engine": "x"}, {"precision": "fp8"}]
)
def test_loading_checks_its_numbers(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        vqspeech.load(**wrong)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"temperature": float("nan")}, {"temperature": -1.0}])
def test_decoding_checks_its_numbers(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        vqspeech.load().decode([1, 2], "p225", **wrong)


def test_a_temperature_too_small_for_float32_is_zero() -> None:
    model = vqspeech.load(engine="torch")
    drawn = [model.decode([1], "p225", temperature=value) for value in (0.0, 1e-300)]
    assert np.array_equal(*drawn)
