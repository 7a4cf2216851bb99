"""Discrete units of any system: the archive ``codes.txt``, units of other systems, and the statistics of codes.

>>> from vqspeech import codes
>>> units = codes.read("codes.txt")                            # doctest: +SKIP
>>> units.info.times(len(units.sequences["p225_001"]))[:2]     # doctest: +SKIP
array([0.02, 0.06])
"""

from vqspeech.codes.archive import (
    CodeInfo,
    Codes,
    PathLike,
    Sequences,
    Writer,
    format_line,
    read,
    read_info,
    write,
)
from vqspeech.codes.contours import Contours, ContourWriter, FrameTimes, read_contours
from vqspeech.codes.foreign import import_units, read_units
from vqspeech.codes.formats import FORMATS, format_of, write_units
from vqspeech.codes.mapped_codes import MappedCodes, join_shards
from vqspeech.codes.shard import ShardWriter
from vqspeech.codes.statistics import bitrate, entropy, perplexity, runs, usage

__all__ = [
    "FORMATS",
    "CodeInfo",
    "Codes",
    "ContourWriter",
    "Contours",
    "FrameTimes",
    "MappedCodes",
    "PathLike",
    "Sequences",
    "ShardWriter",
    "Writer",
    "bitrate",
    "entropy",
    "format_line",
    "format_of",
    "import_units",
    "join_shards",
    "perplexity",
    "read",
    "read_contours",
    "read_info",
    "read_units",
    "runs",
    "usage",
    "write",
    "write_units",
]
