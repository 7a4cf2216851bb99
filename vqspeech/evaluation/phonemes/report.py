"""A phoneme evaluation written down: a dictionary for ``RESULTS.json`` and a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vqspeech.counts import counted
from vqspeech.evaluation.phonemes.results import PhonemeResult, Scores

#: The paper's phoneme accuracy (van den Oord et al. 2017, section 4.3): K = 128 at 25 Hz, 41 phones, map learnt and
#: scored on the same part; and that of its most likely phone.
PAPER_ACCURACY = 0.493
PAPER_BASELINE = 0.072

#: Names of baselines and toplines, as people read them.
NAMES = {
    "most_likely_phone": "most likely phone",
    "random_codes": "random codes, same usage",
    "codes_shifted_1s": "these codes, 1 s late",
    "mfcc_kmeans": "MFCC k-means, same size and rate",
    "mfcc_linear": "MFCC linear classifier, taught the phones",
    "even_boundaries": "evenly spaced, at the rate of phones",
    "mfcc": "MFCCs every 10 ms",
    "log_mel": "log-mel every 10 ms, less its mean",
    "one_hot": "these codes, one-hot",
    "vectors_angular": "these codes, vectors (angular)",
    "vectors_cosine": "these codes, vectors (1 - cosine)",
    "features_angular": "these features (angular)",
    "features_cosine": "these features (1 - cosine)",
    "mfcc_statistics": "mean and spread of the MFCCs",
    "phones": "the phones themselves",
    "features_shifted_1s": "these features, 1 s late",
}


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated on what, for the reader of a report.

    Attributes:
        title: of the report.
        model: the system that made the codes.
        phone_set: the set phones were folded to.
        codebook_size: number of codes.
        frame_period: seconds from one code to the next.
        utterances: how many were scored.
        speakers: how many spoke them.
        train_utterances: how many the map was learnt on; 0 without a training part.
        notes: what the reader must know, a sentence each.
        sources: name -> file that was read.
    """

    title: str
    model: str | None
    phone_set: str
    codebook_size: int
    frame_period: float
    utterances: int
    speakers: int
    train_utterances: int
    notes: tuple[str, ...] = ()
    sources: Mapping[str, str] | None = None


def results(result: PhonemeResult, about: About) -> dict[str, Any]:
    """All figures as JSON holds them: those of the system first, by name."""
    bounds: dict[str, Any] = {name: list(pair) for name, pair in result.intervals.bounds.items()}
    return {
        **asdict(result.scores),
        "baselines": {name: asdict(scores) for name, scores in result.baselines.items()},
        "toplines": {name: asdict(scores) for name, scores in result.toplines.items()},
        "intervals": {
            **bounds,
            "confidence": result.intervals.confidence,
            "resampled": result.intervals.unit,
            "units": result.intervals.units,
        },
        "without_silence": None if result.without_silence is None else asdict(result.without_silence),
        "mapping": result.mapping,
        "paper": {"accuracy_same_part": PAPER_ACCURACY, "most_likely_phone": PAPER_BASELINE},
        "about": {**asdict(about), "phones": len(result.labels), "code_rate": 1 / about.frame_period},
        "labels": list(result.labels),
        "per_phone": [asdict(row) for row in result.per_phone],
        "per_class": [asdict(row) for row in result.per_class],
        "duration_penalty": [asdict(point) for point in result.trade],
        "purity_of_phones": [asdict(row) for row in result.purity],
        "code_to_phone": [asdict(row) for row in result.code_to_phone],
        "confusion": result.confusion.tolist(),
        "run_lengths": result.run_lengths.tolist(),
        "phone_lengths": result.phone_frames.tolist(),
    }


def percent(value: float) -> str:
    """``0.4934`` -> ``49.3``."""
    return f"{100 * value:.1f}"


def _row(name: str, scores: Scores) -> list[str]:
    edge = scores.boundary
    return [
        name,
        percent(scores.accuracy),
        percent(scores.accuracy_same_part),
        percent(scores.accuracy_without_silence),
        "" if scores.per is None else percent(scores.per),
        "" if scores.per_one_to_one is None else percent(scores.per_one_to_one),
        percent(scores.cluster_purity),
        f"{scores.pnmi:.3f}",
        f"{scores.ami:.3f}",
        f"{scores.bitrate:.0f}",
        str(scores.used_codes),
        "" if edge is None else f"{edge.f1:.2f}",
        "" if edge is None else f"{edge.r_value:.2f}",
    ]


HEADINGS = (
    "", "accuracy", "same part", "no silence", "PER", "PER 1:1", "clust. pur.", "PNMI", "AMI", "bit/s", "codes", "F1",
    "R-value",
)  # fmt: skip


def comparison(result: PhonemeResult) -> list[list[str]]:
    """The system between its baselines and toplines, a row each, cells under :data:`HEADINGS`."""
    rows = [_row(NAMES.get(name, name), scores) for name, scores in result.baselines.items()]
    rows.append(_row("these codes", result.scores))
    return rows + [_row(NAMES.get(name, name), scores) for name, scores in result.toplines.items()]


def headline(result: PhonemeResult) -> str:
    """``49.3 % [47.9, 50.8]`` and how it was counted."""
    bounds = result.intervals.bounds.get("accuracy")
    interval = f" [{percent(bounds[0])}, {percent(bounds[1])}]" if bounds else ""
    return f"{percent(result.scores.accuracy)} %{interval}"


def without_silence(result: PhonemeResult) -> str | None:
    """The figures that stand nearest to the paper's, in one sentence; None where all frames are silent, or none is.

    The paper's most likely phone is right in 7.2 % of its frames, so that few of them can have been silent.
    """
    quiet, baseline = result.without_silence, result.baselines.get("most_likely_phone")
    if quiet is None or baseline is None or quiet.frames == result.scores.frames:
        return None
    bounds = result.intervals.bounds.get("accuracy_without_silence")
    interval = f" [{percent(bounds[0])}, {percent(bounds[1])}]" if bounds else ""
    return (
        f"without silence {percent(quiet.accuracy)} %{interval}, same part {percent(quiet.accuracy_same_part)} %, most "
        f"likely phone {percent(baseline.accuracy_without_silence)} %"
    )


def phone_errors(result: PhonemeResult) -> str | None:
    """Phone error rates in one sentence; None where they could not be counted."""
    scores, bounds = result.scores, result.intervals.bounds.get("per")
    if scores.per is None or scores.per_one_to_one is None:
        return None
    interval = f" [{percent(bounds[0])}, {percent(bounds[1])}]" if bounds else ""
    shares = (scores.per_same_part, scores.per_without_silence, scores.per_one_to_one_same_part)
    same, quiet, same_one = (percent(share) for share in shares if share is not None)
    return (
        f"phone error rate {percent(scores.per)} %{interval}, same part {same} %, without silence {quiet} %; "
        f"one-to-one map {percent(scores.per_one_to_one)} %, same part {same_one} %"
    )


def table(result: PhonemeResult, about: About) -> str:
    """The report as the terminal shows it."""
    rows = [list(HEADINGS), *comparison(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    scores = result.scores
    same = f"  same part {percent(scores.accuracy_same_part)} %"
    paper = f"the paper: {percent(PAPER_ACCURACY)} %, its most likely phone {percent(PAPER_BASELINE)} %"
    data = f"  {counted(about.utterances, 'utterance')}, {counted(about.speakers, 'speaker')}, "
    data += counted(scores.frames, "frame")
    used = f"{scores.used_codes} of {about.codebook_size} codes used, perplexity {scores.perplexity:.1f}"
    lines = [
        f"phoneme accuracy {headline(result)}, the map from codes to phones {result.mapping}",
        f"{same} ({paper})",
        *([f"  {quiet} (nearest to the paper's frames)"] if (quiet := without_silence(result)) else []),
        *([f"  {errors}"] if (errors := phone_errors(result)) else []),
        f"{data} at {1 / about.frame_period:g} Hz; {counted(len(result.labels), 'phone')} ({about.phone_set}); {used}",
        "",
    ]
    for row in rows:
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    lines += ["", "recall by class: " + ", ".join(f"{row.name} {percent(row.recall)}" for row in result.per_class)]
    lines += _trade(result)
    lines += [f"note: {note}" for note in about.notes]
    return "\n".join(lines)


def _trade(result: PhonemeResult) -> list[str]:
    """The codes under duration penalties, a line each."""
    if not result.trade:
        return []
    lines = ["", "duration penalty   units/s  bit/s as runs  accuracy    PER  R-value"]
    for point in result.trade:
        per = "" if point.per is None else percent(point.per)
        r_value = "" if point.r_value is None else f"{point.r_value:.2f}"
        lines.append(
            f"{point.penalty:<16g}  {point.units_per_second:>8.1f}  {point.bitrate_runs:>13.0f}  "
            f"{percent(point.accuracy):>8}  {per:>5}  {r_value:>7}".rstrip()
        )
    return lines


def mean_run(result: PhonemeResult) -> float:
    """Mean length of a run in frames."""
    lengths = np.arange(1, len(result.run_lengths) + 1)
    return float((lengths * result.run_lengths).sum() / max(result.run_lengths.sum(), 1))
