"""A conversion evaluation written down: a dictionary for ``RESULTS.json`` and a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vqspeech.counts import counted
from vqspeech.evaluation.conversion import Result
from vqspeech.evaluation.conversion.metrics import FIELDS, PairMetrics, System

#: Names of systems and groups, as people read them.
NAMES = {
    "source": "source as it is",
    "mu_law": "source through mu-law",
    "griffin_lim": "source through Griffin-Lim",
    "real_target": "real target",
}
#: What a reader looks for first.
HEADLINES = ("similarity_target", "target_wins", "wer", "dnsmos")
#: Figure -> its heading in a table, its format, and what it is multiplied by.
_COLUMNS: dict[str, tuple[str, str, float]] = {
    "similarity_target": ("to target", ".3f", 1),
    "similarity_source": ("to source", ".3f", 1),
    "target_wins": ("wins %", ".0f", 100),
    "wer": ("WER %", ".1f", 100),
    "dnsmos": ("DNSMOS", ".2f", 1),
    "f0_mean": ("F0 Hz", ".0f", 1),
    "f0_mean_target": ("target's", ".0f", 1),
    "f0_difference": ("apart st", ".1f", 1),
    "f0_range": ("range st", ".1f", 1),
    "f0_range_target": ("target's", ".1f", 1),
    "f0_correlation": ("contour r", ".2f", 1),
    "mcd": ("MCD dB", ".2f", 1),
    "duration": ("seconds", ".1f", 1),
}


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated, for the reader of a report.

    Attributes:
        title: of the report.
        measure: ``conversion`` or ``reconstruction``.
        model: the system that converted.
        seed: of the pairs.
        sources: name -> what was read.
        notes: what the reader must know, a sentence each.
    """

    title: str
    measure: str
    model: str | None
    seed: int
    sources: Mapping[str, str]
    notes: tuple[str, ...] = ()


def results(result: Result, about: About) -> dict[str, Any]:
    """All figures as JSON holds them. What no metric measured is not in it; null is what could not be measured."""
    kept = {*result.columns, "source", "target", "utterance", "gender", "seen"}
    if "wer" in kept:
        kept |= {"words", "transcript"}

    def row(one: PairMetrics) -> dict[str, Any]:
        return {name: value for name, value in asdict(one).items() if name in kept}

    def mean(figures: Mapping[str, float | None]) -> dict[str, float | None]:
        return {name: figures[name] for name in result.columns}

    def system(one: System) -> dict[str, Any]:
        return {**mean(one.mean), "rows": [row(each) for each in one.rows]}

    return {
        "mean": mean(result.converted.mean),
        "intervals": {
            **{name: list(bounds) for name, bounds in result.intervals.bounds.items()},
            "confidence": result.intervals.confidence,
            "resampled": {"speakers": "targets", "utterances": "pairs", None: None}[result.intervals.unit],
            "units": result.intervals.units,
        },
        "baselines": {name: system(one) for name, one in result.baselines.items()},
        "toplines": {name: system(one) for name, one in result.toplines.items()},
        "groups": {name: mean(figures) for name, figures in result.groups.items()},
        "metrics": result.metric_names,
        "rows": [row(one) for one in result.converted.rows],
        "about": {**asdict(about), "notes": [*about.notes, *result.notes], "pairs": len(result.converted.rows)},
    }


def shown(result: Result) -> tuple[str, ...]:
    """The columns of a table: figures that any of the systems has."""
    systems = (result.converted, *result.baselines.values(), *result.toplines.values())
    return tuple(name for name in result.columns if any(one.mean[name] is not None for one in systems))


def cells(figures: Mapping[str, float | None], columns: tuple[str, ...]) -> list[str]:
    """Figures as text, a dash where there is none."""
    texts = []
    for name in columns:
        _, form, factor = _COLUMNS[name]
        value = figures.get(name)
        texts.append("-" if value is None else format(factor * value, form))
    return texts


def headings(columns: tuple[str, ...]) -> list[str]:
    """Of the columns of a table."""
    return [_COLUMNS[name][0] for name in columns]


def system_name(about: About) -> str:
    """What the rows of the evaluated system are called."""
    return "converted" if about.measure == "conversion" else "reconstructed"


def comparison(result: Result, about: About) -> list[list[str]]:
    """The system between its baselines and toplines, a row each, under ``["", *headings(columns)]``."""
    rows = [[NAMES.get(name, name), *cells(one.mean, shown(result))] for name, one in result.baselines.items()]
    rows.append([system_name(about), *cells(result.converted.mean, shown(result))])
    return rows + [[NAMES.get(name, name), *cells(one.mean, shown(result))] for name, one in result.toplines.items()]


def groups(result: Result, *, targets: bool) -> list[list[str]]:
    """Means of the groups: those of each target, or the others."""
    return [
        [name, *cells(figures, shown(result))]
        for name, figures in result.groups.items()
        if name.startswith("target ") == targets
    ]


def interval(result: Result, name: str) -> str:
    """``[0.71, 0.78]`` in the figure's own form, or nothing."""
    bounds = result.intervals.bounds.get(name)
    if not bounds:
        return ""
    low, high = (cells({name: bound}, (name,))[0] for bound in bounds)
    return f"[{low}, {high}]"


def table(result: Result, about: About) -> str:
    """The report as the terminal shows it."""
    rows = [["", *headings(shown(result))]]
    rows += comparison(result, about)
    rows += [[f"  {name}", *rest] for name, *rest in groups(result, targets=False)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    speakers = len({row.target for row in result.converted.rows})
    lines = [f"{counted(len(result.converted.rows), 'pair')}, {counted(speakers, 'target')}", ""]
    for first, *others in rows:
        aligned = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *aligned]).rstrip())
    lines.append("")
    if result.intervals.unit:
        drawn = "targets" if result.intervals.unit == "speakers" else "pairs"
        bounds = (f"{headings((name,))[0]} {interval(result, name)}" for name in HEADLINES if name in result.columns)
        lines.append(
            f"{result.intervals.confidence:.0%} intervals, resampling {result.intervals.units} {drawn}: "
            + ", ".join(bounds)
        )
    lines += [f"{name}: {metric}" for name, metric in result.metric_names.items() if name in FIELDS]
    lines += [f"note: {note}" for note in (*about.notes, *result.notes)]
    return "\n".join(lines)
