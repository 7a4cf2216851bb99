"""Phone sets: which phones an aligner's or a corpus's labels stand for, and their classes.

Three sets are built in. ``paper-41`` is the paper's: the 39 phones of ARPAbet as CMU's dictionary has them, silence
(``sil``) and spoken noise (``spn``). ``timit-48`` and ``timit-39`` are the sets of Lee and Hon (1989), "Speaker-
independent phone recognition using hidden Markov models", in which a stop's closure is silence.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from vqspeech.alignment.intervals import SILENCE, Alignment, Interval, meet
from vqspeech.alignment.lines import lines_of
from vqspeech.errors import InputError

PhoneSet = Literal["paper-41", "timit-48", "timit-39"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Class -> phones, for the labels of all built-in sets.
PHONE_CLASSES: dict[str, tuple[str, ...]] = {
    "vowels": _words("iy ih eh ae aa ah ao uh uw er ax ix ux axr ax-h ey ay oy aw ow"),
    "stops": _words("p t k b d g dx q bcl dcl gcl pcl tcl kcl cl vcl"),
    "affricates": _words("ch jh"),
    "fricatives": _words("f th s sh v dh z zh hh hv"),
    "nasals": _words("m n ng nx em en eng"),
    "approximants": _words("l r w y el"),
    "silence": _words("sil spn epi pau h#"),
}
_CLASS_OF = {phone: name for name, phones in PHONE_CLASSES.items() for phone in phones}

#: The 39 phones of CMU's dictionary, without stress.
ARPABET = _words("aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh")
#: What aligners and corpora call silence, and what they call noise that is no word.
_SILENCES = _words("sil sp pau h# ssil epi # _ <eps> <sil> sil_s sil_e sil_b sil_i <p:> <s> </s> brth -")
_NOISES = _words("spn nsn noise <unk> [noise] ++noise++ +noise+ +spn+ +nsn+ <spn> laughter")

_CLOSURES = {f"{stop}cl": stop for stop in "bdgptk"}
_TIMIT_ONLY = _words("ax ix ux axr ax-h em en eng nx el dx hv q")


def _paper_41() -> dict[str, str]:
    phones = {phone: phone for phone in ARPABET}
    phones |= _CLOSURES
    phones |= {"ax": "ah", "ax-h": "ah", "ix": "ih", "ux": "uw", "axr": "er", "hv": "hh", "el": "l", "nx": "n"}
    # CMU's dictionary has no flap and no glottal stop: a flap is voiced; a glottal stop is nearest to a pause.
    phones |= {"em": "m", "en": "n", "eng": "ng", "dx": "d", "q": "sil"}
    phones |= dict.fromkeys(_SILENCES, "sil") | dict.fromkeys(_NOISES, "spn")
    return phones


def _timit_48() -> dict[str, str]:
    # Lee and Hon 1989, table I: 61 labels to the 48 phones that are modelled; q is left out there, silent here.
    phones = {phone: phone for phone in (*ARPABET, *_TIMIT_ONLY)}
    phones |= {"ux": "uw", "axr": "er", "ax-h": "ax", "em": "m", "nx": "n", "eng": "ng", "hv": "hh", "q": "sil"}
    phones |= {
        "pcl": "cl",
        "tcl": "cl",
        "kcl": "cl",
        "bcl": "vcl",
        "dcl": "vcl",
        "gcl": "vcl",
        "cl": "cl",
        "vcl": "vcl",
    }
    phones |= dict.fromkeys((*_SILENCES, *_NOISES), "sil") | {"epi": "epi"}
    return phones


def _timit_39() -> dict[str, str]:
    # Lee and Hon 1989, section on evaluation: within these groups confusions are not counted.
    groups = {
        "cl": "sil",
        "vcl": "sil",
        "epi": "sil",
        "el": "l",
        "en": "n",
        "zh": "sh",
        "ao": "aa",
        "ix": "ih",
        "ax": "ah",
    }
    return {label: groups.get(phone, phone) for label, phone in _timit_48().items()}


_FOLDS: dict[str, dict[str, str]] = {"paper-41": _paper_41(), "timit-48": _timit_48(), "timit-39": _timit_39()}
_STRESS = re.compile(r"^([A-Z]{2})[012]$")
# Kaldi marks a phone's place in its word: AH0_B, T_I, SIL_S.
_POSITION = re.compile(r"_[BIES]$")


def phone_class(phone: str) -> str:
    """``vowels``, ``stops``, ``affricates``, ``fricatives``, ``nasals``, ``approximants``, ``silence`` or ``other``."""
    return _CLASS_OF.get(phone, "other")


def canonical(label: str) -> str:
    """The label without stress, place in the word and capitals: ``AH0_B`` -> ``ah``; no text is silence."""
    bare = _POSITION.sub("", label.strip())
    bare = _STRESS.sub(r"\1", bare)
    return bare.lower() or SILENCE


def unknown_labels(labels: Sequence[str], phone_set: PhoneSet) -> list[str]:
    """The labels that ``phone_set`` has no phone for, sorted."""
    table = _FOLDS[phone_set]
    return sorted({label for label in labels if canonical(label) not in table})


def fold(
    alignment: Mapping[str, Sequence[Interval]], phones: PhoneSet | Mapping[str, str], *, merge: bool = False
) -> Alignment:
    """Replace each label by the phone it stands for.

    Args:
        alignment: utterance id -> intervals.
        phones: a built-in set, or a map from every label that occurs to its phone.
        merge: make one interval of a closure and its stop that have become one phone, and of neighbouring silences;
            other neighbours of one phone (*ten nails*) stay two.

    Raises:
        InputError: a label has no phone; the message names the utterance and the time.
    """
    table: Mapping[str, str]
    if isinstance(phones, str):
        if phones not in _FOLDS:
            raise InputError(f"no phone set {phones!r}", hint=f"there are: {', '.join(get_args(PhoneSet))}")
        table = _FOLDS[phones]
    else:
        table = phones
    folded: Alignment = {}
    for utterance, intervals in alignment.items():
        row: list[Interval] = []
        closure = False
        for interval in intervals:
            key = canonical(interval.label) if isinstance(phones, str) else interval.label
            phone = table.get(key)
            if phone is None:
                raise InputError(
                    f"{utterance} at {interval.start:.3f} s: no phone for label {interval.label!r}",
                    hint="choose another --phone-set, or give a --phone-map",
                )
            after_closure, closure = closure, canonical(interval.label) in _CLOSURES
            one = phone_class(phone) == "silence" or (after_closure and not closure)
            if merge and one and row and row[-1].label == phone and meet(row[-1], interval):
                row[-1] = row[-1]._replace(end=max(row[-1].end, interval.end))
            else:
                row.append(interval._replace(label=phone))
        folded[utterance] = row
    return folded


def read_phone_map(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a map of two columns, ``label phone``; lines that begin with ``;;`` are comments.

    Raises:
        InputError: naming file and line, for a line of other than two fields or a label mapped twice.
    """
    path = Path(path)
    table: dict[str, str] = {}
    for line, text in lines_of(path):
        words = text.split()
        if not words or words[0].startswith(";;"):
            continue
        if len(words) != 2:
            raise InputError(f"{len(words)} fields", where=path, line=line, hint="a line is: label phone")
        if table.setdefault(words[0], words[1]) != words[1]:
            raise InputError(f"label {words[0]!r} has two phones", where=path, line=line, hint="keep one")
    return table
