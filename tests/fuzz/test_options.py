"""Every numeric option of every command at numbers that make no sense, found by walking the parsers."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from vqspeech import ranges
from vqspeech.cli.common.model import model_path
from vqspeech.cli.main import COMMANDS, command_parser
from vqspeech.errors import InputError

#: What no option may take for a number without a word, or compute with.
NUMBERS = ("-1", "0", "nan", "1e400", "-inf", "9" * 5000, "x", "")
#: Types whose values are no numbers.
_OTHERS = (None, str, Path, model_path)

Case = tuple[str, argparse.ArgumentParser, argparse.Action]


def parsers(parser: argparse.ArgumentParser, name: str) -> Iterator[tuple[str, list[str], argparse.ArgumentParser]]:
    """A parser and those of its sub-commands: title, the words that lead to it, itself."""
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not nested:
        yield name, [], parser
    for action in nested:
        for word, below in action.choices.items():
            for title, words, found in parsers(below, f"{name} {word}"):
                yield title, [word, *words], found


def converted(action: argparse.Action) -> bool:
    """Whether an option's value is more than text."""
    return action.type not in _OTHERS


ALL = [
    (title, parser, action)
    for group in COMMANDS.values()
    for command in group
    for title, _, parser in parsers(command_parser(command), command)
    for action in parser._actions
    if converted(action)
]


def names(case: Case) -> str:
    """A title for a test."""
    title, _, action = case
    return f"{title} {(action.option_strings or [action.dest])[0]}"


def required(parser: argparse.ArgumentParser, but: argparse.Action) -> list[str]:
    """Words for all that a parser insists on, one option left out."""
    words: list[str] = []
    groups = [group for group in parser._mutually_exclusive_groups if group.required]
    chosen = [group._group_actions[0] for group in groups if but not in group._group_actions]
    inside = {id(action) for group in groups for action in group._group_actions}
    for action in [*(a for a in parser._actions if a.required and id(a) not in inside and a is not but), *chosen]:
        word = str(next(iter(action.choices))) if action.choices else "1"
        words += [*action.option_strings[-1:], *[word] * (action.nargs if isinstance(action.nargs, int) else 1)]
    return words


def test_there_are_options_of_every_command_that_has_numbers() -> None:
    titles = {title for title, _, _ in ALL}
    assert {"convert", "pack", "train", "adapt", "sample", "split", "align", "evaluate abx", "prepare vctk"} <= titles
    assert len(ALL) > 60


@pytest.mark.parametrize("case", ALL, ids=names)
def test_a_number_has_a_range(case: Case) -> None:
    """One place says what a number may be: an option with a plain ``int`` or ``float`` fails here."""
    _, _, action = case
    assert isinstance(action.type, ranges.Whole | ranges.Real) or action.type not in (int, float)


@pytest.mark.parametrize("case", ALL, ids=names)
def test_senseless_numbers_are_one_line(case: Case) -> None:
    _, parser, action = case
    words = required(parser, action)
    told: list[str] = []
    for number in NUMBERS:
        given = [f"{action.option_strings[0]}={number}"] if action.option_strings else [number]
        try:
            options = parser.parse_args([*words, *given])
        except InputError as error:
            told.append(str(error))
            continue
        value = getattr(options, action.dest)
        value = value[0] if isinstance(value, list) else value
        assert isinstance(action.type, ranges.Whole | ranges.Real), (number, value)
        action.type.check(value, action.dest)
    assert told
    assert all("\n" not in line and len(line) < 600 for line in told)


@pytest.mark.parametrize("case", ALL, ids=names)
def test_the_default_is_in_the_range(case: Case) -> None:
    _, _, action = case
    if isinstance(action.type, ranges.Whole | ranges.Real) and action.default not in (None, argparse.SUPPRESS):
        for value in action.default if isinstance(action.default, list) else [action.default]:
            action.type.check(value, action.dest)
