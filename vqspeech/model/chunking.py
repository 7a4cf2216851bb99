"""Chunked inference: a convolutional network applied to blocks with enough context that there is no seam."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vqspeech.melspectrogram import normalized, window_length
from vqspeech.model.encoder import Encoder


def apply_chunked(
    network: Callable[[Tensor], Tensor], signal: Tensor, *, block: int, context: int, scale: float
) -> Tensor:
    """Apply ``network`` to overlapping blocks and keep of each what does not depend on its edges.

    Args:
        network: maps ``(1, channels..., time)`` to ``(1, channels, scale x time)``; its output at a time depends on no
            input further away than ``context``.
        signal: ``(1, channels..., time)``.
        block: input samples per block, which bound the memory.
        context: input samples added to both sides of each block. ``block`` and ``context`` times ``scale`` are whole.
        scale: output samples per input sample.

    Returns:
        ``(1, channels, scale x time)``, up to rounding what ``network(signal)`` is.
    """
    time = signal.shape[-1]
    if time <= block + 2 * context:
        return network(signal)
    chunks = []
    for start in range(0, time, block):
        left = min(start, context)
        output = network(signal[..., start - left : start + block + context])
        first = round(left * scale)
        chunks.append(output[..., first : first + round(min(block, time - start) * scale)])
    return torch.cat(chunks, -1)


def encode_chunked(
    encoder: Encoder, waveform: Tensor, *, hop: int, block: int, alter: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """What ``encoder(waveform)`` is, up to rounding, in memory that does not grow by a network's activations.

    Log-mel bands are computed block by block, normalised over the whole recording, and then encoded block by block.
    Only instance normalisation, inside the network, needs all of it at once.

    Args:
        encoder: in evaluation mode.
        waveform: ``(1, time)``, pre-emphasised, a multiple of ``hop``.
        hop: samples per code.
        block: samples at a time, a multiple of ``hop``.
        alter: applied to the power spectra of each block, as for ``Encoder.forward``.

    Returns:
        ``(1, dimension, codes)``; the same to the bit for what is no longer than a block.
    """
    config = encoder.config
    if config.instance_norm:
        return encoder(waveform, alter)
    context = -(-encoder.context // hop) * hop
    if config.front_end != "log-mel":
        return apply_chunked(encoder, waveform, block=block, context=context, scale=1 / hop)
    frame = config.mel_hop
    bands = apply_chunked(
        lambda chunk: encoder.log_mel(chunk, alter).transpose(1, 2),
        waveform,
        block=block,
        context=-(-window_length(encoder.sample_rate) // hop) * hop,
        scale=1 / frame,
    )  # (1, bands, frames)
    if config.input_norm:
        bands = normalized(bands.transpose(1, 2)).transpose(1, 2)
    return apply_chunked(
        lambda chunk: encoder.vectors(encoder.hidden(chunk)[-1]),
        bands,
        block=block // frame,
        context=context // frame,
        scale=frame / hop,
    )
