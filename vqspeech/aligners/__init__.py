"""From a data directory to phones and words in time: by forced alignment, or from another aligner's files."""

from vqspeech.aligners.pocketsphinx import Aligned, Aligner, AlignmentFailure, UnknownWordError
from vqspeech.aligners.textgrids import read_textgrids

__all__ = ["Aligned", "Aligner", "AlignmentFailure", "UnknownWordError", "read_textgrids"]
