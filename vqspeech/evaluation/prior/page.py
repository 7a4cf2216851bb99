"""An evaluation of a prior as one HTML page that holds its sounds and figures: it opens from disk, with no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.counts import counted
from vqspeech.evaluation.html import audio_source, render
from vqspeech.evaluation.prior import Result, plots, report
from vqspeech.evaluation.prior.bits import ngram_name
from vqspeech.evaluation.prior.report import About

#: Recordings of each system to listen to, seconds of each, and characters of them all: the page is to be sent by mail.
EXAMPLES, SECONDS, _MOST_CHARACTERS = 8, 6.0, 9_000_000

_METHOD = {
    "n-grams": "interpolated modified Kneser-Ney (Chen and Goodman 1998), counted on the training codes; a start "
    "symbol before each utterance, no end symbol, as for the prior",
    "codes as hard": "two to the power of the bits: so many codes, all as likely, would be as hard to foresee",
    "rep-n": "share of a sequence's n-grams that stood earlier in it, for n = 4, 16 and 64 codes",
    "run, longest": "codes in a run of one code: mean, and the longest of all",
    "loop, longest": "codes in a sequence's longest span that repeats itself twice or more on end, runs taken as "
    "one: mean over sequences, and the longest of all",
    "JS 1, JS 2": "Jensen-Shannon divergence of codes, and of pairs of them, from the training data's, in bits; even "
    "real codes are not at 0, being few",
    "copied, longest": "codes in a sequence's longest span that training has too, code for code: mean over "
    "sequences, and the longest of all",
    "edits, least": "edit distance from each second of a sequence to the nearest training data, in % of its codes: "
    "mean, and the least of all; real held-out utterances are the yardstick",
    "known": "share of the recogniser's words that are in the dictionary; a dash where it can write no others",
    "differ": "share of a transcript's words that did not stand earlier in it: a recogniser given no words may "
    "say the same over and over",
    "log p": "mean natural log-probability the recogniser gives a word (pocketsphinx) or token (Whisper) of its own "
    "transcript: how sure it is",
}
_TITLES = {
    "samples": "Samples of the prior",
    "ngram": "Samples of the {}",
    "real": "Real codes, spoken by the same model",
    "shuffled": "Real codes in random order",
    "recording": "Recordings",
    "reversed": "Recordings, reversed",
}


@dataclass(frozen=True, slots=True)
class Example:
    """Something to listen to.

    Attributes:
        system: which system's.
        name: of the sequence.
        waveform: shape ``(samples,)``, at 16 kHz.
    """

    system: str
    name: str
    waveform: NDArray[np.float32]


def page(result: Result, about: About, examples: Iterable[Example] = ()) -> str:
    """The whole page, ``html/templates/prior.html``.

    Args:
        result: what was found.
        about: what was evaluated.
        examples: what to listen to, those of one system together; as many are shown as the page has room for.

    Raises:
        InputError: matplotlib is not installed.
    """
    from markupsafe import Markup

    columns = report.system_columns(result)
    named = {name: report.system_name(name, result) for name in result.systems}
    bits = result.bits
    return render(
        "prior.html",
        about=about,
        result=result,
        bits=bits,
        best=min(bits.ngrams.values()) if bits.prior is None else bits.prior,
        headline="" if bits.prior is None else report.headline(result),
        bits_chart=Markup(plots.bits(result)),
        tiles=_tiles(result),
        bits_headings=report.BITS_HEADINGS,
        bits_rows=report.bits_rows(result),
        samples_lead=f"Sequences of {counted(result.frames, 'code')}, {result.frames * result.frame_period:.2f} s "
        "each. What is nearer the real codes' row is better; what the columns mean stands at the end.",
        system_headings=["", *(report.COLUMNS[name][0] for name in columns)],
        system_rows=report.system_rows(result, columns),
        own=report.system_name("samples", result),
        run_chart=Markup(plots.run_lengths(result, named) if named else ""),
        nearest_chart=Markup(plots.nearest(result, named) if named else ""),
        examples=_examples(result, examples),
        seconds=SECONDS,
        facts=_facts(result, about),
    )


def _tiles(result: Result) -> list[tuple[str, str, str]]:
    bits, samples, real = result.bits, result.systems.get("samples"), result.systems.get("real")
    tiles = []
    if bits.prior is not None:
        tiles.append((f"{bits.prior * bits.code_rate:.0f} bit/s", "on held-out speech", ""))
    if samples and real:
        ours, theirs = report.figures(samples), report.figures(real)
        milliseconds = 1000 * result.frame_period
        for name, meaning, form, factor, unit in (
            ("copied", "longest span found in training", ".0f", milliseconds, " ms"),
            ("edit_distance", "edits to the nearest training second", ".0f", 100, " %"),
            ("js_bigram", "JS divergence of pairs", ".3f", 1, ""),
            ("in_dictionary", "words in the dictionary", ".0f", 100, " %"),
            ("confidence", "the recogniser's log p", ".2f", 1, ""),
        ):
            if ours[name] is not None:
                beside = f"real {format(factor * theirs[name], form)}{unit}" if theirs[name] is not None else ""
                tiles.append((f"{format(factor * ours[name], form)}{unit}", meaning, beside))
    return tiles[:4]


def _examples(result: Result, examples: Iterable[Example]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Title and recordings of each system."""
    groups: dict[str, list[dict[str, Any]]] = {}
    size = 0
    for number, shown in enumerate(examples):
        part = _example(result, shown, number)
        size += len(part["source"]) + len(part["spectrum"])
        if size > _MOST_CHARACTERS and groups:
            break
        groups.setdefault(shown.system, []).append(part)
    order = ngram_name(result.order)
    return [(_TITLES.get(system, system).format(order), parts) for system, parts in groups.items()]


def _example(result: Result, shown: Example, number: int) -> dict[str, Any]:
    from markupsafe import Markup

    waveform = audio.normalise_level(shown.waveform)[: round(SECONDS * audio.SAMPLE_RATE)]
    found = result.systems.get(shown.system)
    nearest = ""
    if found and (near := found.neighbours.get(shown.name)):
        seconds = near.nearest_at * result.frame_period
        nearest = (
            f"copied {1000 * near.copied * result.frame_period:.0f} ms of {near.copied_from} · nearest second "
            f"{near.nearest_utterance} at {seconds:.1f} s, {100 * near.nearest:.0f} % edits"
        )
    return {
        "name": shown.name,
        "spectrum": Markup(plots.spectrum(waveform, f"spectrum{number}")),
        "source": audio_source(waveform, audio.SAMPLE_RATE),
        "transcript": found.words.of.get(shown.name) if found and found.words else None,
        "nearest": nearest,
    }


def _facts(result: Result, about: About) -> list[tuple[str, str]]:
    return [
        *_METHOD.items(),
        ("intervals", f"{result.bits.intervals.confidence:.0%}, bootstrap over {result.bits.intervals.unit or 'none'}"),
        *result.metric_names.items(),
        *about.settings.items(),
        *about.sources.items(),
        ("seed", str(about.seed)),
    ]
