"""Counts with their nouns, as output lines print them."""

from __future__ import annotations

from typing import Any


def counted(count: Any, noun: str, plural: str | None = None, *, form: str = "") -> str:
    """A count and its noun.

    Args:
        count: how many.
        noun: for one.
        plural: for any other count; default: ``noun`` with an s.
        form: format of the number, such as ``,`` to group its thousands.

    >>> counted(1, "speaker"), counted(0, "speaker"), counted(2, "entry", "entries"), counted(1234, "code", form=",")
    ('1 speaker', '0 speakers', '2 entries', '1,234 codes')
    """
    return f"{count:{form}} {noun if count == 1 else plural or f'{noun}s'}"
