"""What a prior is, in full: every number of it, checked as it is read."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from vqspeech.errors import InputError
from vqspeech.model.config import Count, Layers

Share = Annotated[float, Meta(ge=0, lt=1)]


class ConvolutionsConfig(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="convolutions"
):
    """Causal dilated convolutions with gated units, the paper's kind of prior.

    Attributes:
        layers: how many.
        cycle: layers after which the dilation begins again at 1; within a cycle it doubles.
        kernel: taps of each convolution.
        width: channels between layers.
        gate: channels of the gated unit.
        skip: channels of the sum over layers.
        dropout: probability that a channel of a gated unit is dropped in training.
    """

    layers: Layers
    cycle: Annotated[int, Meta(ge=1, le=16)]
    kernel: Annotated[int, Meta(ge=2, le=64)]
    width: Count
    gate: Count
    skip: Count
    dropout: Share

    @property
    def dilations(self) -> tuple[int, ...]:
        """The dilation of each layer."""
        return tuple(2 ** (layer % self.cycle) for layer in range(self.layers))

    @property
    def memory(self) -> int:
        """How many codes before it a prediction can depend on."""
        return (self.kernel - 1) * sum(self.dilations) + 1

    def check(self, where: str) -> None:
        """There is nothing that the keys do not show one by one."""


class TransformerConfig(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind", tag="transformer"
):
    """A small Transformer with rotary positions that attends to a window of the past.

    Attributes:
        layers: how many.
        width: channels between layers.
        heads: of the attention; each has ``width / heads`` channels, an even number.
        feed_forward: hidden channels of the second half of a layer.
        window: how many positions a layer attends to, the present one included.
        dropout: probability that a channel of what a layer adds is dropped in training.
    """

    layers: Layers
    width: Count
    heads: Count
    feed_forward: Count
    window: Count
    dropout: Share

    @property
    def memory(self) -> int:
        """How many codes before it a prediction can depend on."""
        return self.layers * (self.window - 1) + 1

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        if self.width % (2 * self.heads):
            raise InputError(
                f"network.width is {self.width}, which {self.heads} heads cannot share",
                where=where,
                hint="make it a multiple of twice network.heads",
            )


NetworkConfig: TypeAlias = ConvolutionsConfig | TransformerConfig


class PriorConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole of a prior, without its speakers.

    Attributes:
        codes: K, size of the codebook.
        made_by: checksum of the model whose codes it has learnt; None where that is not known.
        bigrams: whether the code before also enters the softmax directly, by a table of ``codes + 1`` rows that
            begins as counted frequencies: it gives a short training a long start.
        network: its kind and sizes.
    """

    codes: Annotated[int, Meta(ge=2, le=2**20)]
    made_by: str | None
    bigrams: bool
    network: NetworkConfig
