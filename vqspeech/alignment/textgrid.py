"""Praat's TextGrid, read by Praat itself (parselmouth): long or short form, any encoding that Praat reads."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

from vqspeech.alignment.intervals import Interval
from vqspeech.errors import InputError

#: Decimals of times: below any sample's length.
_DECIMALS = 9


def read_textgrid(path: str | os.PathLike[str], *, tier: str | None = None) -> list[Interval]:
    """Read one interval tier; intervals without text are left out.

    Args:
        path: the file.
        tier: name of the tier. When absent: the only one, or the one whose name ends with ``phones``, ``phone``,
            ``segments`` or ``MAU`` (as Montreal Forced Aligner, Praat users and WebMAUS name it).

    Raises:
        InputError: Praat cannot read the file, or no tier is meant.
    """
    path = Path(path)
    tiers = read_tiers(path)
    if tier is None:
        tier = _phone_tier(tiers, path)
    elif tier not in tiers:
        raise InputError(f"no interval tier {tier!r}", where=path, hint=f"it has: {', '.join(tiers) or 'none'}")
    if not tiers[tier]:
        raise InputError(f"tier {tier!r} is empty", where=path, hint="name another tier")
    return tiers[tier]


def _phone_tier(tiers: Mapping[str, list[Interval]], path: Path) -> str:
    if len(tiers) == 1:
        return next(iter(tiers))
    meant = [name for name in tiers if name.lower().endswith(("phones", "phone", "phonemes", "segments", "mau"))]
    if len(meant) != 1:
        names = ", ".join(tiers) or "none"
        raise InputError(
            f"{len(meant) or 'no'} tiers could be the phones", where=path, hint=f"name one; it has: {names}"
        )
    return meant[0]


def read_tiers(path: str | os.PathLike[str]) -> dict[str, list[Interval]]:
    """Read all interval tiers, tier name -> intervals that have text; point tiers are left out.

    Raises:
        InputError: Praat cannot read the file.
    """
    import parselmouth
    from parselmouth.praat import call

    path = Path(path)
    with path.open("rb"):  # an OSError for an absent file, in the system's words
        pass
    try:
        # What Praat warns of, such as null bytes that it passes over, is no sound file either.
        with warnings.catch_warnings():
            warnings.simplefilter("error", parselmouth.PraatWarning)
            grid = parselmouth.read(str(path))
    except (parselmouth.PraatError, parselmouth.PraatWarning) as error:
        first = str(error).strip().splitlines()[0]
        raise InputError(
            f"Praat cannot read it: {first}", where=path, hint="open it in Praat and save it again"
        ) from error
    if not isinstance(grid, parselmouth.TextGrid):
        raise InputError(
            f"a {type(grid).__name__}, not a TextGrid", where=path, hint="give the TextGrid that belongs to it"
        )
    tiers: dict[str, list[Interval]] = {}
    for index in range(1, int(call(grid, "Get number of tiers")) + 1):
        if call(grid, "Is interval tier", index):
            name = call(grid, "Get tier name", index)
            if name in tiers:
                raise InputError(f"two tiers are named {name!r}", where=path, hint="rename one")
            tiers[name] = []
    # One call for the whole grid: a call an interval takes seconds per hour of speech.
    table = call(call(grid, "Down to Table", False, _DECIMALS, True, False), "List", False)
    for row in table.removesuffix("\n").split("\n")[1:]:
        try:
            start, name, rest = row.split("\t", 2)
            label, _, end = rest.rpartition("\t")
            interval = Interval(float(start), float(end), label.strip())
        except ValueError as error:
            raise InputError(
                "a line break or tab in a label or in the name of a tier",
                where=path,
                hint=f"take it out; it stands in or before {row[:40].strip()!r}",
            ) from error
        if name in tiers:
            tiers[name].append(interval)
    return tiers
