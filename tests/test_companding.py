"""``vqspeech.companding``: each step has an exact inverse, and a stream can be undone piece by piece."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from vqspeech.companding import Companding, de_emphasis, mu_law_decode, mu_law_encode, pre_emphasis

waveforms = npst.arrays(np.float32, st.integers(1, 300), elements=st.floats(-1, 1, width=32))
coefficients = st.floats(0, 0.97)


@pytest.mark.parametrize("levels", [2, 16, 255, 256, 512, 1024])
def test_every_class_is_its_own_code(levels: int) -> None:
    classes = torch.arange(levels)
    assert torch.equal(mu_law_encode(mu_law_decode(classes, levels), levels), classes)


def test_amplitudes_rise_from_minus_1_to_1_and_are_symmetric() -> None:
    amplitudes = mu_law_decode(torch.arange(256))
    assert amplitudes[0] == -1
    assert amplitudes[-1] == 1
    assert (amplitudes.diff() > 0).all()
    torch.testing.assert_close(amplitudes, -amplitudes.flip(0))


def test_encoding_follows_the_formula() -> None:
    for x in (-1.0, -0.3, -0.001, 0.0, 0.02, 0.7, 1.0):
        compressed = math.copysign(math.log1p(255 * abs(x)) / math.log1p(255), x)
        assert int(mu_law_encode(torch.tensor(x))) == math.floor((compressed + 1) / 2 * 255 + 0.5)


@settings(deadline=None)
@given(x=st.floats(-1, 1, width=32))
def test_the_nearest_class_in_the_companded_scale_is_taken(x: float) -> None:
    def compress(amplitude: float) -> float:
        return math.copysign(math.log1p(255 * abs(amplitude)) / math.log1p(255), amplitude)

    coded = float(mu_law_decode(mu_law_encode(torch.tensor(x))))
    assert abs(compress(coded) - compress(x)) <= 1 / 255 + 1e-5


@settings(deadline=None)
@given(x=st.floats(-100, 100, width=32))
def test_what_exceeds_full_scale_takes_the_outermost_class(x: float) -> None:
    code = int(mu_law_encode(torch.tensor(x)))
    assert 0 <= code <= 255
    assert code == 255 or x < 1
    assert code == 0 or x > -1


@settings(deadline=None)
@given(waveform=waveforms, coefficient=coefficients)
def test_de_emphasis_undoes_pre_emphasis(waveform: np.ndarray, coefficient: float) -> None:
    emphasised = pre_emphasis(torch.from_numpy(waveform).double(), coefficient).numpy()
    restored, _ = de_emphasis(emphasised, coefficient)
    assert restored.dtype == np.float64
    np.testing.assert_allclose(restored, waveform, atol=1e-12)


@settings(deadline=None)
@given(waveform=waveforms, coefficient=coefficients, data=st.data())
def test_both_can_be_done_piece_by_piece(waveform: np.ndarray, coefficient: float, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(waveform)), max_size=4)))
    pieces = np.split(waveform, cuts)
    signal = torch.from_numpy(waveform)
    whole = pre_emphasis(signal, coefficient)
    emphasised = [
        pre_emphasis(torch.from_numpy(piece), coefficient, signal[at - 1 : at] if at else None)
        for piece, at in zip(pieces, [0, *cuts], strict=True)
        if len(piece)
    ]
    assert torch.equal(torch.cat(emphasised), whole)

    restored, state = [], 0.0
    for piece in np.split(whole.numpy(), cuts):
        part, state = de_emphasis(piece, coefficient, state)
        restored.append(part)
    np.testing.assert_allclose(np.concatenate(restored), de_emphasis(whole.numpy(), coefficient)[0], atol=1e-12)


def test_pre_emphasis_is_a_first_difference_along_the_last_axis() -> None:
    waveform = torch.tensor([[1.0, 1.0, 2.0], [0.0, 4.0, 0.0]])
    expected = torch.tensor([[1.0, 0.5, 1.5], [0.0, 4.0, -2.0]])
    assert torch.equal(pre_emphasis(waveform, 0.5), expected)


def test_an_hour_of_silence_after_a_click_dies_away() -> None:
    click = np.zeros(100_000)
    click[0] = 1.0
    restored, state = de_emphasis(click, 0.85)
    assert restored[0] == 1.0
    assert abs(restored[-1]) < 1e-300
    assert abs(state) < 1e-300


@pytest.mark.parametrize("levels", [256, 512])
@pytest.mark.parametrize("emphasis", [0.0, 0.85])
def test_the_chain_restores_speech_up_to_the_noise_of_the_code(levels: int, emphasis: float) -> None:
    companding = Companding(levels=levels, emphasis=emphasis, gain=4.0)
    waveform = torch.from_numpy(0.05 * np.sin(2 * np.pi * 200 * np.arange(8000) / 16000)).float()
    classes = companding.classes(waveform)
    assert classes.dtype == torch.int64
    restored = companding.waveform(classes)
    assert restored.dtype == np.float32
    error = restored - waveform.numpy()
    assert 10 * math.log10(float(waveform.numpy() @ waveform.numpy()) / float(error @ error)) > 20


def test_the_chain_is_the_same_in_pieces() -> None:
    companding = Companding()
    waveform = torch.from_numpy(np.random.default_rng(0).normal(scale=0.05, size=999)).float()
    whole = companding.classes(waveform)
    assert torch.equal(
        torch.cat([companding.classes(waveform[:400]), companding.classes(waveform[400:], waveform[399:400])]), whole
    )
    stream = companding.stream()
    pieces = [stream.push(whole[:400]), stream.push(whole[400:]), stream.finish()]
    np.testing.assert_allclose(np.concatenate(pieces), companding.waveform(whole), atol=1e-7)


def test_silence_is_the_class_of_a_zero_and_stays_silent() -> None:
    companding = Companding()
    classes = companding.classes(torch.zeros(100))
    assert (classes == companding.silence).all()
    assert np.abs(companding.waveform(classes)).max() < 1e-3


def test_no_samples_stay_no_samples() -> None:
    stream = Companding().stream()
    before = stream.push(torch.tensor([200]))
    assert len(stream.push(torch.zeros(0, dtype=torch.int64))) == 0
    after = stream.push(torch.tensor([128]))
    assert after[0] == pytest.approx(0.85 * before[0], abs=1e-4)  # the filter went on
