"""``vqspeech.model.conditioner``: frames for codes and a voice, from no further away than it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_models import make_config

from vqspeech.errors import InputError
from vqspeech.model.conditioner import Conditioner

NETWORKS: list[dict[str, Any]] = [
    {"kernel": 1, "dilations": []},
    {"kernel": 3, "dilations": []},
    {"kernel": 2, "dilations": [1]},
    {"kernel": 4, "dilations": [1, 2]},
    {"kernel": 5, "dilations": [1, 3, 1, 9]},
    {"kernel": 3, "dilations": [2, 1, 5]},
]


def make_conditioner(**changes: Any) -> Conditioner:
    torch.manual_seed(0)
    config = make_config(conditioner=changes)
    return Conditioner(config.conditioner, code_dimension=5, code_hop=config.code_hop, speakers=3).eval()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("hop", [16, 8, 2, 1])
@pytest.mark.parametrize("codes", [1, 6])
def test_each_code_has_as_many_frames_as_hops(network: dict[str, Any], hop: int, codes: int) -> None:
    conditioner = make_conditioner(**network, hop=hop)
    assert conditioner.frames_per_code == 16 // hop
    frames = conditioner(torch.randn(2, 5, codes), torch.randn(2, 3))
    assert frames.shape == (2, codes * 16 // hop, 7)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("hop", [16, 8, 2])
def test_no_code_beyond_the_context_reaches_a_frame(network: dict[str, Any], hop: int) -> None:
    conditioner = make_conditioner(**network, hop=hop)
    context, frames = conditioner.context, 16 // hop
    values, speaker = torch.randn(1, 5, 2 * context + 5), torch.randn(1, 3)
    code = context + 2
    changed = values.clone()
    changed[:, :, : code - context] += 1
    changed[:, :, code + context + 1 :] += 1
    own = slice(code * frames, (code + 1) * frames)
    torch.testing.assert_close(conditioner(changed, speaker)[:, own], conditioner(values, speaker)[:, own])
    changed = values.clone()
    changed[:, :, code] += 1
    assert (conditioner(changed, speaker)[:, own] != conditioner(values, speaker)[:, own]).any(-1).all()


def test_the_plain_conditioning_of_the_paper_is_linear_so_that_voices_blend() -> None:
    conditioner = make_conditioner(kernel=1, dilations=[])
    values = torch.randn(1, 5, 6)
    ann, bob = conditioner.speakers.weight[0:1], conditioner.speakers.weight[1:2]
    blend = conditioner(values, 0.3 * ann + 0.7 * bob)
    torch.testing.assert_close(blend, 0.3 * conditioner(values, ann) + 0.7 * conditioner(values, bob))


def test_any_blend_of_voices_lies_between_them() -> None:
    conditioner = make_conditioner()
    values = torch.randn(1, 5, 6)
    ann, bob = conditioner.speakers.weight[0:1], conditioner.speakers.weight[1:2]
    ends = [conditioner(values, voice) for voice in (ann, bob)]
    whole = (ends[0] - ends[1]).norm()
    for share in (0.1, 0.5, 0.9):
        blend = conditioner(values, share * ann + (1 - share) * bob)
        assert (blend - ends[0]).norm() < whole
        assert (blend - ends[1]).norm() < whole


def test_the_voice_reaches_every_frame_and_each_of_a_batch_has_its_own() -> None:
    conditioner = make_conditioner()
    values = torch.randn(1, 5, 6).expand(2, -1, -1)
    speakers = conditioner.speakers(torch.tensor([0, 2]))
    frames = conditioner(values, speakers)
    assert (frames[0] != frames[1]).any(-1).all()
    torch.testing.assert_close(frames[1:], conditioner(values[:1], speakers[1:]))


@pytest.mark.parametrize("bands", [0, 6])
def test_the_mel_head_is_there_only_when_asked_for(bands: int) -> None:
    conditioner = make_conditioner(mel_bands=bands)
    assert (conditioner.mel_head is not None) == bool(bands)
    if conditioner.mel_head is not None:
        assert conditioner.mel_head(torch.zeros(2, 9, 7)).shape == (2, 9, bands)


MODULATED: dict[str, Any] = {"block": "modulated", "kernel": 3, "dilations": [1, -2, 1, -4]}


@pytest.mark.parametrize("hop", [16, 8])
def test_causal_blocks_look_ahead_less_than_back(hop: int) -> None:
    conditioner = make_conditioner(**MODULATED, hop=hop)
    past, ahead = conditioner.reach
    assert ahead < past
    values, speaker = torch.randn(1, 5, past + ahead + 9), torch.randn(1, 3)
    changed = values.clone()
    changed[:, :, past + 2] += 1
    differs = (conditioner(changed, speaker) != conditioner(values, speaker)).any(-1)[0]
    codes = differs.view(-1, 16 // hop).any(1).nonzero()[:, 0]
    assert codes.min() >= past + 2 - ahead
    assert codes.max() <= past + 2 + past


def test_pitch_conditions_the_frames_and_can_be_withheld() -> None:
    conditioner = make_conditioner(**MODULATED, pitch=True)
    values, speaker = torch.randn(2, 5, 6), torch.randn(2, 3)
    without = conditioner(values, speaker)
    torch.testing.assert_close(conditioner(values, speaker, torch.zeros(2, 12, 3)), without)
    assert not torch.allclose(conditioner(values, speaker, torch.ones(2, 12, 3)), without)


def test_every_modulated_block_depends_on_the_speaker() -> None:
    conditioner = make_conditioner(**MODULATED)
    values, speaker = torch.randn(1, 5, 6), torch.randn(1, 3, requires_grad=True)
    conditioner(values, speaker).square().sum().backward()
    for block in conditioner.blocks:
        assert block.get_submodule("modulation").get_parameter("weight").grad.abs().sum() > 0  # type: ignore[union-attr]


def test_pitch_without_modulated_blocks_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.conditioner\.pitch"):
        make_config(conditioner={"pitch": True})
