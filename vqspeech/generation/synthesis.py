"""From code sequences to waveforms: every utterance drawn by the same engine, long ones in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.chunks import FADE, Piece, add, cut, warm_up
from vqspeech.generation.conditioning import blocks, frames
from vqspeech.generation.engine import Engine
from vqspeech.generation.postfilter import refine
from vqspeech.generation.sampler import Stretch, draw_stretches
from vqspeech.model.speaker_conditioning import Voice
from vqspeech.model.vqvae import VQVAE


@torch.no_grad()
def speak(
    network: VQVAE,
    sequences: Sequence[Tensor],
    voices: Sequence[Voice],
    *,
    engine: Engine,
    seed: int = 0,
    temperature: float = 1.0,
    post_filter: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.float32]]:
    """Speak code sequences.

    The samples of a sequence depend on the model, its codes, its voice, ``seed``, ``temperature`` and ``post_filter``
    alone.

    Args:
        network: in evaluation mode.
        sequences: each ``(codes,)`` int64, on the device of ``network``.
        voices: one for each sequence.
        engine: made of ``network.decoder``.
        seed: of the uniform numbers, which are the same for every sequence.
        temperature: divides the logits; 0 takes the most likely class.
        post_filter: strength of the post-filter; 0 gives what was drawn.
        progress: called with the samples drawn and to be drawn, warming up included.

    Returns:
        One ``(codes x code_hop,)`` waveform for each sequence.
    """
    hop = network.config.code_hop
    spoken = [np.zeros(len(codes) * hop, np.float32) for codes in sequences]
    parts = [
        (utterance, piece)
        for utterance, (codes, voice) in enumerate(zip(sequences, voices, strict=True))
        for piece in pieces(network, codes, voice)
    ]
    stretches = [
        Stretch(
            lambda utterance=utterance, piece=piece: frames(  # type: ignore[misc]
                network, sequences[utterance], voices[utterance], piece.begin, piece.stop
            ),
            conditioning=voices[utterance].conditioning,
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
        for utterance, (codes, voice) in enumerate(zip(sequences, voices, strict=True)):
            drawn_speech = torch.from_numpy(spoken[utterance]).to(codes.device)
            refined = refine(network, codes, voice, drawn_speech, strength=post_filter)
            spoken[utterance] = refined.cpu().numpy()
    return spoken


@torch.no_grad()
def pieces(network: VQVAE, codes: Tensor, voice: Voice) -> list[Piece]:
    """Cut a sequence of codes where the model's mel head hears a pause.

    Args:
        network: one without a mel head cannot tell where a pause is: its sequences stay whole.
        codes: ``(codes,)`` int64.
        voice: who speaks.
    """
    config = network.config
    if network.conditioner.mel_head is None or not len(codes):
        return [Piece(0, 0, len(codes))]

    def loudness_of(piece: Tensor) -> Tensor:
        bands = voice.mel(voice.frames(network.quantizer.lookup(piece)))
        assert bands is not None
        return _a_code(network, bands.mean(2))

    loudness = blocks(network, loudness_of, codes, scale=1)
    settle = warm_up(
        receptive_field=config.decoder.receptive_field,
        sample_rate=config.audio.sample_rate,
        code_hop=config.code_hop,
    )
    return cut(loudness[0, 0].cpu().numpy(), code_rate=config.code_rate, warm_up=settle)


def _a_code(network: VQVAE, values: Tensor) -> Tensor:
    """Mean over the frames of each code, ``(1, frames)`` -> ``(1, 1, codes)``."""
    return values.view(1, 1, -1, network.conditioner.frames_per_code).mean(3)
