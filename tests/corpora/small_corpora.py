"""What the tests of corpora share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vqspeech.datadir import DataDir, Utterance

Sound = Callable[..., Path]


def everything(parts: dict[str, DataDir]) -> dict[str, Utterance]:
    return {utterance.id: utterance for part in parts.values() for utterance in part}
