"""Whether a conversion has the same words, in the target's voice, and sounds well: pairs, rows, means.

Recordings go in and figures come out; whatever made the converted ones is of no concern here. Beside them stand, on
the same pairs, what has the right words or the right voice already: the source as it is, its mu-law round trip,
Griffin-Lim from its mel bands, and a real recording of the target.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vqspeech.evaluation.bootstrap import Intervals
from vqspeech.evaluation.conversion.metrics import FIELDS, FIGURES, PairMetrics, System, intervals, means
from vqspeech.evaluation.conversion.pairs import Pair, Reader, Recording
from vqspeech.evaluation.conversion.scorer import ConversionScorer
from vqspeech.evaluation.metrics import MetricSet

_NAMES = {"pitch": "Praat, autocorrelation", "cepstra": "mel-cepstral distortion, time-warped"}


@dataclass(frozen=True)
class Result:
    """A system between its baselines and toplines.

    Attributes:
        converted: the system that was evaluated.
        baselines: name -> a system that has the words and not the voice.
        toplines: name -> one that has both, or all that the system's parts allow.
        intervals: of the means of ``converted``.
        groups: name of a group of pairs -> its means.
        metric_names: metric -> name of its implementation, of those that are installed.
        columns: the figures that were measured.
        pairs: those of the rows of every system, in their order.
        real: the real recording of the target that stands beside each pair.
        notes: what the reader must know, a sentence each.
    """

    converted: System
    baselines: dict[str, System]
    toplines: dict[str, System]
    intervals: Intervals
    groups: dict[str, dict[str, float | None]]
    metric_names: dict[str, str]
    columns: tuple[str, ...]
    pairs: tuple[Pair, ...]
    real: tuple[Recording, ...]
    notes: tuple[str, ...] = ()


def evaluate(
    pairs: Sequence[Pair],
    converted: Mapping[str, Reader],
    references: Mapping[str, Sequence[Recording]],
    metric_set: MetricSet,
    *,
    resyntheses: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Score conversions, baselines and toplines.

    Every recording is brought to the level of ``audio.normalise_level`` first. A pair whose target is the source's own
    speaker is a reconstruction: its real recording is the source itself, and there is no source to be nearer to.

    Args:
        pairs: what was to be converted.
        converted: name of a pair -> its converted waveform.
        references: speaker -> real recordings, of the targets and, as far as there are, of the sources. A recording
            is never compared with itself as long as its speaker has another.
        metric_set: who is there.
        resyntheses: name of a topline -> what turns the source into it, such as ``toplines.griffin_lim``.
        seed: of the draw of references and of the bootstrap.
        progress: called with rows done and rows in all.
    """
    scorer = ConversionScorer(metric_set, references, seed)
    reconstruction = all(pair.source.speaker == pair.target for pair in pairs)
    real = [pair.source if reconstruction else scorer.real(pair, number) for number, pair in enumerate(pairs)]
    made: dict[str, list[Recording]] = {
        "converted": [_made("converted", pair.name, pair.target, converted[pair.name]) for pair in pairs],
        **{
            name: [
                _made(name, pair.source.name, pair.source.speaker, _through(change, pair.source.read)) for pair in pairs
            ]
            for name, change in resyntheses.items()
        },
    }
    if not reconstruction:
        made["source"] = [pair.source for pair in pairs]
    total, done = (len(made) + 1) * len(pairs), 0
    systems = {}
    for name, recordings in {**made, "real_target": real}.items():
        rows = []
        for pair, recording in zip(pairs, recordings, strict=True):
            rows.append(scorer.row(pair, recording, real=name == "real_target"))
            done += 1
            if progress:
                progress(done, total)
        systems[name] = System.of(rows)
    rows = list(systems["converted"].rows)
    measured = [name for name in FIELDS if getattr(metric_set, name) is not None]
    columns = [name for name in FIGURES if name == "duration" or any(name in FIELDS[metric] for metric in measured)]
    if reconstruction:
        columns = [name for name in columns if name not in ("similarity_source", "target_wins")]
    return Result(
        converted=systems["converted"],
        baselines={name: systems[name] for name in ("source",) if name in systems},
        toplines={name: systems[name] for name in (*resyntheses, "real_target")},
        intervals=intervals(rows, columns, seed=seed),
        groups={name: means(group) for name, group in _grouped(rows).items()},
        metric_names={name: getattr(getattr(metric_set, name), "name", _NAMES.get(name, name)) for name in measured},
        columns=tuple(columns),
        pairs=tuple(pairs),
        real=tuple(real),
        notes=(*metric_set.missing, *scorer.notes(pairs)),
    )


def _made(kind: str, name: str, speaker: str, read: Reader) -> Recording:
    return Recording(f"{kind}: {name}", speaker, read)


def _through(change: Callable[[NDArray[np.float32]], NDArray[np.float32]], read: Reader) -> Reader:
    return lambda: change(read())


def _grouped(rows: Sequence[PairMetrics]) -> dict[str, list[PairMetrics]]:
    groups: dict[str, list[PairMetrics]] = {}
    for row in rows:
        if row.gender:
            groups.setdefault(f"{row.gender} gender", []).append(row)
        if row.seen is not None:
            kind = "training" if row.seen else "unseen"
            groups.setdefault(f"{kind} speakers as sources", []).append(row)
    for row in sorted(rows, key=lambda row: row.target):
        groups.setdefault(f"target {row.target}", []).append(row)
    return groups
