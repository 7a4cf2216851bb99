"""What a phoneme evaluation finds, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.bootstrap import Intervals
from vqspeech.evaluation.segmentation import BoundaryScores

Mapping = Literal["learnt on the training part", "learnt on all other utterances", "learnt on the same utterance"]


@dataclass(frozen=True, slots=True)
class Scores:
    """One system's figures; shares are in ``[0, 1]``.

    Attributes:
        accuracy: share of frames whose phone is the one their code maps to, the map not learnt on them.
        accuracy_same_part: the same with the map learnt and scored on the same part, as in the paper.
        accuracy_without_silence: ``accuracy`` with silent frames left out of learning and scoring.
        phone_purity: of :func:`contingency.phone_purity`; so on to ``completeness``.
        bitrate: bits per second, unigram entropy times codes per second.
        bitrate_runs: bits per second, a run as one symbol (ZeroSpeech).
        perplexity: of the codes' unigram distribution.
        used_codes: number of codes that occur.
        frames: number of frames scored.
        boundary: ends of runs against ends of phones at 20 ms; None where no phone boundaries were given.
        accuracy_one_to_one: ``accuracy`` under a map that gives each phone at most one code.
        accuracy_one_to_one_same_part: the same with the map learnt and scored on the same part.
        per: phone error rate of the mapped, run-collapsed codes, see ``recognition``; the map is that of ``accuracy``.
            This and all others of the kind are None where frames were left out.
        per_same_part: the same under the map of ``accuracy_same_part``: DiscoPhon's many-to-one.
        per_without_silence: ``per`` with silence left out of both strings.
        per_one_to_one: ``per`` under the map of ``accuracy_one_to_one``.
        per_one_to_one_same_part: likewise of ``accuracy_one_to_one_same_part``: DiscoPhon's one-to-one.
    """

    accuracy: float
    accuracy_same_part: float
    accuracy_without_silence: float
    phone_purity: float
    cluster_purity: float
    pnmi: float
    nmi: float
    ami: float
    v_measure: float
    homogeneity: float
    completeness: float
    bitrate: float
    bitrate_runs: float
    perplexity: float
    used_codes: int
    frames: int
    boundary: BoundaryScores | None
    accuracy_one_to_one: float
    accuracy_one_to_one_same_part: float
    per: float | None
    per_same_part: float | None
    per_without_silence: float | None
    per_one_to_one: float | None
    per_one_to_one_same_part: float | None


@dataclass(frozen=True, slots=True)
class PhoneScores:
    """One phone, or one class of phones.

    Attributes:
        name: the phone or class.
        frames: how many frames it has.
        recall: share of its frames that were called it.
        precision: share of the frames called it that are it; 0 where none are.
        f1: harmonic mean of both.
    """

    name: str
    frames: int
    recall: float
    precision: float
    f1: float


@dataclass(frozen=True, slots=True)
class PhonePurity:
    """One phone's terms of the two purities, map and scores on one part.

    Attributes:
        name: the phone.
        frames: how many frames it has.
        codes: codes whose most frequent phone it is.
        phone_purity: its share of the frames of those codes; 0 where there are none.
        cluster_purity: share of its frames that have its most frequent code.
        code: that code.
    """

    name: str
    frames: int
    codes: int
    phone_purity: float
    cluster_purity: float
    code: int


@dataclass(frozen=True, slots=True)
class CodeScores:
    """One code that occurs.

    Attributes:
        code: its number.
        frames: how often it occurs.
        phone: its most frequent phone in the part the map is learnt on.
        share: that phone's share of the code's frames in the scored part.
        entropy: of its phones in the scored part, in bits.
        mean_run: mean length of its runs in frames.
    """

    code: int
    frames: int
    phone: str
    share: float
    entropy: float
    mean_run: float


@dataclass(frozen=True, slots=True)
class TradePoint:
    """The units under one penalty.

    Attributes:
        penalty: in units of the mean squared distance of two codes; 0 leaves the codes as they are.
        bitrate_runs: bits per second, a run as one symbol.
        units_per_second: runs per second.
        accuracy: share of frames whose phone their code maps to, the map held out.
        per: phone error rate, the map held out; None where the phone strings are not known.
        f1: of boundaries; None where they are not known.
        r_value: likewise.
    """

    penalty: float
    bitrate_runs: float
    units_per_second: float
    accuracy: float
    per: float | None
    f1: float | None
    r_value: float | None


@dataclass(frozen=True, slots=True)
class PhonemeResult:
    """All that is known of a system's codes and the phones under them.

    Attributes:
        scores: of all frames.
        without_silence: of the frames that are not silent.
        mapping: where the map from codes to phones, by which ``scores.accuracy`` counts, was learnt.
        intervals: bootstrap intervals of ``scores``.
        labels: the phones.
        confusion: frames by phone and by phone they were called, shape ``(phones, phones)``.
        table: frames by code and phone, shape ``(codebook_size, phones)``.
        per_phone: a phone each, in the order of ``labels``.
        per_class: vowels, stops and so on, those that occur.
        purity: the purities of each phone, in the order of ``labels``.
        code_to_phone: the codes that occur.
        run_lengths: number of runs of 1, 2, 3 … frames, shape ``(longest run,)``.
        phone_frames: number of phones of 1, 2, 3 … frames, shape ``(longest,)``.
        usage: frames seen, codes that have occurred in them and their perplexity, from beginning to end.
        baselines: systems independent of the phones, by name.
        toplines: systems that were taught the phones, by name.
        trade: the codes under rising duration penalties, where asked for.
    """

    scores: Scores
    without_silence: Scores | None
    mapping: Mapping
    intervals: Intervals
    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    table: NDArray[np.int64]
    per_phone: tuple[PhoneScores, ...]
    per_class: tuple[PhoneScores, ...]
    purity: tuple[PhonePurity, ...]
    code_to_phone: tuple[CodeScores, ...]
    run_lengths: NDArray[np.int64]
    phone_frames: NDArray[np.int64]
    usage: tuple[tuple[int, int, float], ...]
    baselines: dict[str, Scores] = field(default_factory=dict)
    toplines: dict[str, Scores] = field(default_factory=dict)
    trade: tuple[TradePoint, ...] = ()
