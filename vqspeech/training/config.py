"""How a model is trained: every number of it, and the preset file that holds it beside the model's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from vqspeech.errors import InputError
from vqspeech.model.config import Count, Fraction, ModelConfig, NonNegative
from vqspeech.training.preset_file import PresetFile, packaged_presets, read_preset_file, write_preset
from vqspeech.training.run_config import RunConfig, ScheduleConfig

__all__ = ["OptimizerConfig", "Preset", "TrainingConfig", "presets", "read_preset", "write_preset"]

#: Where the package keeps these presets.
FOLDER = "presets"


class OptimizerConfig(ScheduleConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam for vectors and, where its rate is not 0, Muon for matrices; besides, see ``ScheduleConfig``.

    Attributes:
        muon_decoder: learning rate of Muon on the WaveNet's matrices; 0 leaves them to Adam.
        muon_encoder: the same for encoder and conditioning network.
    """

    muon_decoder: NonNegative
    muon_encoder: NonNegative


class FeatureConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Features of a self-supervised model that a head beside the mel head learns to predict.

    Attributes:
        model: which, by the name that ``torchaudio.models`` has for it, or ``units`` for a unit model of this package.
        layer: whose output is predicted; of HuBERT base, 9 follows phones best (Hsu et al. 2021, figure 3).
        weight: of the error, of features normalised to mean 0 and variance 1 in each frame.
    """

    model: Literal[
        "units", "hubert_base", "hubert_large", "hubert_xlarge", "wavlm_base", "wavlm_large", "wav2vec2_base"
    ]
    layer: Annotated[int, Meta(ge=1, le=64)]
    weight: NonNegative


class TrainingConfig(RunConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run: what ``RunConfig`` has, its batch of segments, its compiled part the decoder, and this.

    Attributes:
        segment: samples of a segment: what encoder and conditioning network see.
        crop: samples of it that the decoder predicts.
        quantize_from: step at which the codebook is placed on data by k-means; before, codes are not quantised.
        decode_from: step at which the decoder joins; before, only the auxiliary head trains the encoder. At ``steps``
            or later the decoder never does: the front end alone is trained.
        keep_codes: encoder and codebook stay as they are in the model that the run begins from, so that its codes, and
            all that was made of them, keep their meaning.
        mel_weight: of the auxiliary head's error.
        speaker_balance: a speaker is drawn in proportion to its duration to this power; 0 draws all alike.
        perturb_probability: probability that the encoder's input is a copy with pitch and formants perturbed (needs
            ``perturbed_copies``).
        perturbed_copies: such copies that are made of each utterance when the data are packed.
        warp: probability that the frequency axis of the encoder's log-mel input is warped, see ``augmentation``.
        channel: probability of noise, room, equaliser and band limit on it, likewise.
        pitch_dropout: probability that pitch is withheld from a conditioning network that takes it.
        loudness: range of the random gain of the encoder's input, in dB to either side.
        least_code_gap: stop with a word when the codes are worth less than this, in nats per sample.
        features: another model's features to learn from, too (with ``model.conditioner.features`` and a file of its
            weights); None for none.
        optimizer: the optimisers.
    """

    segment: Count
    crop: Count
    quantize_from: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    decode_from: Annotated[int, Meta(ge=0, le=1_000_000_000)]
    keep_codes: bool
    mel_weight: NonNegative
    speaker_balance: Fraction
    perturb_probability: Fraction
    perturbed_copies: Annotated[int, Meta(ge=0, le=16)]
    warp: Fraction = 0.0
    channel: Fraction = 0.0
    pitch_dropout: Fraction = 0.3
    loudness: NonNegative
    least_code_gap: Annotated[float, Meta(ge=-1e6, le=1e6)]
    features: FeatureConfig | None = None
    optimizer: OptimizerConfig


class Preset(PresetFile, frozen=True):
    """A preset file: a model and how it is trained."""

    model: ModelConfig
    training: TrainingConfig

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        self.model.check(where)
        model, training = self.model, self.training

        def insist(condition: bool, problem: str, hint: str) -> None:
            if not condition:
                raise InputError(problem, where=where, hint=hint)

        insist(
            training.segment % model.code_hop == 0,
            f"training.segment is {training.segment}, not a whole number of codes",
            f"use a multiple of {model.code_hop}",
        )
        insist(
            training.crop % model.conditioner.hop == 0 and training.crop <= training.segment,
            f"training.crop is {training.crop}",
            f"use a multiple of model.conditioner.hop ({model.conditioner.hop}), at most training.segment",
        )
        insist(
            training.perturb_probability == 0 or training.perturbed_copies > 0,
            "training.perturb_probability is above 0, but training.perturbed_copies is 0",
            "make at least one copy, or set training.perturb_probability=0",
        )
        insist(
            training.decode_from == 0 or model.conditioner.mel_bands + model.conditioner.cepstra > 0,
            "training.decode_from lets the decoder wait, but nothing else teaches the encoder",
            "set training.decode_from=0 or model.conditioner.mel_bands above 0",
        )
        insist(
            training.warp + training.channel == 0 or model.encoder.front_end == "log-mel",
            "training.warp and training.channel alter log-mel input, but the front end is the waveform",
            "set both to 0, or model.encoder.front_end=log-mel",
        )
        insist(
            (training.features is None) == (model.conditioner.features == 0),
            f"model.conditioner.features is {model.conditioner.features}, and training.features "
            + ("is absent" if training.features is None else "names a model"),
            "give both or neither: the dimension of the head and the model whose features it learns",
        )


def presets() -> tuple[str, ...]:
    """Names of the VQ-VAE's presets in the package."""
    return packaged_presets(FOLDER)


def read_preset(name: str | os.PathLike[str], changes: Sequence[str] = ()) -> Preset:
    """Read a preset of a VQ-VAE.

    Args:
        name: a YAML file, or the name of a preset of the package.
        changes: ``"section.key=value"`` each, applied on top; the value is YAML.

    Raises:
        InputError: no such preset, not YAML, a key unknown, missing, of the wrong type or out of range.
    """
    return read_preset_file(name, Preset, changes, folder=FOLDER)
