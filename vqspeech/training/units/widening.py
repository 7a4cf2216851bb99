"""More channels for trained layers, which go on computing what they computed: Net2WiderNet.

Chen, Goodfellow and Shlens (2016), "Net2Net: Accelerating Learning via Knowledge Transfer", section 2.1: channels are
replicated, and what reads a replicated channel shares its weight among the copies. Here every output draws its own
share, so that copies get other gradients and part. LayerNorm has the mean and variance of before only where all
channels are replicated equally often; short of that the layers compute nearly what they did.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vqspeech.model.residual import ModulatedBlock


class Widening:
    """From some channels to more.

    Args:
        narrow: channels of the trained layers.
        wide: channels they shall have, at least as many.
        seed: of the draw of channels and shares.
    """

    def __init__(self, narrow: int, wide: int, seed: int) -> None:
        self.narrow = narrow
        self.wide = wide
        self._generator = torch.Generator().manual_seed(seed)
        #: The narrow channel that each wide one is a copy of, ``(wide,)``: first each once, then copies.
        self.channels = self._draw()
        with torch.device("meta"):
            block = ModulatedBlock(narrow, 1)
        self._shapes = {name: parameter.shape for name, parameter in block.named_parameters()}

    def strided(self, tensor: Tensor, *, first: bool) -> Tensor:
        """Widen the weight or the bias of a strided convolution.

        Args:
            tensor: ``(narrow, inputs, taps)`` or ``(narrow,)``.
            first: its inputs are bands, which stay.

        Returns:
            ``(wide, inputs, taps)``, of wide inputs unless it is the first; or ``(wide,)``.
        """
        if tensor.dim() == 1 or first:
            return tensor[self.channels]
        taps = [self._shared(tap, self.channels) for tap in tensor.unbind(2)]  # of (narrow, wide)
        return torch.stack(taps, 2)[self.channels]

    def fits(self, tensors: Mapping[str, Tensor]) -> bool:
        """Whether these are a modulated block's of ``narrow`` channels, which ``block`` can widen."""
        return all(name in tensors and tensors[name].shape == shape for name, shape in self._shapes.items())

    def block(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Widen a modulated block without speaker.

        Args:
            tensors: its state: ``scale_shift``, ``dilated.weight``, ``dilated.bias``, ``out.weight``, ``out.bias``.

        Returns:
            The same of a block of ``wide`` channels, hidden channels too.
        """
        hidden = self._draw()
        taps = tensors["dilated.weight"].unflatten(1, (-1, self.narrow)).unbind(1)  # of (narrow, narrow)
        return {
            "scale_shift": torch.cat([half[self.channels] for half in tensors["scale_shift"].chunk(2)]),
            "dilated.weight": torch.cat([self._shared(tap, self.channels) for tap in taps], 1)[hidden],
            "dilated.bias": tensors["dilated.bias"][hidden],
            "out.weight": self._shared(tensors["out.weight"], hidden)[self.channels],
            "out.bias": tensors["out.bias"][self.channels],
        }

    def _draw(self) -> Tensor:
        """Channels of which each is there as often as any other, or once more."""
        rounds = -(-self.wide // self.narrow) - 1
        copies = [torch.randperm(self.narrow, generator=self._generator) for _ in range(rounds)]
        return torch.cat([torch.arange(self.narrow), *copies])[: self.wide]

    def _shared(self, weight: Tensor, channels: Tensor) -> Tensor:
        """``(rows, narrow)`` -> ``(rows, wide)``: each row's weight of a channel, shared at random by its copies."""
        shares = 0.1 + torch.rand(len(weight), self.wide, generator=self._generator)  # none of them all or nothing
        whole = torch.zeros(len(weight), self.narrow).index_add_(1, channels, shares)  # (rows, narrow)
        return weight[:, channels] * shares / whole[:, channels]
