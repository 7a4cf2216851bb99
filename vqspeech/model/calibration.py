"""Measuring the range of a WaveNet's activations, from which the 8-bit engine takes its scales."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.model.wavenet import WaveNet


@torch.no_grad()
def measure_activation_peaks(wavenet: WaveNet, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Fill ``wavenet.activation_peaks`` with the largest magnitudes met in teacher forcing.

    Args:
        wavenet: the decoder; its buffer is overwritten.
        batches: pairs of ``previous`` classes ``(batch, time)`` and ``frames`` ``(batch, frames, condition_channels)``
            as ``WaveNet.forward`` takes them, from training data. A minute of speech of many speakers is enough.

    Returns:
        ``(layers + 2,)``, the new buffer: the input of each layer, the skip sum and the hidden layer after their ReLU.
    """
    peaks = torch.zeros_like(wavenet.activation_peaks)
    for previous, frames in batches:
        torch.maximum(peaks, _peaks(wavenet, previous.to(peaks.device), frames.to(peaks.device)), out=peaks)
    wavenet.activation_peaks.copy_(peaks)
    return wavenet.activation_peaks


def _peaks(wavenet: WaveNet, previous: Tensor, frames: Tensor) -> Tensor:
    """The peaks of one batch, ``(layers + 2,)``."""
    seen: list[Tensor] = []

    def layer_input(taps: Tensor) -> None:
        # The newest tap, all that the layer is given over time.
        seen.append(taps[..., -wavenet.config.residual :].abs().max())

    def head_input(values: Tensor) -> None:
        seen.append(F.relu(values).max())

    form, wavenet.form = wavenet.form, "matrix"
    hooks = [layer.register_forward_pre_hook(lambda _, inputs: layer_input(inputs[0])) for layer in wavenet.dilated]
    hooks += [layer.register_forward_hook(lambda _, __, y: head_input(y)) for layer in (wavenet.skip, wavenet.hidden)]
    try:
        wavenet(previous, frames)
    finally:
        wavenet.form = form
        for hook in hooks:
            hook.remove()
    return torch.stack(seen).float()
