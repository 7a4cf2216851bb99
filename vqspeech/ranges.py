"""Which numbers an option or an argument may be: one place for the command line and for Python.

A range is an argparse ``type`` and a check of a value from Python:

>>> SEED("7")
7
>>> SEED.check(-1, "seed")
Traceback (most recent call last):
...
vqspeech.errors.InputError: seed is -1 (give a whole number from 0 to 4294967295)
"""

from __future__ import annotations

import argparse
import math
import operator
from dataclasses import dataclass
from typing import Any

from vqspeech.errors import InputError


@dataclass(frozen=True)
class _Range:
    """Numbers from ``low`` to ``high``.

    Attributes:
        low: the lowest.
        high: the highest.
        above: whether ``low`` itself is left out.
    """

    low: float
    high: float
    above: bool = False

    #: What the numbers are called.
    kind = "number"

    def __str__(self) -> str:
        return f"a {self.kind} {'above' if self.above else 'from'} {self.low:.12g} to {self.high:.12g}"

    def holds(self, value: float) -> bool:
        """Whether ``value``, of the right kind, is in the range."""
        return self.low <= value <= self.high and not (self.above and value == self.low)

    def _number(self, value: Any) -> float:
        """``value`` as a number of this kind; raises ValueError, TypeError or OverflowError if it is none."""
        raise NotImplementedError

    def check(self, value: Any, name: str) -> None:
        """Check an argument.

        Args:
            value: what was given.
            name: of the argument, for the message.

        Raises:
            InputError: it is not in the range.
        """
        try:
            inside = self.holds(self._number(value))
        except (TypeError, ValueError, OverflowError):
            inside = False
        if not inside:
            raise InputError(f"{name} is {str(value)[:40]}", hint=f"give {self}")

    def _parsed(self, text: str, convert: type[int] | type[float]) -> Any:
        try:
            value = convert(text)
        except ValueError:
            value = math.nan
        if not self.holds(value):
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {self}")
        return value


class Whole(_Range):
    """Whole numbers."""

    kind = "whole number"

    def _number(self, value: Any) -> float:
        return operator.index(value)

    def __call__(self, text: str) -> int:
        """An option's value, as argparse converts it."""
        return int(self._parsed(text, int))


class Real(_Range):
    """Finite numbers."""

    def _number(self, value: Any) -> float:
        return float(value)

    def __call__(self, text: str) -> float:
        """An option's value, as argparse converts it."""
        return float(self._parsed(text, float))


#: Of everything random; what scikit-learn takes.
SEED = Whole(0, 2**32 - 1)
#: Threads or processes.
WORKERS = Whole(1, 1024)
#: Of TCP; 0 is any that is free.
PORT = Whole(0, 65_535)
#: Of an upload.
MEGABYTES = Whole(1, 8192)
#: Of a recording or of work on it.
MINUTES = Real(0, 600, above=True)
#: How many of something, at least one.
COUNT = Whole(1, 10**9)
#: Shards of a corpus.
SHARDS = Whole(1, 99_999)
#: How many of something, or none.
COUNT_OR_NONE = Whole(0, 10**9)
#: Samples that are drawn together.
DRAWS = Whole(1, 100_000)
#: Codes in a codebook.
CODEBOOK = Whole(1, 2**20)
#: Highest order of n-grams.
ORDER = Whole(1, 5)
#: Perturbed copies of an utterance.
COPIES = Whole(0, 16)
#: Samples per second of a recording.
SAMPLE_RATE = Whole(1000, 1_000_000)
#: Samples per second of a stream that is converted as it comes.
LIVE_RATE = Whole(4000, 384_000)
#: 0 takes the likeliest always.
TEMPERATURE = Real(0, 1000)
#: Below this, logits divided by a temperature leave float32: it counts as 0.
LEAST_TEMPERATURE = 1e-6
SHARE = Real(0, 1)
#: By which pitch is moved.
SEMITONES = Real(-48, 48)
#: A share that cannot be nothing.
MASS = Real(0, 1, above=True)
#: RMS of speech in full scale 1.
LEVEL = Real(0, 1, above=True)
#: Length of speech to draw.
SECONDS = Real(0, 36_000, above=True)
#: A tolerance in time.
TOLERANCE = Real(0, 3600)
#: Seconds per code.
FRAME_PERIOD = Real(1e-6, 3600)
#: Seconds to the centre of the first frame.
OFFSET = Real(-86_400, 86_400)
#: A weight without a unit.
WEIGHT = Real(0, 1e9)
