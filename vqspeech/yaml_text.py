"""YAML of others: plain values, of a size that a config has, or an error that names the line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from vqspeech.errors import InputError, decoding

#: Characters and brackets of a file, at most; parsing deep nesting takes time that grows with its square.
_LONGEST, _MOST_BRACKETS = 1 << 16, 500


def parse_yaml(text: str, *, where: str | os.PathLike[str], loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """The plain values that ``text`` says.

    Args:
        text: YAML.
        where: the file it is from, for the message.
        loader: which scalars are numbers.

    Raises:
        InputError: naming the line, for what is no YAML, gives a key twice, or is too long or too deep for a config.
    """
    if len(text) > _LONGEST or text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise InputError("too long or too deep for a config", where=where, hint="compare with one of the package")
    try:
        with decoding("not YAML", where=where, hint="mend the syntax"):
            return yaml.load(text, _each_key_once(loader))
    except InputError as error:
        mark = getattr(error.__cause__, "problem_mark", None)
        if mark is None:
            raise
        problem = getattr(error.__cause__, "problem", "")
        raise InputError(f"not YAML: {problem}", where=where, line=mark.line + 1, hint="mend the syntax") from None


def read_yaml(path: str | os.PathLike[str], loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    """The plain values that a file says; see ``parse_yaml``."""
    path = Path(path)
    with path.open("rb") as file:
        raw = file.read(_LONGEST + 1)
    with decoding("not a YAML text", where=path, hint="give a config"):
        text = raw.decode("utf-8")
    return parse_yaml(text, where=path, loader=loader)


def _each_key_once(loader: type[yaml.SafeLoader]) -> type[yaml.SafeLoader]:
    """A loader that refuses a key that was there before, where YAML would let the last one silently win."""

    class EachKeyOnce(loader):  # type: ignore[misc, valid-type]
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"{key.value!r} is there twice", key.start_mark
                        )
                    seen.add(key.value)
            made: dict[Any, Any] = super().construct_mapping(node, deep)
            return made

    return EachKeyOnce
