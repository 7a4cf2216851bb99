"""One file of packed speech, mapped; what there is per utterance is read when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError, decoding
from vqspeech.training.pack.ids import IdSequence
from vqspeech.training.pack.speech import PITCH_HOP, Pack
from vqspeech.training.pack.tensors import map_tensors

FORMAT = "vqspeech-pack-2"
#: Of earlier versions, which had the ids of utterances in the metadata.
_FIRST_FORMAT = "vqspeech-pack-1"
HINT = "make it again with vqspeech pack"


class Ids(IdSequence):
    """Ids of utterances on the disk.

    Args:
        text: uint8 ``(bytes,)``, all of them in UTF-8.
        ends: int64 ``(utterances,)``, where each ends.
    """

    def __init__(self, text: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self._text, self._ends = text, ends

    def __len__(self) -> int:
        """How many."""
        return len(self._ends)

    def at(self, place: int) -> str:
        """The id at ``place``, from 0 on."""
        start = int(self._ends[place - 1]) if place else 0
        return bytes(self._text[start : int(self._ends[place])]).decode(errors="surrogateescape")

    def __iter__(self) -> Iterator[str]:
        """All in order."""
        text, start = bytes(self._text), 0
        for end in self._ends.tolist():
            yield text[start:end].decode(errors="surrogateescape")
            start = end


@dataclass(frozen=True)
class PackFile:
    """A file of packed speech.

    Attributes:
        path: where it lies.
        pack: what it holds; ``ends`` unchecked.
        speaker_utterances: int64 ``(speakers,)``, how many utterances there are up to the end of each speaker.
    """

    path: Path
    pack: Pack
    speaker_utterances: NDArray[np.int64]

    def ends(self) -> NDArray[np.int64]:
        """Where utterances end, checked.

        Raises:
            InputError: they make no sense.
        """
        ends = self.pack.ends[:]
        if (ends[:1] <= 0).any() or (np.diff(ends) <= 0).any():
            raise InputError("not a pack: the ends of utterances make no sense", where=self.path, hint=HINT)
        return ends


def open_file(path: Path) -> PackFile:
    """Map a file.

    Raises:
        InputError: not a pack, or cut short.
    """
    with decoding("not a pack, or cut short", where=path, hint=HINT):
        metadata, tensors = map_tensors(path)
        if metadata["format"] not in (FORMAT, _FIRST_FORMAT):
            raise InputError(f"a pack of format {metadata['format']}, not {FORMAT}", where=path, hint=HINT)
        # A pack of an earlier version calls its perturbed copies disguises.
        arrays = {"perturbed" if name == "disguises" else name: tensor for name, tensor in tensors.items()}
        if metadata["format"] == FORMAT:
            utterances: Sequence[str] = _ids(arrays.pop("ids"), arrays.pop("id_ends"))
            speaker_utterances = arrays.pop("speaker_utterances")
        else:
            utterances = tuple(json.loads(metadata["utterances"]))
            speaker_utterances = np.searchsorted(arrays["ends"], arrays["speaker_ends"]) + 1
        pack = Pack(
            **arrays,
            sample_rate=int(metadata["sample_rate"]),
            rms=float(metadata["rms"]),
            speakers=tuple(json.loads(metadata["speakers"])),
            utterances=utterances,
            recordings=metadata.get("recordings"),
            seed=int(metadata["seed"]) if "seed" in metadata else None,
        )
        _require_whole(pack, arrays, speaker_utterances)
        return PackFile(path, pack, speaker_utterances)


def _ids(text: NDArray[Any], ends: NDArray[Any]) -> Ids:
    if text.ndim != 1 or text.dtype != np.uint8 or ends.dtype != np.int64 or (len(ends) and ends[-1] != len(text)):
        raise ValueError("the ids of utterances make no sense")
    return Ids(text, ends)


def _require_whole(pack: Pack, arrays: dict[str, NDArray[Any]], speaker_utterances: NDArray[np.int64]) -> None:
    """Whether the parts of a pack fit each other; raises ValueError if they do not."""
    total, utterances, speakers = len(pack.samples), len(pack.utterances), len(pack.speakers)
    for ends, count, last in (
        (arrays["ends"], utterances, total),
        (arrays["speaker_ends"], speakers, total),
        (speaker_utterances, speakers, utterances),
    ):
        if ends.dtype != np.int64 or ends.shape != (count,) or not count or ends[-1] != last:
            raise ValueError("the ends of utterances or speakers make no sense")
    for ends in (pack.speaker_ends, speaker_utterances):
        if ends[0] <= 0 or (np.diff(ends) <= 0).any():
            raise ValueError("the ends of speakers make no sense")
    if arrays["samples"].shape != (total,) or arrays["perturbed"].shape[1:] != (total,):
        raise ValueError("samples and perturbed copies are not of one length")
    if {arrays[name].dtype for name in ("samples", "perturbed")} != {np.dtype(np.int16)}:
        raise ValueError("samples are 16-bit integers")
    if len(pack.pitch) not in (0, -(-total // PITCH_HOP)):
        raise ValueError("pitch and samples are not of one length")
    if not (1000 <= pack.sample_rate <= 1_000_000 and 0 < pack.rms <= 1):
        raise ValueError("no sample rate or level")
