"""An evaluation of a prior written down: a dictionary for ``RESULTS.json`` and a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vqspeech.counts import counted
from vqspeech.evaluation.prior import Result, System
from vqspeech.evaluation.prior.bits import ngram_name
from vqspeech.evaluation.prior.repetition import LENGTHS

#: Names of systems, as people read them; ``{}`` is the n-gram model's.
NAMES = {
    "samples": "samples of the prior",
    "ngram": "samples of the {}",
    "real": "real codes",
    "shuffled": "real codes, shuffled",
    "recording": "recordings",
    "reversed": "recordings, reversed",
}
BITS_HEADINGS = ("", "bits/code", "bits/s", "codes as hard", "prior saves", "of it %")


@dataclass(frozen=True, slots=True)
class About:
    """What was evaluated, for the reader of a report.

    Attributes:
        title: of the report.
        model: the system that made the codes.
        codebook_size: number of codes.
        sources: name -> what was read.
        settings: name -> how samples were drawn.
        seed: of all that is drawn.
        notes: what the reader must know, a sentence each.
    """

    title: str
    model: str | None
    codebook_size: int
    sources: Mapping[str, str]
    settings: Mapping[str, str]
    seed: int = 0
    notes: tuple[str, ...] = ()


def results(result: Result, about: About) -> dict[str, Any]:
    """All figures as JSON holds them; what was not measured is not in it, null is what could not be measured."""
    bits = result.bits
    found: dict[str, Any] = {"codebook_bits": bits.codebook}
    if bits.prior is not None:
        found |= {"bits_per_code": bits.prior, "bits_per_second": bits.prior * bits.code_rate}
    for order, value in bits.ngrams.items():
        found[f"{ngram_name(order)}_bits_per_code"] = value
    if bits.prior is not None:
        found["saved_bits_per_code"] = {ngram_name(order): value - bits.prior for order, value in bits.ngrams.items()}
    return {
        **found,
        "intervals": {
            **{name: list(bounds) for name, bounds in bits.intervals.bounds.items()},
            "confidence": bits.intervals.confidence,
            "resampled": bits.intervals.unit,
            "units": bits.intervals.units,
        },
        "held_out": {
            "codes": bits.codes,
            "seconds": bits.codes / bits.code_rate,
            "utterances": bits.utterances,
            "speakers": bits.speakers,
        },
        "train_codes": bits.train_codes,
        "systems": {name: _system(system) for name, system in result.systems.items()},
        "metrics": result.metric_names,
        "about": {
            **asdict(about),
            "frame_period": result.frame_period,
            "compared_codes": result.frames,
            "window_codes": result.window,
        },
    }


def _system(system: System) -> dict[str, Any]:
    found = {name: value for name, value in figures(system).items() if value is not None}
    if system.repetition:
        found["run_lengths"] = list(system.repetition.run_lengths)
    if system.neighbours:
        found["nearest"] = {name: asdict(one) for name, one in system.neighbours.items()}
    if system.words:
        found["heard"] = system.words.of
    return found


#: Figure -> its heading in a table, its format, and what it is multiplied by.
COLUMNS: dict[str, tuple[str, str, float]] = {
    **{f"repeated_{n}": (f"rep-{n} %", ".1f", 100.0) for n in LENGTHS},
    "mean_run": ("run", ".2f", 1.0),
    "longest_run": ("longest", ".0f", 1.0),
    "loop": ("loop", ".1f", 1.0),
    "longest_loop": ("longest", ".0f", 1.0),
    "js_unigram": ("JS 1", ".4f", 1.0),
    "js_bigram": ("JS 2", ".4f", 1.0),
    "copied": ("copied", ".1f", 1.0),
    "longest_copied": ("longest", ".0f", 1.0),
    "edit_distance": ("edits %", ".1f", 100.0),
    "nearest": ("least", ".1f", 100.0),
    "words_per_second": ("words/s", ".2f", 1.0),
    "in_dictionary": ("known %", ".1f", 100.0),
    "different": ("differ %", ".0f", 100.0),
    "confidence": ("log p", ".2f", 1.0),
}


def figures(system: System) -> dict[str, Any]:
    """Figure -> its value; None where it was not measured."""
    found: dict[str, Any] = dict.fromkeys(COLUMNS)
    if (one := system.repetition) is not None:
        found |= {f"repeated_{n}": share for n, share in one.repeated.items()}
        found |= {name: getattr(one, name) for name in ("mean_run", "longest_run", "loop", "longest_loop")}
    if system.divergence is not None:
        found |= {"js_unigram": system.divergence.unigram, "js_bigram": system.divergence.bigram}
    if system.neighbours:
        near = system.neighbours.values()
        found |= {
            "copied": float(np.mean([one.copied for one in near])),
            "longest_copied": max(one.copied for one in near),
            "edit_distance": float(np.mean([one.distance for one in near])),
            "nearest": min(one.nearest for one in near),
        }
    if system.words is not None:
        found |= {
            name: getattr(system.words, name)
            for name in ("words_per_second", "in_dictionary", "different", "confidence")
        }
    return found


def system_name(name: str, result: Result) -> str:
    """As people read it."""
    return NAMES.get(name, name).format(ngram_name(result.order))


def bits_rows(result: Result) -> list[list[str]]:
    """What a code costs each model, under :data:`BITS_HEADINGS`."""
    bits = result.bits
    models = {"log2 of the codebook": bits.codebook}
    models |= {ngram_name(order): value for order, value in bits.ngrams.items()}
    if bits.prior is not None:
        models["prior"] = bits.prior
    rows = []
    for name, value in models.items():
        row = [name, f"{value:.3f}", f"{value * bits.code_rate:.0f}", f"{2.0**value:.1f}", "", ""]
        if bits.prior is not None and name != "prior":
            saved = value - bits.prior
            bounds = bits.intervals.bounds.get(f"{name} - prior")
            row[4] = f"{saved:.3f}" + (f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")
            row[5] = f"{100 * saved / value:.1f}" if value else ""
        rows.append(row)
    return rows


def system_columns(result: Result) -> list[str]:
    """The figures that any of the systems has."""
    found = [figures(system) for system in result.systems.values()]
    return [name for name in COLUMNS if any(one[name] is not None for one in found)]


def system_rows(result: Result, columns: Sequence[str]) -> list[list[str]]:
    """The samples and what stands beside them, a row each, under the headings of ``columns``."""
    rows = []
    for name, system in result.systems.items():
        found = figures(system)
        cells = [
            "-" if found[column] is None else format(COLUMNS[column][2] * found[column], COLUMNS[column][1])
            for column in columns
        ]
        rows.append([system_name(name, result), *cells])
    return rows


def headline(result: Result) -> str:
    """How far the prior is below the trigram, or the highest order there is below it."""
    bits = result.bits
    if bits.prior is None:
        return "no prior's bits were given"
    order = min(3, max(bits.ngrams))
    saved = bits.ngrams[order] - bits.prior
    bounds = bits.intervals.bounds.get(f"{ngram_name(order)} - prior")
    interval = f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else ""
    side = "below" if saved > 0 else "above"
    return (
        f"{bits.prior:.3f} bits per code, {bits.prior * bits.code_rate:.0f} bits per second: "
        f"{abs(saved):.3f}{interval} {side} the {ngram_name(order)}"
    )


def table(result: Result, about: About) -> str:
    """The report as the terminal shows it."""
    bits = result.bits
    data = f"  {counted(bits.codes, 'held-out code')} of {counted(bits.utterances, 'utterance')}, "
    data += f"{counted(bits.speakers, 'speaker')}; n-grams counted on {counted(bits.train_codes, 'code')}; "
    data += f"K = {about.codebook_size} at {bits.code_rate:g} Hz"
    lines = [headline(result), data, "", *_aligned([list(BITS_HEADINGS), *bits_rows(result)])]
    if bits.intervals.unit:
        lines.append(
            f"{bits.intervals.confidence:.0%} intervals, resampling {bits.intervals.units} {bits.intervals.unit}"
        )
    if result.systems:
        columns = system_columns(result)
        lines += ["", f"sequences of {counted(result.frames, 'code')}, {result.frames * result.frame_period:.2f} s", ""]
        lines += _aligned([["", *(COLUMNS[name][0] for name in columns)], *system_rows(result, columns)])
    lines += [f"{name}: {metric}" for name, metric in result.metric_names.items()]
    lines += [f"note: {note}" for note in about.notes]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return lines
