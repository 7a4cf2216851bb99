"""Random segments of packed speech; each batch is a function of seed, step and rank alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.pitch import PitchStatistics, relative, statistics
from vqspeech.training.code_track import CodeTrack
from vqspeech.training.pack import PITCH_HOP, Pack
from vqspeech.training.pack.speech import Stored


@dataclass(frozen=True)
class Batch:
    """A batch of segments.

    Attributes:
        inputs: ``(batch, segment)`` float32, the encoder's input; or ``(batch, segment / code_hop)`` int64, codes of
            another system.
        targets: ``(batch, segment + 1)`` float32, what the decoder reconstructs, with the one sample before it.
        speaker: ``(batch,)`` int64.
        pitch: ``(batch, segment / hop, 3)``, see ``vqspeech.pitch.relative``; zeros where it is withheld. None without.
        first_frame: where in the segment the decoder's crop begins, in conditioning frames.
    """

    inputs: Tensor
    targets: Tensor
    speaker: Tensor
    first_frame: int
    pitch: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Move the tensors to ``device``."""
        pitch = None if self.pitch is None else self.pitch.to(device)
        return Batch(self.inputs.to(device), self.targets.to(device), self.speaker.to(device), self.first_frame, pitch)

    def rows(self, index: Tensor) -> Batch:
        """Some of its segments."""
        pitch = None if self.pitch is None else self.pitch[index]
        return Batch(self.inputs[index], self.targets[index], self.speaker[index], self.first_frame, pitch)


class PitchTrack:
    """The pitch of packed speech as the conditioning network takes it.

    Args:
        pack: with pitch.
        hop: samples per frame.

    Raises:
        InputError: the pack holds no pitch.
    """

    def __init__(self, pack: Pack, hop: int) -> None:
        if not len(pack.pitch):
            raise InputError("the pack holds no pitch", hint="make it again with vqspeech pack --pitch")
        self.pack = pack
        self.hop = hop
        self._speakers: dict[int, PitchStatistics] = {}

    def statistics(self, speaker: int) -> PitchStatistics:
        """Of a speaker, computed when first asked for: there may be thousands of them, of hours each."""
        if speaker not in self._speakers:
            self._speakers[speaker] = statistics(self.pack.speaker_f0(speaker), PITCH_HOP / self.pack.sample_rate)
        return self._speakers[speaker]

    def __call__(self, speaker: int, first: int, count: int, start: int, end: int) -> NDArray[np.float32]:
        """Frames of the ``count`` samples from ``first`` on: ``(count / hop, 3)``."""
        centres = _wrapped(first + self.hop // 2 + self.hop * np.arange(count // self.hop), start, end)
        return relative(self.pack.f0(centres), self.statistics(speaker))


class Segments:
    """Random segments for training.

    Because each batch depends on nothing but its number, a resumed run sees what an unbroken one would have seen.

    Args:
        pack: the speech. Speakers with less than a segment are repeated to its length.
        batch: segments per batch.
        segment: samples each.
        crops: how many first frames the decoder's crop can have.
        speaker_balance: a speaker is drawn in proportion to its duration to this power.
        perturb_probability: probability that the encoder's input is a perturbed copy.
        loudness: range of the random gain of the inputs, in dB to either side.
        seed: of everything drawn.
        rank: of this process among those of a distributed run.
        pitch: of the pack; None for batches without.
        pitch_dropout: probability that it is withheld.
        codes: of the pack, in place of the encoder's input; None for an encoder.
    """

    def __init__(
        self,
        pack: Pack,
        *,
        batch: int,
        segment: int,
        crops: int,
        speaker_balance: float,
        perturb_probability: float,
        loudness: float,
        seed: int,
        rank: int = 0,
        pitch: PitchTrack | None = None,
        pitch_dropout: float = 0.0,
        codes: CodeTrack | None = None,
    ) -> None:
        self.codes = codes
        self.pack = pack
        self.pitch = pitch
        self.pitch_dropout = pitch_dropout
        self.batch = batch
        self.segment = segment
        self.crops = crops
        self.perturb_probability = perturb_probability if len(pack.perturbed) else 0.0
        self.loudness = loudness
        self.seed = seed
        self.rank = rank
        self.ranges = pack.speaker_ranges
        shares = np.array([end - start for start, end in self.ranges], np.float64) ** speaker_balance
        self.shares = shares / shares.sum()

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng([self.seed, self.rank, step])
        inputs = np.empty((self.batch, self.segment), np.float32)
        targets = np.empty((self.batch, self.segment + 1), np.float32)
        contours: list[NDArray[np.float32]] = []
        tracks: list[NDArray[np.int64]] = []
        speakers = rng.choice(len(self.ranges), self.batch, p=self.shares)
        for row, speaker in enumerate(speakers):
            start, end = self.ranges[speaker]
            first = int(rng.integers(start, max(start + 1, end - self.segment)))
            if self.codes is not None:
                first = self.codes.aligned(first + 1, start) - 1
                tracks.append(self.codes(first + 1, self.segment, start, end))
            targets[row] = _piece(self.pack.samples, first, self.segment + 1, start, end)
            perturbed = rng.random() < self.perturb_probability
            copy = int(rng.integers(len(self.pack.perturbed))) if perturbed else 0
            source = self.pack.perturbed[copy] if perturbed else self.pack.samples
            inputs[row] = _piece(source, first, self.segment + 1, start, end)[1:]
            inputs[row] *= 10 ** (rng.uniform(-self.loudness, self.loudness) / 20)
            if self.pitch is not None:
                frames = self.pitch(speaker, first + 1, self.segment, start, end)
                contours.append(frames * np.float32(rng.random() >= self.pitch_dropout))
        return Batch(
            torch.from_numpy(np.stack(tracks) if tracks else inputs),
            torch.from_numpy(targets),
            torch.from_numpy(speakers),
            int(rng.integers(self.crops)),
            torch.from_numpy(np.stack(contours)) if contours else None,
        )


def held_out(
    pack: Pack,
    *,
    segment: int,
    count: int,
    speakers: tuple[str, ...],
    pitch: PitchTrack | None = None,
    codes: CodeTrack | None = None,
) -> Batch:
    """A fixed batch to evaluate on: pieces from the middle of utterances, speakers taken in turn.

    Args:
        pack: speech that is not trained on.
        segment: samples each.
        count: how many at most; fewer where there are not so many utterances.
        speakers: of the model; utterances of others are left out.
        pitch: of the pack; None for a batch without.
        codes: of the pack, in place of the encoder's input; None for an encoder.
    """
    ends = pack.ends[:]
    starts = np.concatenate([[0], ends[:-1]])  # (utterances,)
    turns: dict[str, list[tuple[int, int]]] = {}
    places = {name: index for index, name in enumerate(speakers)}
    of = np.searchsorted(pack.speaker_ends, starts, side="right")  # (utterances,)
    for index, name in enumerate(pack.speakers):
        if name in places:
            first, last = np.searchsorted(of, [index, index + 1])
            here = slice(first, min(int(last), int(first) + count))
            turns[name] = list(zip(starts[here].tolist(), ends[here].tolist(), strict=True))
    longest = max((len(utterances) for utterances in turns.values()), default=0)
    in_turn = (
        (places[speaker], *utterances[turn])
        for turn in range(longest)
        for speaker, utterances in turns.items()
        if turn < len(utterances)
    )
    chosen = list(islice(in_turn, count))
    pieces, contours, tracks = [], [], []
    for index, start, end in chosen:
        first = max(start, (start + end - segment) // 2)
        if codes is not None:
            first = codes.aligned(first + 1, start) - 1
            tracks.append(codes(first + 1, segment, start, end))
        pieces.append(_piece(pack.samples, first, segment + 1, start, end))
        if pitch is not None:
            contours.append(pitch(pack.speakers.index(speakers[index]), first + 1, segment, start, end))
    targets = np.stack(pieces)  # (batch, segment + 1)
    return Batch(
        torch.from_numpy(np.stack(tracks) if tracks else targets[:, 1:].copy()),
        torch.from_numpy(targets),
        torch.tensor([speaker for speaker, _, _ in chosen]),
        0,
        torch.from_numpy(np.stack(contours)) if contours else None,
    )


def _wrapped(index: NDArray[np.int64], start: int, end: int) -> NDArray[np.int64]:
    """Indices brought into [start, end) by going round."""
    return start + (index - start) % (end - start)


def _piece(samples: Stored, first: int, count: int, start: int, end: int) -> np.ndarray:
    """``count`` samples as float32 from ``first`` on, going round within [start, end) where there are not enough."""
    if first + count <= end:
        piece = samples[first : first + count]
    else:
        piece = samples[_wrapped(np.arange(first, first + count), start, end)]
    return piece.astype(np.float32) / 32767
