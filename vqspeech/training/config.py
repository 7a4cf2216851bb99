"""How a model is trained: every number of it, and the preset file that holds it beside the model's."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from vqspeech.errors import InputError
from vqspeech.model.config import Count, Fraction, ModelConfig, NonNegative


class OptimizerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Adam for vectors and, where its rate is not 0, Muon for matrices.

    Attributes:
        adam: learning rate of Adam.
        muon_decoder: learning rate of Muon on the WaveNet's matrices; 0 leaves them to Adam.
        muon_encoder: the same for encoder and conditioning network.
        warm_up: steps over which all rates rise from 0.
        decay_from: share of the steps after which all rates fall linearly to a hundredth.
        clip: largest norm of the gradient.
    """

    adam: Annotated[float, Meta(gt=0)]
    muon_decoder: NonNegative
    muon_encoder: NonNegative
    warm_up: Annotated[int, Meta(ge=0)]
    decay_from: Fraction
    clip: Annotated[float, Meta(gt=0)]


class TrainingConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A training run.

    Attributes:
        steps: how many in all.
        batch: segments a step, on each device.
        segment: samples of a segment: what encoder and conditioning network see.
        crop: samples of it that the decoder predicts.
        quantize_from: step at which the codebook is placed on data by k-means; before, codes are not quantised.
        decode_from: step at which the decoder joins; before, only the auxiliary mel head teaches the encoder.
        mel_weight: of the auxiliary head's error.
        speaker_balance: a speaker is drawn in proportion to its duration to this power; 0 draws all alike.
        disguise: probability that the encoder hears a copy with other pitch and formants (needs ``disguises``).
        disguises: such copies that are made of each utterance when the data are packed.
        loudness: range of the random factor on what the encoder hears, in dB to either side.
        average: decay of the moving average of the weights that is evaluated and kept.
        precision: of the matrix products.
        compile: compile the decoder with ``torch.compile``.
        least_code_gap: stop with a word when the codes are worth less than this, in nats a sample.
        seed: of everything random.
        optimizer: the optimisers.
    """

    steps: Count
    batch: Count
    segment: Count
    crop: Count
    quantize_from: Annotated[int, Meta(ge=0)]
    decode_from: Annotated[int, Meta(ge=0)]
    mel_weight: NonNegative
    speaker_balance: Fraction
    disguise: Fraction
    disguises: Annotated[int, Meta(ge=0, le=16)]
    loudness: NonNegative
    average: Annotated[float, Meta(ge=0, lt=1)]
    precision: Literal["fp32", "bf16"]
    compile: bool
    least_code_gap: float
    seed: Annotated[int, Meta(ge=0, lt=2**32)]
    optimizer: OptimizerConfig


class Preset(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A preset file: a model and how it is trained."""

    model: ModelConfig
    training: TrainingConfig

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys."""
        self.model.check(where)
        model, training = self.model, self.training

        def insist(condition: bool, problem: str, cure: str) -> None:
            if not condition:
                raise InputError(problem, where=where, cure=cure)

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
            training.disguise == 0 or training.disguises > 0,
            "training.disguise is above 0, but training.disguises is 0",
            "make at least one copy, or set training.disguise=0",
        )
        insist(
            training.decode_from == 0 or model.conditioner.mel_bands > 0,
            "training.decode_from lets the decoder wait, but nothing else teaches the encoder",
            "set training.decode_from=0 or model.conditioner.mel_bands above 0",
        )
        insist(training.decode_from < training.steps, "training.decode_from is not below training.steps", "lower it")


class _Loader(yaml.SafeLoader):
    """YAML that also takes 2e-4, without a point, for a number."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))


def _load_yaml(text: str) -> Any:
    return yaml.load(text, _Loader)  # _Loader is a safe one


def presets() -> tuple[str, ...]:
    """Names of the presets in the package."""
    folder = resources.files("vqspeech") / "presets"
    return tuple(sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml")))


def read_preset(name: str | os.PathLike[str], changes: Sequence[str] = ()) -> Preset:
    """Read a preset.

    Args:
        name: a YAML file, or the name of a preset of the package.
        changes: ``"section.key=value"`` each, applied on top; the value is YAML.

    Raises:
        InputError: no such preset, not YAML, a key unknown, missing, of the wrong type or out of range.
    """
    file = Path(name)
    if not file.is_file():
        packaged = resources.files("vqspeech") / "presets" / f"{file.name}.yaml"
        if file.name != str(name) or not packaged.is_file():
            raise InputError("no such preset", where=file, cure=f"a YAML file, or one of: {', '.join(presets())}")
        with resources.as_file(packaged) as path:
            return _parse(path, changes)
    return _parse(file, changes)


def _parse(file: Path, changes: Sequence[str]) -> Preset:
    where = str(file)
    try:
        tree = _load_yaml(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not YAML: {error.problem}", where=file, line=line, cure="mend the syntax") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"not a YAML text: {error}", where=file, cure="give a preset file") from None
    for change in changes:
        _apply(tree, change)
        where = f"{file} with {' '.join(changes)}"
    preset = _convert(tree, where)
    preset.check(where)
    return preset


def _apply(tree: Any, change: str) -> None:
    path, equals, value = change.partition("=")
    *parents, key = path.split(".")
    node = tree
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    if not equals or not isinstance(node, dict) or key not in node:
        raise InputError(f"no such key: {change!r}", cure="write section.key=value, for example training.steps=1000")
    try:
        node[key] = _load_yaml(value)
    except yaml.YAMLError:
        raise InputError(f"the value is not YAML: {change!r}", cure="quote it, or mend the brackets") from None


def _convert(tree: Any, where: str) -> Preset:
    try:
        return msgspec.convert(tree, Preset)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at ")
        key = path.strip("`").removeprefix("$.") or "the file"
        raise InputError(f"{key}: {problem}", where=where, cure="compare with a preset of the package") from None


def write_preset(preset: Preset, path: Path) -> None:
    """Write every number of ``preset`` as YAML."""
    from vqspeech.files import atomic_open

    with atomic_open(path) as file:
        yaml.safe_dump(msgspec.to_builtins(preset), file, sort_keys=False)
