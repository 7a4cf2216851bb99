"""Spectra whose frequency axis is scaled."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_models import make_config

from vqspeech.errors import InputError
from vqspeech.model.frequency_warp import MOST, f0_factor, warp_spectra


@given(bins=st.integers(2, 40), factors=st.lists(st.floats(0.5, 2.0), min_size=1, max_size=3))
def test_each_row_is_interpolated_at_frequencies_of_its_own_scale(bins: int, factors: list[float]) -> None:
    power = torch.rand(len(factors), 3, bins, dtype=torch.double)
    found = warp_spectra(power, torch.tensor(factors, dtype=torch.double)[:, None])
    for row, factor, made in zip(power.numpy(), factors, found.numpy(), strict=True):
        for frame, warped in zip(row, made, strict=True):
            wanted = np.interp(np.arange(bins) / factor, np.arange(bins), frame)
            np.testing.assert_allclose(warped, wanted, atol=1e-9)


def test_a_peak_moves_up_by_the_factor() -> None:
    power = torch.zeros(1, 1, 129)
    power[0, 0, 40] = 1
    assert int(warp_spectra(power, 1.25).argmax()) == 50
    assert torch.equal(warp_spectra(power, 1.0), power)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_factor_goes_its_share_of_the_way_and_not_too_far(share: float) -> None:
    low, high = math.log(100), math.log(120)
    assert f0_factor(low, high, share) == pytest.approx(1.2**share)
    assert f0_factor(high, low, share) == pytest.approx(1.2**-share)
    assert f0_factor(low, low + 2, 1.0) == MOST == pytest.approx(1 / f0_factor(low, low - 2, 1.0))


def test_a_config_that_could_not_warp_is_refused() -> None:
    with pytest.raises(InputError, match="f0_warp needs log-mel spectra and pitch"):
        make_config(encoder={"f0_warp": 0.5}).check("a preset")
