"""Preset files: YAML that holds every number of a training run, read with checks and with changes on top."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import yaml
from msgspec import Struct

from vqspeech.errors import InputError, warn_renamed
from vqspeech.yaml_text import parse_yaml, read_yaml

#: Keys that were called otherwise -> what they are called now; the former are read with a warning.
RENAMED = {
    "training.disguise": "training.perturb_probability",
    "training.disguises": "training.perturbed_copies",
}


#: Folders of the package that hold presets -> the command that takes them.
_TRAINED_BY = {"presets": "train", "presets/units": "train-units", "presets/prior": "train-prior"}


class PresetFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a preset file holds."""

    def check(self, where: str) -> None:
        """Check what no single key can show; raises InputError naming the keys and ``where`` they were read."""


Kind = TypeVar("Kind", bound=PresetFile)


class _Loader(yaml.SafeLoader):
    """YAML that also takes 2e-4, without a point, for a number."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d+[eE][-+]?\d+$"), list("-+0123456789"))


def packaged_presets(folder: str) -> tuple[str, ...]:
    """Names of the presets in a folder of the package."""
    found = resources.files("vqspeech").joinpath(folder).iterdir()
    return tuple(sorted(Path(file.name).stem for file in found if file.name.endswith(".yaml")))


def read_preset_file(
    name: str | os.PathLike[str], kind: type[Kind], changes: Sequence[str] = (), *, folder: str | None = None
) -> Kind:
    """Read a preset.

    Args:
        name: a YAML file, or the name of a preset in ``folder``.
        kind: what it holds.
        changes: ``"section.key=value"`` each, applied on top; the value is YAML.
        folder: of the package, where presets are found by name.

    Raises:
        InputError: no such preset, not YAML, a key unknown, missing, of the wrong type or out of range.
    """
    file = Path(name)
    if not file.is_file():
        known = packaged_presets(folder) if folder is not None else ()
        if folder is None or str(name) not in known:
            other = next(
                (command for place, command in _TRAINED_BY.items() if str(name) in packaged_presets(place)), ""
            )
            raise InputError(
                f"a preset of vqspeech {other}" if other else "no such preset",
                where=file,
                hint=f"a YAML file, or one of: {', '.join(known)}",
            )
        with resources.as_file(resources.files("vqspeech").joinpath(folder, f"{name}.yaml")) as path:
            return _parse(path, kind, changes)
    return _parse(file, kind, changes)


def _parse(file: Path, kind: type[Kind], changes: Sequence[str]) -> Kind:
    where = str(file)
    tree = read_yaml(file, _Loader)
    _rename(tree, where)
    for change in changes:
        key, equals, value = change.partition("=")
        if key in RENAMED:
            warn_renamed(key, RENAMED[key])
        _apply(tree, f"{RENAMED.get(key, key)}{equals}{value}", kind)
        where = f"{file} with {' '.join(changes)}"
    preset = _convert(tree, kind, where)
    preset.check(where)
    return preset


def _rename(tree: Any, where: str) -> None:
    """Give the keys of a preset of an earlier version the names of this one."""
    for old, new in RENAMED.items():
        section, _, key = old.rpartition(".")
        values = tree.get(section) if isinstance(tree, dict) else None
        if isinstance(values, dict) and key in values:
            warn_renamed(old, new, where=where)
            values[new.rpartition(".")[2]] = values.pop(key)


def _apply(tree: Any, change: str, kind: type[PresetFile]) -> None:
    path, equals, value = change.partition("=")
    *parents, key = path.split(".")
    node = tree
    for parent in parents:
        node = node.get(parent) if isinstance(node, dict) else None
    # A preset may leave out keys that have a default.
    if not equals or not isinstance(node, dict) or (key not in node and key not in _fields(kind, parents)):
        raise InputError(f"no such key: {change!r}", hint="write section.key=value, for example training.steps=1000")
    try:
        node[key] = parse_yaml(value, where=change, loader=_Loader)
    except InputError:
        raise InputError(f"the value is not YAML: {change[:80]!r}", hint="quote it, or mend the brackets") from None


def _fields(kind: type[Struct], path: Sequence[str]) -> set[str]:
    """Names of the keys in a section, which ``path`` leads to from the whole file."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    if not path:
        return set(fields)
    types = [part for part in (fields[path[0]], *get_args(fields[path[0]])) if isinstance(part, type)]
    return set[str]().union(*(_fields(part, path[1:]) for part in types if issubclass(part, Struct)))


def _convert(tree: Any, kind: type[Kind], where: str) -> Kind:
    try:
        return msgspec.convert(tree, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        problem, _, path = str(error).partition(" - at ")
        key = path.strip("`").removeprefix("$.") or "the file"
        raise InputError(f"{key}: {problem}", where=where, hint="compare with a preset of the package") from None


def write_preset(preset: PresetFile, path: Path) -> None:
    """Write every number of ``preset`` as YAML."""
    from vqspeech.files import atomic_open

    with atomic_open(path) as file:
        yaml.safe_dump(msgspec.to_builtins(preset), file, sort_keys=False)
