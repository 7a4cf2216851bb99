"""Codes of another system beside packed speech, as a decoder is trained on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.model.config import ExternalCodes
from vqspeech.model.external import nearest_code
from vqspeech.training.pack import Pack

#: How far the duration of codes may differ from their recording's: codes, and seconds, that a system leaves out at the
#: ends of a recording.
_CODES, _SECONDS = 3, 0.1


class CodeTrack:
    """The codes of packed speech, by samples.

    Args:
        pack: the speech.
        sequences: utterance id -> codes, ``(codes,)``; those of other utterances are of no account.
        source: their times.
        hop: samples per frame of the model.
        where: where the codes come from, for errors.

    Raises:
        InputError: an utterance of the pack has no codes, or codes of another duration.
    """

    def __init__(
        self, pack: Pack, sequences: Mapping[str, NDArray[np.integer]], source: ExternalCodes, *, hop: int, where: str
    ) -> None:
        self.hop, self.source, self.rate = hop, source, pack.sample_rate
        self.ends = pack.ends[:]
        self.starts = np.concatenate([[0], self.ends[:-1]])  # (utterances,)
        missing = [name for name in pack.utterances if name not in sequences or not len(sequences[name])]
        if missing:
            raise InputError(
                f"no codes of utterance {missing[0]}, nor of {counted(len(missing) - 1, 'other')}",
                where=where,
                hint="utterance ids must be those of the data; encode all of it, or leave out what has no codes",
            )
        for name, start, end in zip(pack.utterances, self.starts.tolist(), self.ends.tolist(), strict=True):
            self._check_duration(name, len(sequences[name]), (end - start) / pack.sample_rate, where)
        rows = [np.asarray(sequences[name], np.int32) for name in pack.utterances]
        self.counts = np.array([len(row) for row in rows], np.int64)
        self.firsts = np.cumsum(self.counts) - self.counts
        self.codes = np.concatenate(rows)  # (codes of all utterances,)

    def _check_duration(self, name: str, count: int, seconds: float, where: str) -> None:
        lasts = self.source.offset + (count - 0.5) * self.source.frame_period
        if abs(lasts - seconds) > _CODES * self.source.frame_period + _SECONDS:
            raise InputError(
                f"the {counted(count, 'code')} of utterance {name} last {lasts:.2f} s, its recording {seconds:.2f} s",
                where=where,
                hint="name the frame period of the codes (--frame-period), or give the recordings they were made from",
            )

    def aligned(self, first: int, start: int) -> int:
        """The sample at or before ``first``, but after ``start``, at which a frame of the utterance begins."""
        begin = int(self.starts[np.searchsorted(self.ends, first, side="right")])
        found = begin + (first - begin) // self.hop * self.hop
        return found if found > start else found + self.hop

    def __call__(self, first: int, count: int, start: int, end: int) -> NDArray[np.int64]:
        """Codes of the frames of the ``count`` samples from ``first`` on, going round within [start, end)."""
        centres = start + (first + self.hop // 2 + self.hop * np.arange(count // self.hop) - start) % (end - start)
        utterance = np.searchsorted(self.ends, centres, side="right")
        index = nearest_code((centres - self.starts[utterance]) / self.rate, self.source, self.counts[utterance])
        return self.codes[self.firsts[utterance] + index].astype(np.int64)
