"""An evaluation of a prior as one HTML page that holds its sounds and figures: it opens from disk, with no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from vqspeech import __version__, audio
from vqspeech.evaluation.html.style import STYLE, html_table
from vqspeech.evaluation.prior import Result, plots, report
from vqspeech.evaluation.prior.bits import ngram_name
from vqspeech.evaluation.prior.report import About

#: Recordings of each system to listen to, seconds of each, and characters of them all: the page is to be sent by mail.
EXAMPLES, SECONDS, _MOST_CHARACTERS = 8, 6.0, 9_000_000

_MORE_STYLE = """
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 14px 22px; }
.many th, .many td { padding: 5px 5px; font-size: 12.5px; }
.example .text { margin: 2px 0; }
.figures { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; margin: 2px 0; }
.tile small { display: block; color: var(--soft); font-size: 12px; }
@media (max-width: 860px) { .pair { grid-template-columns: 1fr; } }
"""
_SCRIPT = """
document.addEventListener('play', function (event) {
  document.querySelectorAll('audio').forEach(function (one) { if (one !== event.target) one.pause(); });
}, true);
"""
_METHOD = {
    "n-grams": "interpolated modified Kneser-Ney (Chen and Goodman 1998), counted on the training codes; a start "
    "symbol before each utterance, no end symbol, as for the prior",
    "codes as hard": "two to the power of the bits: so many codes, all as likely, would be as hard to foresee",
    "rep-n": "share of a sequence's n-grams that stood earlier in it, for n = 4, 16 and 64 codes",
    "run, longest": "codes in a run of one code: mean, and the longest of all",
    "loop, longest": "codes in a sequence's longest stretch that says the same twice or more on end, runs taken as "
    "one: mean over sequences, and the longest of all",
    "JS 1, JS 2": "Jensen-Shannon divergence of codes, and of pairs of them, from the training data's, in bits; even "
    "real codes are not at 0, being few",
    "copied, longest": "codes in a sequence's longest stretch that training has too, code for code: mean over "
    "sequences, and the longest of all",
    "edits, least": "edit distance from each second of a sequence to the nearest training data, in % of its codes: "
    "mean, and the least of all; real held-out utterances are the yardstick",
    "known": "share of the recogniser's words that are in the dictionary; a dash where it can write no others",
    "differ": "share of a transcript's words that did not stand earlier in it: a recogniser that hears no words may "
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
    """The whole page.

    Args:
        result: what was found.
        about: what was evaluated.
        examples: what to listen to, those of one system together; as many are shown as the page has room for.

    Raises:
        InputError: matplotlib is not installed.
    """
    body = [
        _header(result, about),
        _headline(result),
        _tiles(result),
        _section(
            "What a code costs",
            "The same held-out codes under every model. In brackets, the interval of what the prior saves.",
            html_table(list(report.BITS_HEADINGS), report.bits_rows(result), own="prior"),
        ),
        _systems(result),
        _examples(result, examples),
        _method(result, about),
        f"<footer>vqspeech {__version__}. The figures of every sequence are in RESULTS.json beside this page.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(about.title)}</title><style>{STYLE}{_MORE_STYLE}</style></head>\n<body><main>"
        + "\n".join(body)
        + f"</main><script>{_SCRIPT}</script></body></html>\n"
    )


def _section(title: str, lead: str, content: str) -> str:
    return f'<section><h2>{title}</h2><p class="lead">{lead}</p><figure>{content}</figure></section>'


def _header(result: Result, about: About) -> str:
    bits = result.bits
    return (
        '<header><p class="kind">Evaluation of a prior over codes</p>'
        f"<h1>{escape(about.title)}</h1>"
        f'<p class="lead">{about.codebook_size} codes at {bits.code_rate:g} Hz · {bits.codes:,} held-out codes of '
        f"{bits.utterances:,} utterances, {bits.speakers:,} speakers · {escape(about.model or '')}</p></header>"
    )


def _headline(result: Result) -> str:
    bits = result.bits
    chart = plots.bits(result)
    if bits.prior is None:
        best = min(bits.ngrams.values())
        said = f'<div class="big">{best:.2f}<small> bits per code</small></div><p>of the best n-gram model.</p>'
    else:
        said = (
            f'<div class="big">{bits.prior:.2f}<small> bits per code</small></div>'
            f'<p class="interval">{escape(report.headline(result))}</p>'
        )
    return f'<section class="headline"><div>{said}</div><figure>{chart}</figure></section>'


def _tiles(result: Result) -> str:
    bits, samples, real = result.bits, result.systems.get("samples"), result.systems.get("real")
    tiles = []
    if bits.prior is not None:
        tiles.append((f"{bits.prior * bits.code_rate:.0f} bit/s", "on held-out speech", ""))
    if samples and real:
        ours, theirs = report.figures(samples), report.figures(real)
        milliseconds = 1000 * result.frame_period
        for name, meaning, form, factor, unit in (
            ("copied", "longest stretch found in training", ".0f", milliseconds, " ms"),
            ("edit_distance", "edits to the nearest training second", ".0f", 100, " %"),
            ("js_bigram", "JS divergence of pairs", ".3f", 1, ""),
            ("in_dictionary", "words in the dictionary", ".0f", 100, " %"),
            ("confidence", "the recogniser's log p", ".2f", 1, ""),
        ):
            if ours[name] is not None:
                beside = f"real {format(factor * theirs[name], form)}{unit}" if theirs[name] is not None else ""
                tiles.append((f"{format(factor * ours[name], form)}{unit}", meaning, beside))
    shown = "".join(
        f'<div class="tile"><b>{value}</b><span>{meaning}</span><small>{beside}</small></div>'
        for value, meaning, beside in tiles[:4]
    )
    return f'<div class="tiles">{shown}</div>' if shown else ""


def _systems(result: Result) -> str:
    if not result.systems:
        return ""
    columns = report.system_columns(result)
    own = report.system_name("samples", result)
    parts = [
        _section(
            "Samples beside real codes",
            f"Sequences of {result.frames} codes, {result.frames * result.frame_period:.2f} s each. What is nearer the "
            "real codes' row is better; what the columns mean stands at the end.",
            '<div class="many">'
            + html_table(
                ["", *(report.COLUMNS[name][0] for name in columns)], report.system_rows(result, columns), own=own
            )
            + "</div>",
        )
    ]
    named = {name: report.system_name(name, result) for name in result.systems}
    parts.append(
        '<div class="two">'
        + _section("How long codes last", "Shares of runs by their length.", plots.run_lengths(result, named))
        + _section(
            "Copies or not", "A dot a sequence; copies lie to the right, at the bottom.", plots.nearest(result, named)
        )
        + "</div>"
    )
    return "".join(parts)


def _examples(result: Result, examples: Iterable[Example]) -> str:
    groups: dict[str, list[str]] = {}
    size = 0
    for number, shown in enumerate(examples):
        part = _example(result, shown, number)
        size += len(part)
        if size > _MOST_CHARACTERS and groups:
            break
        groups.setdefault(shown.system, []).append(part)
    return "".join(
        _section(
            _TITLES.get(system, system).format(ngram_name(result.order)),
            f"Up to {SECONDS:g} s of each, at one level.",
            f'<div class="pair">{"".join(parts)}</div>',
        )
        for system, parts in groups.items()
    )


def _example(result: Result, shown: Example, number: int) -> str:
    waveform = audio.normalise_level(shown.waveform)[: round(SECONDS * audio.SAMPLE_RATE)]
    found = result.systems.get(shown.system)
    lines = []
    if found and found.words and (text := found.words.of.get(shown.name)) is not None:
        lines.append(f'<p class="text">heard: {escape(text) or "nothing"}</p>')
    if found and (near := found.neighbours.get(shown.name)):
        seconds = near.nearest_at * result.frame_period
        lines.append(
            f'<p class="figures">copied {1000 * near.copied * result.frame_period:.0f} ms of '
            f"{escape(near.copied_from)} · nearest second {escape(near.nearest_utterance)} at {seconds:.1f} s, "
            f"{100 * near.nearest:.0f} % edits</p>"
        )
    return (
        f'<div class="example"><h3>{escape(shown.name)}</h3>{plots.spectrum(waveform, f"spectrum{number}")}'
        f'<audio controls preload="none" src="{_sound(waveform)}"></audio>{"".join(lines)}</div>'
    )


def _sound(waveform: NDArray[np.float32]) -> str:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), audio.SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _method(result: Result, about: About) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in about.notes)
    facts = [
        *_METHOD.items(),
        ("intervals", f"{result.bits.intervals.confidence:.0%}, bootstrap over {result.bits.intervals.unit or 'none'}"),
        *result.metric_names.items(),
        *about.settings.items(),
        *about.sources.items(),
        ("seed", str(about.seed)),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return (
        "<section><h2>How this was measured</h2>"
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + f"<dl>{rows}</dl></section>"
    )
