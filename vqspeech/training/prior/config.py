"""How a prior is trained: every number of it, and the preset file that holds it beside the network's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from vqspeech.model.config import Count, Fraction, NonNegative, Positive
from vqspeech.model.prior.config import NetworkConfig
from vqspeech.training.preset_file import PresetFile, read_preset_file

#: Where the package keeps these presets.
FOLDER = "presets/prior"


class PriorOptimizerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam for embeddings, softmax and vectors and, where its rate is not 0, Muon for the network's matrices.

    Attributes:
        adam: learning rate of Adam.
        muon: learning rate of Muon; 0 leaves the matrices to Adam.
        weight_decay: of matrices and embeddings, times the learning rate.
        warm_up: steps over which all rates rise from 0.
        decay_from: share of the steps after which all rates fall linearly to a hundredth.
        clip: largest norm of the gradient.
    """

    adam: Positive
    muon: NonNegative
    weight_decay: NonNegative
    warm_up: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    decay_from: Fraction
    clip: Positive


class PriorTrainingConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run of a prior.

    Attributes:
        steps: how many in all.
        batch: crops per step, on each device.
        crop: codes of a crop; shorter utterances are taken whole.
        speaker_dropout: probability that an utterance's speaker is withheld, so that the prior also works without.
        average: decay of the moving average of the weights that is evaluated and kept.
        precision: of the matrix products.
        compile: compile the network with ``torch.compile``.
        seed: of everything random.
        optimizer: the optimisers.
    """

    steps: Count
    batch: Count
    crop: Count
    speaker_dropout: Fraction
    average: Annotated[float, Meta(ge=0, lt=1)]
    precision: Literal["fp32", "bf16"]
    compile: bool
    seed: Annotated[int, Meta(ge=0, lt=2**32)]
    optimizer: PriorOptimizerConfig


class PriorPreset(PresetFile, frozen=True):
    """A preset file: a prior and how it is trained. The size of the codebook comes with the codes.

    Attributes:
        bigrams: as in ``PriorConfig``.
        network: as in ``PriorConfig``.
        training: how it is trained.
    """

    bigrams: bool
    network: NetworkConfig
    training: PriorTrainingConfig

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        self.network.check(where)


def read_prior_preset(name: str | os.PathLike[str], changes: Sequence[str] = ()) -> PriorPreset:
    """Read a preset of a prior.

    Args:
        name: a YAML file, or the name of a preset of the package.
        changes: ``"section.key=value"`` each, applied on top; the value is YAML.

    Raises:
        InputError: no such preset, not YAML, a key unknown, missing, of the wrong type or out of range.
    """
    return read_preset_file(name, PriorPreset, changes, folder=FOLDER)
