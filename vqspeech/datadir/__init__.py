"""Kaldi data directories: read, write, validate, fix, combine, split.

A data directory is a folder of small sorted text tables (``wav.scp``, ``utt2spk``, ``spk2utt`` and, where they apply,
``segments``, ``text``, ``spk2gender``, ``utt2dur``) that say which utterances there are, who speaks them and where
their audio lies.
"""

from __future__ import annotations

from vqspeech.datadir.complaint import Complaint
from vqspeech.datadir.directory import DataDir, Utterance
from vqspeech.datadir.division import combine, copy_phones, pieces, split
from vqspeech.datadir.joining import join
from vqspeech.datadir.repair import fix
from vqspeech.datadir.validation import validate

__all__ = ["Complaint", "DataDir", "Utterance", "combine", "copy_phones", "fix", "join", "pieces", "split", "validate"]
