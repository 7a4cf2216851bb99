"""From code sequences to waveforms: every utterance drawn by the same engine, long ones in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.chunks import FADE, Piece, add, cut, warm_up
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.engine import Engine
from vqspeech.generation.postfilter import refine
from vqspeech.generation.sampler import Stretch, draw_stretches
from vqspeech.model.vqvae import VQVAE

#: Seconds whose loudness is computed at a time.
_BLOCK_SECONDS = 30


@torch.no_grad()
def speak(
    network: VQVAE,
    plans: Sequence[ConditioningPlan],
    *,
    engine: Engine,
    seed: int = 0,
    temperature: float = 1.0,
    post_filter: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.float32]]:
    """Speak code sequences.

    The samples of an utterance depend on the model, its codes, voice and pitch, ``seed``, ``temperature`` and
    ``post_filter`` alone.

    Args:
        network: in evaluation mode.
        plans: the conditioning of each utterance, on the device of ``network``.
        engine: made of ``network.decoder``.
        seed: of the uniform numbers, which are the same for every sequence.
        temperature: divides the logits; 0 takes the most likely class.
        post_filter: strength of the post-filter; 0 gives what was drawn.
        progress: called with the samples drawn and to be drawn, warming up included.

    Returns:
        One ``(codes x code_hop,)`` waveform for each sequence.
    """
    hop = network.config.code_hop
    spoken = [np.zeros(len(plan) * hop, np.float32) for plan in plans]
    parts = [(utterance, piece) for utterance, plan in enumerate(plans) for piece in pieces(plan)]
    stretches = [
        Stretch(
            partial(plans[utterance].frames, piece.begin, piece.stop),
            conditioning=plans[utterance].voice.conditioning,
            length=(piece.stop - piece.begin) * network.conditioner.frames_per_code,
            position=piece.begin * hop,
        )
        for utterance, piece in parts
    ]
    drawn = draw_stretches(
        engine,
        stretches,
        hop=network.config.conditioner.hop,
        seed=seed,
        temperature=temperature,
        progress=progress,
    )
    fade = round(FADE * network.config.audio.sample_rate)
    for part, classes in drawn:
        utterance, piece = parts[part]
        waveform = network.companding.waveform(torch.from_numpy(classes))
        add(spoken[utterance], waveform, piece, code_hop=hop, fade=fade)
    if post_filter:
        for utterance, plan in enumerate(plans):
            drawn_speech = torch.from_numpy(spoken[utterance]).to(plan.codes.device)
            spoken[utterance] = refine(plan, drawn_speech, strength=post_filter).cpu().numpy()
    return spoken


@torch.no_grad()
def pieces(plan: ConditioningPlan) -> list[Piece]:
    """Cut an utterance in the pauses that the mel head predicts.

    Args:
        plan: its conditioning; that of a model without a mel head tells of no pause, and the utterance stays whole.
    """
    network = plan.network
    config = network.config
    if network.conditioner.mel_head is None or not len(plan):
        return [Piece(0, 0, len(plan))]
    block = round(_BLOCK_SECONDS * config.code_rate)
    loudness = torch.cat([_loudness(plan, at, min(at + block, len(plan))) for at in range(0, len(plan), block)])
    settle = warm_up(
        receptive_field=config.decoder.receptive_field,
        sample_rate=config.audio.sample_rate,
        code_hop=config.code_hop,
    )
    return cut(loudness.cpu().numpy(), code_rate=config.code_rate, warm_up=settle)


def _loudness(plan: ConditioningPlan, begin: int, stop: int) -> Tensor:
    """Mean log energy of each code, ``(stop - begin,)``."""
    bands = plan.mel(begin, stop)  # (frames, bands)
    assert bands is not None
    return bands.mean(1).view(-1, plan.frames_per_code).mean(1)
