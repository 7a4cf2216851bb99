"""Utterances encoded together: the codes of each alone, to the code, and those of the plain encoder up to rounding."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vqspeech.model import packed_encoder
from vqspeech.model.packed_encoder import PackedEncoder
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset

FORMS = {
    "plain": ["model.encoder.block=plain", "model.encoder.dilations=[1,2,4]"],
    "modulated": ["model.encoder.block=modulated", "model.encoder.dilations=[1,-2,-4]"],
    "strides": ["model.encoder.strides=[4,1,2]", "model.encoder.dilations=[1,-3]", "model.conditioner.hop=256"],
    "normalised": ["model.encoder.input_norm=true", "model.encoder.instance_norm=true"],
    "no blocks": ["model.encoder.dilations=[]", "model.encoder.frame_norm=false"],
}


@cache
def network(form: str) -> VQVAE:
    changes = ["model.encoder.front_end=log-mel", "model.encoder.mel_hop=32", "model.encoder.mel_bands=20"]
    changes += ["model.encoder.strides=[2]", "model.conditioner.hop=64", *FORMS[form]]
    torch.manual_seed(0)
    made = VQVAE(read_preset("tiny", changes).model, ("anna",)).eval()
    with torch.no_grad():
        for parameter in made.encoder.parameters():  # a fresh network's biases are zeros or nearly so
            parameter.add_(0.05 * torch.randn_like(parameter))
        made.quantizer.start(made.encoder(0.1 * torch.randn(4, 64 * 256)).movedim(1, -1).flatten(0, 1))
    return made


def noise(codes: Sequence[int], hop: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [0.1 * torch.randn(length * hop, generator=generator) for length in codes]


@pytest.mark.parametrize("form", FORMS)
@given(lengths=st.lists(st.integers(1, 300), min_size=1, max_size=6), seed=st.integers(0, 2**16), aligned=st.booleans())
def test_each_utterance_has_the_codes_it_has_alone(form: str, lengths: list[int], seed: int, aligned: bool) -> None:
    model = network(form)
    waveforms = noise(lengths, model.config.code_hop, seed)
    packed = PackedEncoder(model, aligned=aligned or None)
    together = packed.codes(waveforms)
    assert [len(one) for one in together] == lengths
    for waveform, codes in zip(waveforms, together, strict=True):
        assert torch.equal(packed.codes([waveform])[0], codes)


@pytest.mark.parametrize("form", FORMS)
@given(lengths=st.lists(st.integers(1, 200), min_size=1, max_size=4), seed=st.integers(0, 2**16))
def test_the_codes_are_those_of_the_plain_encoder(form: str, lengths: list[int], seed: int) -> None:
    model = network(form)
    waveforms = noise(lengths, model.config.code_hop, seed)
    with torch.no_grad():
        for waveform, codes in zip(waveforms, PackedEncoder(model).codes(waveforms), strict=True):
            vectors = model.encoder(waveform[None])[0].t()  # (codes, dimension)
            squared = (vectors[:, None] - model.quantizer.codebook).square().sum(2)  # (codes, K)
            chosen = squared.gather(1, codes[:, None])[:, 0]
            # Where two codes are nearly as near, rounding decides.
            assert (chosen - squared.amin(1)).max() <= 1e-4 * squared.amax()


def test_neighbours_do_not_matter() -> None:
    model = network("modulated")
    packed = PackedEncoder(model)
    middle, loud = noise([90, 40], model.config.code_hop, 3)
    assert torch.equal(packed.codes([100 * loud, middle, -100 * loud])[1], packed.codes([middle])[0])


def test_where_the_place_in_a_tile_matters_each_begins_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    product = packed_encoder._Product.__call__

    def by_place(self: packed_encoder._Product, x: Tensor) -> Tensor:
        return product(self, x) + 1e-3 * torch.arange(len(x))[:, None]

    monkeypatch.setattr(packed_encoder._Product, "__call__", by_place)
    model = network("plain")
    packed = PackedEncoder(model)
    assert packed.aligned
    waveforms = noise([7, 130, 128, 1], model.config.code_hop, 5)
    for waveform, codes in zip(waveforms, packed.codes(waveforms), strict=True):
        assert torch.equal(packed.codes([waveform])[0], codes)


def test_nothing_gives_nothing() -> None:
    assert PackedEncoder(network("plain")).codes([]) == []


def test_no_waveform_front_end() -> None:
    with pytest.raises(ValueError, match="log-mel"):
        PackedEncoder(VQVAE(read_preset("tiny", ["model.encoder.front_end=waveform"]).model, ("anna",)))
