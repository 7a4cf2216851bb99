"""Corpora on disk to data directories, a module each.

Every module has ``prepare(source, ...) -> dict[str, DataDir]``: part name (``train``, ``dev``, ``test``) -> utterances.
Audio stays where it is: recordings are named by absolute path, so a prepared directory holds as long as the corpus is
not moved. What cannot be used (a recording without its transcript, an unreadable file) is left out with a warning.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from vqspeech.errors import InputError

#: Corpus -> what its module reads.
CORPORA = {
    "vctk": "VCTK, 0.92 or 0.80",
    "librispeech": "LibriSpeech, the whole or one part of it, FLAC or Opus",
    "arctic": "CMU ARCTIC, or any Festvox voice; one speaker folder or a folder of them",
    "timit": "TIMIT, its own layout or NLTK's; writes phones.ctm from the hand labels",
    "folder": "a plain folder with one sub-folder of recordings per speaker",
    "lhotse": "lhotse manifests on disk, or a corpus that lhotse has a recipe for",
}


def corpus(name: str) -> ModuleType:
    """The module of a corpus.

    Raises:
        InputError: there is none of that name.
    """
    if name not in CORPORA:
        raise InputError(f"no corpus {name!r}", hint=f"one of {', '.join(CORPORA)}")
    return importlib.import_module(f"vqspeech.corpora.{name}")
