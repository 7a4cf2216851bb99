"""``vqspeech.training.config``: presets hold every number, and what is wrong with one is said with its key."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from small_training import make_preset

from vqspeech.errors import InputError, RenamedWarning
from vqspeech.model.checkpoint import load_model
from vqspeech.model.packaged import best_of, find_model
from vqspeech.model.quantizer import Quantizer
from vqspeech.training.config import Preset, presets, read_preset, write_preset


def issue(name: str | Path, *changes: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_preset(name, changes)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def changed(tmp_path: Path, path: str, value: Any) -> Path:
    """The preset ``small`` as a file with one key changed, or removed."""
    tree = msgspec.to_builtins(read_preset("small"))
    node = tree
    *parents, key = path.split(".")
    for parent in parents:
        node = node[parent]
    if value is ...:
        del node[key]
    else:
        node[key] = value
    file = tmp_path / "changed.yaml"
    file.write_text(yaml.safe_dump(tree))
    return file


def keys(tree: Any) -> Any:
    return {key: keys(value) for key, value in tree.items()} if isinstance(tree, dict) else None


def test_the_package_has_the_presets_of_the_paper_and_ours() -> None:
    assert set(presets()) >= {"paper-64x", "paper-128x", "paper-25hz", "small"}


@pytest.mark.parametrize("name", presets())
def test_each_packaged_preset_reads_and_names_every_key(name: str) -> None:
    import vqspeech

    preset = read_preset(name)
    file = Path(vqspeech.__file__).parent / "presets" / f"{name}.yaml"
    text = file.read_text()
    # Times of another system's codes come from train --codes, another model's features need --features: in no preset.
    named = keys(msgspec.to_builtins(preset))
    assert named["model"]["encoder"].pop("source") is None
    assert named["model"]["conditioner"].pop("features") is None
    assert named["training"].pop("features") is None
    assert keys(yaml.safe_load(text)) == named
    assert text.startswith("#"), "says what it is for"


def test_the_preset_for_voices_of_ones_own_makes_models_like_the_packaged_one() -> None:
    packaged = load_model(best_of(find_model("default"))).config
    assert read_preset("decoder-125hz").model == packaged
    front_end = read_preset("front-end-125hz").model
    assert msgspec.structs.replace(front_end, decoder=packaged.decoder) == packaged


@pytest.mark.parametrize("name", presets())
def test_a_preset_that_is_written_reads_back_equal(name: str, tmp_path: Path) -> None:
    preset = read_preset(name)
    write_preset(preset, tmp_path / "copy.yaml")
    assert read_preset(tmp_path / "copy.yaml") == preset


@pytest.mark.parametrize(
    ("name", "hop", "codes", "rate"),
    [("paper-64x", 64, 512, 250), ("paper-128x", 128, 512, 125), ("paper-25hz", 640, 128, 25)],
)
def test_the_presets_of_the_paper_have_its_numbers(name: str, hop: int, codes: int, rate: float) -> None:
    model = read_preset(name).model
    assert model.code_hop == hop
    assert model.quantizer.codes == codes
    assert model.quantizer.commitment == 0.25
    assert model.code_rate == rate
    assert model.bitrate == rate * {512: 9, 128: 7}[codes]
    Quantizer(model.quantizer, 2)


def test_changes_are_applied_on_top_in_order() -> None:
    preset = read_preset(
        "small", ["training.steps=7000", "training.steps=8000", "model.encoder.strides=[2, 4, 8]", "training.seed=3"]
    )
    assert preset.training.steps == 8000
    assert preset.model.encoder.strides == (2, 4, 8)
    assert preset.training.seed == 3
    assert preset.training.batch == read_preset("small").training.batch


@pytest.mark.parametrize(
    "change",
    [
        "steps=1000",
        "training.step=1000",
        "training.steps",
        "training",
        "=5",
        "training.steps.more=1",
        "training.steps=[",
        "training.steps=many",
        "training.steps=0",
        "training.seed=-1",
        "training.seed=18446744073709551616",
        "training.optimizer.adam=.nan",
        "training=5",
        "model.audio.rms=2",
    ],
)
def test_a_change_that_cannot_be_made_is_told(change: str) -> None:
    key = change.partition("=")[0].rpartition(".")[2]
    assert key in str(issue("small", change))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("training.speed", 3, "speed"),
        ("training.steps", ..., "steps"),
        ("training.steps", 2.5, "training.steps"),
        ("training.batch", 0, "training.batch"),
        ("training.average", 1.0, "training.average"),
        ("training.average", "0.9", "training.average"),
        ("training.precision", "fp8", "training.precision"),
        ("training.perturbed_copies", 17, "training.perturbed_copies"),
        ("training.optimizer.clip", 0, "training.optimizer.clip"),
        ("model.quantizer.codes", 1, "model.quantizer.codes"),
        ("model.quantizer.decay", -0.1, "model.quantizer.decay"),
        ("model.encoder.strides", [4, 0], "model.encoder.strides"),
        ("model.decoder.kernel", 1, "model.decoder.kernel"),
        ("model.conditioner.cepstra", 41, "model.conditioner.cepstra"),
        ("model", 5, "model"),
    ],
)
def test_a_key_that_is_wrong_is_named(tmp_path: Path, path: str, value: Any, named: str) -> None:
    file = changed(tmp_path, path, value)
    error = issue(file)
    assert error.where == str(file)
    assert named in error.problem


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (["model.encoder.strides=[]"], "model.encoder.strides"),
        (["model.conditioner.hop=48"], "model.conditioner.hop"),
        (["training.segment=12289"], "training.segment"),
        (["training.crop=100"], "training.crop"),
        (["training.crop=16384"], "training.crop"),
        (["training.perturb_probability=0.5", "training.perturbed_copies=0"], "training.perturbed_copies"),
        (["model.conditioner.mel_bands=0"], "training.decode_from"),
        (["model.conditioner.cepstra=13"], "model.conditioner.cepstra"),
        (["model.encoder.input_norm=true"], "model.encoder.input_norm"),
    ],
)
def test_keys_that_do_not_fit_together_are_named(changes: list[str], named: str) -> None:
    error = issue("small", *changes)
    assert named in error.problem
    assert "small.yaml" in str(error.where)
    assert changes[0] in str(error.where)


def test_the_line_of_bad_yaml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("model:\n  audio: [1, 2\n  levels: 3\n")
    error = issue(file)
    assert error.where == str(file)
    assert error.line == 3


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1, 2]", b"just words", b"a\x00b"])
def test_a_file_that_is_no_preset_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    assert issue(file).where == str(file)


@pytest.mark.parametrize("name", ["large", "no/such.yaml", "../small", ""])
def test_an_unknown_preset_is_answered_with_those_there_are(name: str) -> None:
    assert "paper-64x" in str(issue(name))


def test_a_preset_of_tests_is_sound() -> None:
    assert isinstance(make_preset(), Preset)


def test_an_exponent_needs_no_point() -> None:
    assert read_preset("tiny", ["training.optimizer.adam=2e-4"]).training.optimizer.adam == 2e-4


def test_keys_of_an_earlier_version_are_read_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "earlier.yaml"
    preset = resources.files("vqspeech").joinpath("presets", "small.yaml").read_text(encoding="utf-8")
    file.write_text(preset.replace("perturb_probability:", "disguise:").replace("perturbed_copies:", "disguises:"))
    assert "disguise: 0.7" in file.read_text()
    with pytest.warns(RenamedWarning, match=r"earlier\.yaml: 'training\.disguise' is now called"):
        assert read_preset(file) == read_preset("small")


def test_a_key_that_the_preset_leaves_out_can_be_changed() -> None:
    features = "training.features={model: hubert_base, layer: 9, weight: 1}"
    preset = read_preset("tiny", [features, "training.features.layer=6", "model.conditioner.features=768"])
    assert preset.training.features is not None
    assert preset.training.features.layer == 6
    for wrong in ("training.features.layers=6", "training.pitch_drop=0.5", "models.x=1", "training.steps.x=1"):
        with pytest.raises(InputError, match="no such key"):
            read_preset("tiny", [features, "model.conditioner.features=768", wrong])
