"""``vqspeech.yaml_text``: one clear line for what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from vqspeech.errors import InputError
from vqspeech.yaml_text import parse_yaml

PRESETS = Path(__file__).parent.parent / "vqspeech" / "presets"


def test_a_key_that_is_given_twice_is_named_with_its_line() -> None:
    with pytest.raises(InputError, match=r"a\.yaml:3: not YAML: 'batch' is there twice"):
        parse_yaml("training:\n  batch: 8\n  batch: 4\n", where="a.yaml")
    with pytest.raises(InputError, match=r"a\.yaml:2: not YAML: 'model' is there twice"):
        parse_yaml("model: words\nmodel:\n  x: 1\n", where="a.yaml")


def test_the_same_key_in_two_places_is_two_keys() -> None:
    assert parse_yaml("a: {x: 1}\nb: {x: 2}\n", where="a.yaml") == {"a": {"x": 1}, "b": {"x": 2}}


@pytest.mark.parametrize("preset", sorted(PRESETS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_no_preset_gives_a_key_twice(preset: Path) -> None:
    assert isinstance(parse_yaml(preset.read_text(encoding="utf-8"), where=preset), dict)
