"""From code sequences to waveforms: every utterance by the same engine, long ones in chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.chunks import FADE, Chunk, overlap_add, split_at_pauses, warm_up
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.engine import Engine
from vqspeech.generation.partial_output import PartialOutput, Slot, output_key
from vqspeech.generation.postfilter import refine
from vqspeech.generation.sampler import StreamRequest, draw_requests
from vqspeech.model.vqvae import VQVAE

#: Seconds whose loudness is computed at a time.
_BLOCK_SECONDS = 30


@torch.no_grad()
def synthesise(
    network: VQVAE,
    plans: Sequence[ConditioningPlan],
    *,
    engine: Engine,
    seed: int = 0,
    temperature: float = 1.0,
    post_filter: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
    partial_outputs: Sequence[PartialOutput | None] | None = None,
) -> list[NDArray[np.float32]]:
    """Generate the waveforms of code sequences.

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
        partial_outputs: where the finished chunks of each utterance are kept and taken from.

    Returns:
        One ``(codes x code_hop,)`` waveform for each sequence.

    Raises:
        OSError: a partial output cannot be read or written; it names the file.
    """
    hop = network.config.code_hop
    waveforms = [np.zeros(len(plan) * hop, np.float32) for plan in plans]
    kept = [None] * len(plans) if partial_outputs is None else partial_outputs
    with ExitStack() as stack:
        parts: list[tuple[int, Chunk]] = []
        requests: list[StreamRequest] = []
        for utterance, (plan, output) in enumerate(zip(plans, kept, strict=True)):
            chunks = find_chunks(plan)
            slots: list[Slot | None] = [None] * len(chunks)
            if output is not None:
                key = output_key(plan, chunks, engine=engine, seed=seed, temperature=temperature)
                shapes = [_classes_shape(network, chunk) for chunk in chunks]
                classes = network.decoder.classes
                slots = [*stack.enter_context(output.opened(key, shapes, classes=classes))]
            parts += [(utterance, chunk) for chunk in chunks]
            requests += [
                StreamRequest(
                    partial(plan.frames, chunk.begin, chunk.stop),
                    conditioning=plan.voice.conditioning,
                    length=(chunk.stop - chunk.begin) * network.conditioner.frames_per_code,
                    position=chunk.begin * hop,
                    slot=slot,
                )
                for chunk, slot in zip(chunks, slots, strict=True)
            ]
        drawn = draw_requests(
            engine,
            requests,
            hop=network.config.conditioner.hop,
            seed=seed,
            temperature=temperature,
            progress=progress,
        )
        fade = round(FADE * network.config.audio.sample_rate)
        for part, of_part in drawn:
            utterance, chunk = parts[part]
            waveform = network.companding.waveform(torch.from_numpy(of_part))
            overlap_add(waveforms[utterance], waveform, chunk, code_hop=hop, fade=fade)
    if post_filter:
        for utterance, plan in enumerate(plans):
            drawn_speech = torch.from_numpy(waveforms[utterance]).to(plan.codes.device)
            waveforms[utterance] = refine(plan, drawn_speech, strength=post_filter).cpu().numpy()
    return waveforms


@torch.no_grad()
def find_chunks(plan: ConditioningPlan) -> list[Chunk]:
    """Split an utterance in the pauses that the mel head predicts.

    Args:
        plan: its conditioning; without a mel head no pauses are known, and the utterance stays whole.
    """
    network = plan.network
    config = network.config
    if network.conditioner.mel_head is None or not len(plan):
        return [Chunk(0, 0, len(plan))]
    block = round(_BLOCK_SECONDS * config.code_rate)
    loudness = torch.cat([_loudness(plan, at, min(at + block, len(plan))) for at in range(0, len(plan), block)])
    settle = warm_up(
        receptive_field=config.decoder.receptive_field,
        sample_rate=config.audio.sample_rate,
        code_hop=config.code_hop,
    )
    return split_at_pauses(loudness.cpu().numpy(), code_rate=config.code_rate, warm_up=settle)


def _classes_shape(network: VQVAE, chunk: Chunk) -> tuple[int, ...]:
    """Shape of the classes that are drawn for a chunk, as ``draw_requests`` gives them."""
    samples, bands = (chunk.stop - chunk.begin) * network.config.code_hop, network.config.decoder.bands
    return (samples,) if bands == 1 else (samples // bands, bands)


def _loudness(plan: ConditioningPlan, begin: int, stop: int) -> Tensor:
    """Mean log energy of each code, ``(stop - begin,)``."""
    bands = plan.mel(begin, stop)  # (frames, bands)
    assert bands is not None
    return bands.mean(1).view(-1, plan.frames_per_code).mean(1)  # (codes,)
