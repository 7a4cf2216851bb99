"""Tensors of stored models whose names have changed: they are renamed as a file is read."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from vqspeech.errors import warn_renamed

#: Beginning of a stored name -> what it is now.
_NAMES = {
    "matching.means": "speaker_stats.means",
    "matching.shares": "speaker_stats.unigrams",
    "own.": "adapters.",
}
#: The moving average of a training checkpoint has the same names behind this.
_OLD = re.compile(r"^(?P<before>(?:module\.)?)(?P<old>" + "|".join(map(re.escape, _NAMES)) + ")")


def current_names(tensors: Mapping[str, Tensor], *, where: str | None = None) -> dict[str, Tensor]:
    """The same tensors under the names of this version.

    Args:
        tensors: a state dict, as stored.
        where: its file, to warn of where a name differs; no warning if not given.

    Raises:
        TypeError: it is no mapping of names.
    """
    if not isinstance(tensors, Mapping):
        raise TypeError(f"not a state dict but {type(tensors).__name__}")
    new_names = {name: _OLD.sub(lambda m: m["before"] + _NAMES[m["old"]], name, count=1) for name in tensors}
    for old, new in new_names.items():
        if old != new and where is not None:
            warn_renamed(old, new, where=where, hint="load the model and save it again")
            break
    return {new_names[name]: tensor for name, tensor in tensors.items()}
