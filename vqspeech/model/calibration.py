"""Measuring the range of a WaveNet's activations, from which the 8-bit engine takes its scales."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.model.wavenet import WaveNet


@torch.no_grad()
def measure_activation_peaks(wavenet: WaveNet, batches: Iterable[Sequence[Tensor | None]]) -> Tensor:
    """Fill ``wavenet.activation_peaks`` with the largest magnitudes met in teacher forcing.

    Args:
        wavenet: the decoder; its buffer is overwritten.
        batches: arguments of ``WaveNet.forward`` (``previous``, ``frames`` and, with several bands, ``current``), from
            training data. A minute of speech of many speakers is enough.

    Returns:
        ``(layers + 1 + bands,)``, the new buffer: the input of each layer, the skip sum and the hidden layer of each
        band, both after their ReLU.
    """
    peaks = torch.zeros_like(wavenet.activation_peaks)
    for batch in batches:
        arguments = [None if tensor is None else tensor.to(peaks.device) for tensor in batch]
        torch.maximum(peaks, _peaks(wavenet, *arguments), out=peaks)  # type: ignore[arg-type]
    wavenet.activation_peaks.copy_(peaks)
    return wavenet.activation_peaks


def _peaks(wavenet: WaveNet, previous: Tensor, frames: Tensor, current: Tensor | None = None) -> Tensor:
    """The peaks of one batch, ``(layers + 1 + bands,)``."""
    seen: list[Tensor] = []
    sums: list[Tensor] = []

    def layer_input(taps: Tensor) -> None:
        # The newest tap, all that the layer is given over time.
        seen.append(taps[..., -wavenet.config.residual :].abs().max())

    form, wavenet.form = wavenet.form, "matrix"
    hooks = [layer.register_forward_pre_hook(lambda _, inputs: layer_input(inputs[0])) for layer in wavenet.dilated]
    hooks.append(wavenet.skip.register_forward_hook(lambda _, __, y: sums.append(F.relu(y))))
    try:
        wavenet(previous, frames, current)
    finally:
        wavenet.form = form
        for hook in hooks:
            hook.remove()
    hidden = wavenet.hidden_layers(sums[0], current)
    return torch.stack([*seen, sums[0].max(), *(values.max() for values in hidden)]).float()
