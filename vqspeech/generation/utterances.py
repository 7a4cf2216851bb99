"""From code sequences to waveforms: every utterance drawn by the same engine, long ones in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.generation.engine import Engine
from vqspeech.generation.generate import Stretch, draw_stretches
from vqspeech.generation.pieces import FADE, Piece, add, cut, warm_up
from vqspeech.model.blocks import blockwise
from vqspeech.model.voice import Voice
from vqspeech.model.vqvae import VQVAE

#: Seconds that the conditioning network sees at a time.
_BLOCK_SECONDS = 30


@torch.no_grad()
def speak(
    network: VQVAE,
    sequences: Sequence[Tensor],
    voices: Sequence[Voice],
    *,
    engine: Engine,
    seed: int = 0,
    temperature: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> list[NDArray[np.float32]]:
    """Speak code sequences.

    The samples of a sequence depend on the model, its codes, its voice, ``seed`` and ``temperature`` alone.

    Args:
        network: in evaluation mode.
        sequences: each ``(codes,)`` int64, on the device of ``network``.
        voices: one for each sequence.
        engine: made of ``network.decoder``.
        seed: of the uniform numbers, which are the same for every sequence.
        temperature: divides the logits; 0 takes the most likely class.
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
            steering=voices[utterance].steering,
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
        waveform, _ = network.companding.waveform(torch.from_numpy(classes))
        add(spoken[utterance], waveform, piece, code_hop=hop, fade=fade)
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

    loudness = _blocks(network, loudness_of, codes, scale=1)
    settle = warm_up(
        receptive_field=config.decoder.receptive_field,
        sample_rate=config.audio.sample_rate,
        code_hop=config.code_hop,
    )
    return cut(loudness[0, 0].cpu().numpy(), code_rate=config.code_rate, warm_up=settle)


@torch.no_grad()
def frames(network: VQVAE, codes: Tensor, voice: Voice, begin: int, stop: int) -> Tensor:
    """Conditioning frames of the codes from ``begin`` to ``stop``, which hear those around them.

    Args:
        network: in evaluation mode.
        codes: ``(codes,)`` int64, of the whole utterance.
        voice: who speaks.
        begin: first code.
        stop: the one after the last.

    Returns:
        ``((stop - begin) x frames_per_code, channels)``.
    """
    context, scale = network.conditioner.context, network.conditioner.frames_per_code
    left = min(begin, context)
    window = codes[begin - left : stop + context]
    lookup = network.quantizer.lookup
    made = _blocks(network, lambda piece: voice.frames(lookup(piece)).transpose(1, 2), window, scale=scale)
    return made[0, :, left * scale : (left + stop - begin) * scale].t()


def _a_code(network: VQVAE, values: Tensor) -> Tensor:
    """Mean over the frames of each code, ``(1, frames)`` -> ``(1, 1, codes)``."""
    return values.view(1, 1, -1, network.conditioner.frames_per_code).mean(3)


def _blocks(network: VQVAE, function: Callable[[Tensor], Tensor], codes: Tensor, *, scale: int) -> Tensor:
    """Apply a function of what the conditioning network makes to ``(codes,)``, however many they are."""
    block = round(_BLOCK_SECONDS * network.config.code_rate)
    return blockwise(function, codes[None], block=block, context=network.conditioner.context, scale=scale)
