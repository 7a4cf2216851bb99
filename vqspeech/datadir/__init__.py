"""Kaldi data directories: read, write, validate, fix, combine, split.

A data directory is a folder of small sorted text tables (``wav.scp``, ``utt2spk``, ``spk2utt`` and, where they apply,
``segments``, ``text``, ``spk2gender``, ``utt2dur``) that say which utterances there are, who speaks them and where
their audio lies.
"""

from __future__ import annotations

from vqspeech.datadir.directory import DataDir, Utterance
from vqspeech.datadir.division import combine, copy_phones, shards, split
from vqspeech.datadir.issue import ValidationIssue
from vqspeech.datadir.merging import merge_shards
from vqspeech.datadir.repair import fix
from vqspeech.datadir.validation import validate

__all__ = [
    "DataDir",
    "Utterance",
    "ValidationIssue",
    "combine",
    "copy_phones",
    "fix",
    "merge_shards",
    "shards",
    "split",
    "validate",
]
