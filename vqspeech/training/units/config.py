"""How a unit model is trained: every number of it, and the preset file that holds it beside the model's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from vqspeech.errors import InputError
from vqspeech.model.config import CEPSTRAL_BANDS, Count, Fraction, ModelConfig, NonNegative, SignedDilations
from vqspeech.training.preset_file import PresetFile, read_preset_file
from vqspeech.training.run_config import RunConfig, ScheduleConfig

#: Where the package keeps these presets.
FOLDER = "presets/units"
#: Units are kept in 16 bits, -1 among them.
MOST_UNITS = 1 << 15


class UnitsOptimizer(ScheduleConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam for vectors and, where its rate is not 0, Muon for matrices.

    Attributes:
        muon: learning rate of Muon; 0 leaves the matrices to Adam.
    """

    muon: NonNegative


class TargetsConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The clusters that are predicted.

    Attributes:
        clusters: how many, where no earlier model gives them.
        cepstra: of each frame, normalised over the utterance, with their slopes and the slopes of these; likewise.
        frames: on which k-means places the clusters; likewise.
        duration_penalty: what a change of cluster costs, of cepstra or of an earlier model, in units of the mean
            squared distance of two clusters (``vqspeech.codes.duration_penalty``); 0 for each position's nearest one.
        units: how many an earlier model is given anew, by principal components and k-means of what its encoder makes of
            the training speech; 0 for those it has.
    """

    clusters: Annotated[int, Meta(ge=2, le=32767)]
    cepstra: Annotated[int, Meta(ge=1, le=CEPSTRAL_BANDS)]
    frames: Count
    duration_penalty: NonNegative = 0.0
    units: Annotated[int, Meta(ge=0, le=MOST_UNITS)] = 0


class UnitsTraining(RunConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run of a unit model.

    Attributes:
        segment: samples of a segment, of which ``batch`` make a step.
        mask_share: share of the codes' positions at which the input is masked, about.
        mask_span: positions masked together.
        unmasked_weight: weight of the prediction where the input is not masked; 1 where it is.
        predictor: dilations of further blocks between the encoder and the prediction; a model has none of them.
        targets: what is predicted.
        hold: steps during which the layers that the run began with (``--from``) stay as they are: those that are new,
            which give them no good gradients yet, learn first.
        speaker_balance: a speaker is drawn in proportion to its duration to this power; 0 draws all alike.
        warp: probability that the frequency axis of the input is warped, see ``vqspeech.training.augmentation``.
        channel: probability of noise, room, equaliser and band limit on it, likewise.
        loudness: range of the random gain of the input, in dB to either side.
        compile: not used yet; False.
        optimizer: the optimisers.
    """

    segment: Count
    mask_share: Annotated[float, Meta(gt=0, lt=1)]
    mask_span: Annotated[int, Meta(ge=1, le=1000)]
    unmasked_weight: NonNegative
    predictor: SignedDilations
    targets: TargetsConfig
    hold: Annotated[int, Meta(ge=0)] = 0
    speaker_balance: Fraction
    warp: Fraction
    channel: Fraction
    loudness: NonNegative
    compile: Literal[False] = False
    optimizer: UnitsOptimizer


class UnitsPreset(PresetFile, frozen=True):
    """A preset file: a model and how it is trained."""

    model: ModelConfig
    training: UnitsTraining

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        self.model.check(where)
        encoder, training = self.model.encoder, self.training

        def insist(condition: bool, problem: str, hint: str) -> None:
            if not condition:
                raise InputError(problem, where=where, hint=hint)

        insist(
            encoder.front_end == "log-mel" and encoder.block == "modulated",
            "masked prediction needs log-mel frames and modulated blocks",
            "set model.encoder.front_end=log-mel and model.encoder.block=modulated",
        )
        insist(training.targets.units != 1, "training.targets.units is 1", "use 2 or more, or 0")
        insist(0 not in training.predictor, "training.predictor has a 0", "use 1 or more, or -1 or less")
        insist(
            training.segment % self.model.code_hop == 0 and training.segment >= 2 * self.model.code_hop,
            f"training.segment is {training.segment}, not some whole codes",
            f"use a multiple of {self.model.code_hop}",
        )
        insist(
            encoder.dimension <= encoder.channels,
            f"model.encoder.dimension is {encoder.dimension}, more than model.encoder.channels",
            f"use {encoder.channels} at most",
        )


def read_units_preset(name: str | os.PathLike[str], changes: Sequence[str] = ()) -> UnitsPreset:
    """Read a preset of a unit model.

    Args:
        name: a YAML file, or the name of a preset of the package.
        changes: ``"section.key=value"`` each, applied on top; the value is YAML.

    Raises:
        InputError: no such preset, not YAML, a key unknown, missing, of the wrong type or out of range.
    """
    return read_preset_file(name, UnitsPreset, changes, folder=FOLDER)
