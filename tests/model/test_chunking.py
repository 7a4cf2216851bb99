"""``vqspeech.model.chunking``: cut into blocks, a network gives what it gives on the whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_models import make_config, make_model
from torch import Tensor

from vqspeech.model.chunking import apply_chunked, encode_chunked

MODELS = [
    make_model(make_config(encoder=encoder, conditioner=conditioner)).eval()
    for encoder, conditioner in (
        ({}, {}),
        ({"strides": [3, 5], "dilations": [], "frame_norm": True}, {"hop": 5, "kernel": 4}),
        ({"front_end": "log-mel", "strides": [2]}, {"hop": 1, "dilations": [1, 2, 1, 9]}),
    )
]


def counting(network: Any, seen: list[int]) -> Any:
    def count(chunk: Tensor) -> Tensor:
        seen.append(chunk.shape[-1])
        return network(chunk)

    return count


@given(model=st.sampled_from(MODELS), codes=st.integers(1, 150), block=st.integers(1, 20), seed=st.integers(0, 99))
@torch.no_grad()
def test_the_encoder_in_blocks_is_the_encoder(model: Any, codes: int, block: int, seed: int) -> None:
    torch.manual_seed(seed)
    hop = model.config.code_hop
    context = -(-model.encoder.context // hop) * hop
    waveform, chunks = torch.randn(1, codes * hop), []
    network = counting(model.encoder, chunks)
    z = apply_chunked(network, waveform, block=block * hop, context=context, scale=1 / hop)
    torch.testing.assert_close(z, model.encoder(waveform), rtol=1e-4, atol=1e-4)
    assert max(chunks) <= block * hop + 2 * context


@given(model=st.sampled_from(MODELS), codes=st.integers(1, 150), block=st.integers(1, 20), seed=st.integers(0, 99))
@torch.no_grad()
def test_the_conditioner_in_blocks_is_the_conditioner(model: Any, codes: int, block: int, seed: int) -> None:
    torch.manual_seed(seed)
    values, speaker = torch.randn(1, 5, codes), torch.tensor([1])

    def network(chunk: Tensor) -> Tensor:
        return model.frames(chunk, speaker).transpose(1, 2)

    conditioner = model.conditioner
    frames = apply_chunked(network, values, block=block, context=conditioner.context, scale=conditioner.frames_per_code)
    torch.testing.assert_close(frames, network(values), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("time", [1, 9, 10, 11, 30, 31])
def test_every_sample_is_there_once_and_in_order(time: int) -> None:
    signal = torch.arange(float(time))[None, None]
    assert torch.equal(apply_chunked(lambda chunk: chunk, signal, block=10, context=0, scale=1), signal)
    assert torch.equal(apply_chunked(lambda chunk: chunk, signal, block=3, context=2, scale=1), signal)


def test_too_little_context_would_be_heard() -> None:
    """The tests above can fail: with no context the seams show."""
    model = MODELS[0]
    waveform = torch.randn(1, 64 * 16)
    z = apply_chunked(model.encoder, waveform, block=256, context=0, scale=1 / 16)
    assert (z - model.encoder(waveform)).abs().max() > 1e-3


NORMS = [
    make_model(make_config(encoder={"front_end": "log-mel", "strides": [2], "dilations": [1, -2], **norms})).eval()
    for norms in ({"input_norm": True}, {"input_norm": False}, {"instance_norm": True})
]


@given(model=st.sampled_from([*MODELS, *NORMS]), codes=st.integers(1, 150), block=st.integers(1, 40))
@torch.no_grad()
def test_a_recording_encoded_in_blocks_is_normalised_as_a_whole(model: Any, codes: int, block: int) -> None:
    hop = model.config.code_hop
    # Loud after a quiet half: normalised block by block, it would be another.
    waveform = torch.randn(1, codes * hop) * torch.linspace(0.01, 1, codes * hop)
    expected = model.encoder(waveform)
    found = encode_chunked(model.encoder, waveform, hop=hop, block=block * hop)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    whole = encode_chunked(model.encoder, waveform, hop=hop, block=codes * hop)
    assert torch.equal(whole, expected)
