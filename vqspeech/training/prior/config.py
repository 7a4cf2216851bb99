"""How a prior is trained: every number of it, and the preset file that holds it beside the network's."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vqspeech.model.config import Count, Fraction, NonNegative
from vqspeech.model.prior.config import NetworkConfig
from vqspeech.training.preset_file import PresetFile, read_preset_file
from vqspeech.training.run_config import RunConfig, ScheduleConfig

#: Where the package keeps these presets.
FOLDER = "presets/prior"


class PriorOptimizerConfig(ScheduleConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam for embeddings, softmax and vectors and, where its rate is not 0, Muon for the network's matrices.

    Besides, see ``ScheduleConfig``.

    Attributes:
        muon: learning rate of Muon; 0 leaves the matrices to Adam.
        weight_decay: of matrices and embeddings, times the learning rate.
    """

    muon: NonNegative
    weight_decay: NonNegative


class PriorTrainingConfig(RunConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run of a prior: what ``RunConfig`` has, its batch of crops, its compiled part the network, and this.

    Attributes:
        crop: codes of a crop; shorter utterances are taken whole.
        speaker_dropout: probability that an utterance's speaker is withheld, so that the prior also works without.
        optimizer: the optimisers.
    """

    crop: Count
    speaker_dropout: Fraction
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
