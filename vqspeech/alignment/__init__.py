"""Phone and word alignments: intervals in seconds, the files they come in, and the phone sets they are written in.

>>> from vqspeech import alignment
>>> phones = alignment.fold(alignment.read("phones.ctm"), "paper-41")      # doctest: +SKIP
>>> alignment.labels_at(phones["p225_001"], [0.02, 0.06])                  # doctest: +SKIP
array(['sil', 'p'], dtype='<U3')
"""

from vqspeech.alignment.ctm import read_ctm, write_ctm
from vqspeech.alignment.intervals import SILENCE, Alignment, Fault, Interval, boundaries, faults, labels_at, meet
from vqspeech.alignment.labels import (
    central_phone,
    read_audacity,
    read_lab,
    read_timit,
)
from vqspeech.alignment.phones import (
    ARPABET,
    PHONE_CLASSES,
    PhoneSet,
    canonical,
    fold,
    phone_class,
    read_phone_map,
    unknown_labels,
)
from vqspeech.alignment.reading import Format, read
from vqspeech.alignment.textgrid import read_textgrid, read_tiers

__all__ = [
    "ARPABET",
    "PHONE_CLASSES",
    "SILENCE",
    "Alignment",
    "Fault",
    "Format",
    "Interval",
    "PhoneSet",
    "boundaries",
    "canonical",
    "central_phone",
    "faults",
    "fold",
    "labels_at",
    "meet",
    "phone_class",
    "read",
    "read_audacity",
    "read_ctm",
    "read_lab",
    "read_phone_map",
    "read_textgrid",
    "read_tiers",
    "read_timit",
    "unknown_labels",
    "write_ctm",
]
