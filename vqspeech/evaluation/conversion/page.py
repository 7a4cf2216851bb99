"""A conversion evaluation as one HTML page that holds its sounds and figures: it opens from disk, with no network."""

from __future__ import annotations

import base64
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from vqspeech import __version__, audio
from vqspeech.evaluation.conversion import Result, plots, report
from vqspeech.evaluation.conversion.metrics import PairMetrics
from vqspeech.evaluation.conversion.report import About
from vqspeech.evaluation.html.style import STYLE, html_table
from vqspeech.evaluation.metrics.f0 import Contour, contour
from vqspeech.evaluation.metrics.text_normalisation import plain_words

#: Pairs to listen to, seconds of each, and how many characters they may take: the page is to be sent by mail.
EXAMPLES, SECONDS, _MOST_CHARACTERS = 12, 7.0, 9_000_000

_MORE_STYLE = """
.three { display: grid; grid-template-columns: repeat(3, 1fr); gap: 14px; padding-left: 5%; }
.example + .example { border-top: 1px solid var(--line); padding-top: 16px; }
.example p { margin: 2px 0; } mark { background: #fde3d3; color: inherit; border-radius: 3px; padding: 0 2px; }
.figures { color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }
.tile small { display: block; color: var(--soft); font-size: 12px; }
@media (max-width: 860px) { .three { grid-template-columns: 1fr; } }
"""
_SCRIPT = """
document.addEventListener('play', function (event) {
  document.querySelectorAll('audio').forEach(function (one) { if (one !== event.target) one.pause(); });
}, true);
"""
_MEANINGS = {
    "similarity_target": "cosine to the target",
    "target_wins": "nearer the target than the source",
    "wer": "word error rate",
    "dnsmos": "DNSMOS overall",
}
_METHOD = {
    "to target, to source": "cosine to the mean embedding of up to eight recordings of the speaker, the one that is "
    "compared and the source left out",
    "WER": "word errors of all pairs by words of all, spelling, case and numbers brought to one form first",
    "F0": "apart: from the target's mean; range: 5th to 95th percentile; contour: correlation of log F0 with the "
    "source's",
    "MCD": "without the level, along a time-warped path, where the target reads the same words",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A pair to look at and listen to; waveforms are ``(samples,)`` at 16 kHz.

    Attributes:
        row: what was found of it.
        text: what is said, where known.
        source: the recording.
        converted: what was made of it.
        real: a recording of the target.
    """

    row: PairMetrics
    text: str | None
    source: NDArray[np.float32]
    converted: NDArray[np.float32]
    real: NDArray[np.float32]


def page(result: Result, about: About, examples: Iterable[Example] = ()) -> str:
    """The whole page.

    Args:
        result: what was found.
        about: what was evaluated.
        examples: pairs to listen to, as many as the page has room for.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    body = [
        _header(result, about),
        _tiles(result),
        _section(
            "Between baselines and toplines",
            "The same metrics on the same pairs: the unconverted source as baseline, real recordings and resyntheses "
            "as toplines. Percent where the heading says so.",
            html_table(
                ["", *report.headings(report.shown(result))],
                report.comparison(result, about),
                own=report.system_name(about),
            ),
        ),
        _charts(result),
        _groups(result),
        _examples(result, about, examples),
        _pairs(result),
        _method(result, about),
        f"<footer>vqspeech {__version__}. The figures of all pairs are in RESULTS.json beside this page.</footer>",
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
    sources = len({row.source for row in result.converted.rows})
    targets = len({row.target for row in result.converted.rows})
    return (
        f'<header><p class="kind">Evaluation of {about.measure}</p><h1>{escape(about.title)}</h1>'
        f'<p class="lead">{len(result.pairs)} pairs · {sources} source speakers · {targets} targets · '
        f"{escape(about.model or '')}</p></header>"
    )


def _tiles(result: Result) -> str:
    baseline = result.baselines.get("source")
    tiles = []
    for name in report.HEADLINES:
        if name not in result.columns:
            continue
        columns = (name,)
        beside = []
        if baseline and name in ("similarity_target", "target_wins"):
            beside.append(f"unconverted {report.cells(baseline.mean, columns)[0]}")
        beside.append(f"real {report.cells(result.toplines['real_target'].mean, columns)[0]}")
        value = report.cells(result.converted.mean, columns)[0]
        unit = " %" if report.headings(columns)[0].endswith("%") else ""
        tiles.append(
            f'<div class="tile"><b>{value}{unit}</b><span>{_MEANINGS[name]} {report.interval(result, name)}</span>'
            f"<small>{' · '.join(beside)}</small></div>"
        )
    return f'<div class="tiles">{"".join(tiles)}</div>' if tiles else ""


def _charts(result: Result) -> str:
    targets = {
        name.removeprefix("target "): figures for name, figures in result.groups.items() if name.startswith("target ")
    }
    parts = []
    if "similarity_source" in result.columns:
        chart = plots.nearness(
            result.converted.rows, result.toplines["real_target"].rows, result.baselines["source"].rows
        )
        parts.append(_section("Whose voice", "One dot per pair; above the line the target is the nearer.", chart))
    titles = {
        name: title
        for name, title in (("similarity_target", "cosine to the target"), ("wer", "word error rate"))
        if name in result.columns
    }
    if titles and len(targets) > 1:
        chart = plots.by_target(targets, titles)
        parts.append(_section("Target by target", "Means of the pairs of each.", chart))
    return f'<div class="two">{"".join(parts)}</div>' if parts else ""


def _groups(result: Result) -> str:
    rows = report.groups(result, targets=False)
    if not rows:
        return ""
    return _section(
        "By kind of pair", "Means of the converted.", html_table(["", *report.headings(report.shown(result))], rows)
    )


def _examples(result: Result, about: About, examples: Iterable[Example]) -> str:
    parts: list[str] = []
    size = 0
    for number, shown in enumerate(examples):
        part = _example(shown, report.shown(result), number, own=report.system_name(about))
        size += len(part)
        if size > _MOST_CHARACTERS and parts:
            break
        parts.append(part)
    if not parts:
        return ""
    return _section(
        "To listen to",
        f"The first {len(parts)} pairs, up to {SECONDS:g} s of each, at one level. Words the recogniser got wrong are "
        "marked. In the spectrograms, in orange, F0.",
        "".join(parts),
    )


def _example(shown: Example, columns: tuple[str, ...], number: int, *, own: str) -> str:
    row = shown.row
    length = round(SECONDS * audio.SAMPLE_RATE)
    waveforms = [audio.normalise_level(one)[:length] for one in (shown.source, shown.converted, shown.real)]
    tracks = [contour(one) for one in waveforms]
    titles = [f"source: {row.source}", f"{own}: {row.target}", f"real: {row.target}"]
    figure = plots.spectra(list(zip(titles, waveforms, tracks, strict=True)), f"spectra{number}")
    over = _over(tracks[0], tracks[1], row.f0_mean_target, number)
    players = "".join(f'<audio controls preload="none" src="{_sound(one)}"></audio>' for one in waveforms)
    figures = " · ".join(
        f"{heading} {cell}"
        for heading, cell in zip(
            report.headings(columns), report.cells(_as_figures(row, columns), columns), strict=True
        )
        if cell != "-"
    )
    said = f'<p class="text">{escape(shown.text)}</p>' if shown.text else ""
    heard = f'<p class="text">heard: {_marked(shown.text, row.heard)}</p>' if row.heard is not None else ""
    return (
        f'<div class="example"><h3>{escape(row.utterance)} → {escape(row.target)}</h3>{said}{heard}'
        f'{figure}<div class="three">{players}</div>{over}<p class="figures">{figures}</p></div>'
    )


def _over(source: Contour, converted: Contour, mean: float | None, number: int) -> str:
    return plots.contours(source, converted, mean, f"contours{number}")


def _as_figures(row: PairMetrics, columns: Sequence[str]) -> dict[str, float | None]:
    return {name: getattr(row, name) for name in columns}


def _marked(text: str | None, heard: str) -> str:
    """The transcript, with insertions and substitutions marked."""
    words = plain_words(heard).split()
    if not words:
        return "<mark>nothing</mark>"
    if text is None:
        return escape(" ".join(words))
    parts = []
    matcher = difflib.SequenceMatcher(None, plain_words(text).split(), words, autojunk=False)
    for kind, begin, end, first, last in matcher.get_opcodes():
        piece = escape(" ".join(words[first:last]))
        if kind == "equal":
            parts.append(piece)
        elif kind == "delete":
            parts.append(f'<mark title="{end - begin} left out">…</mark>')
        else:
            parts.append(f"<mark>{piece}</mark>")
    return " ".join(parts)


def _sound(waveform: NDArray[np.float32]) -> str:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(waveform, -1, 1), audio.SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _pairs(result: Result) -> str:
    rows = [
        [f"{row.utterance} → {row.target}", *report.cells(_as_figures(row, report.shown(result)), report.shown(result))]
        for row in result.converted.rows
    ]
    table = html_table(["", *report.headings(report.shown(result))], rows)
    return (
        '<section><h2>Every pair</h2><p class="lead">The figures of each converted recording.</p>'
        f"<details><summary>{len(rows)} pairs</summary>{table}</details></section>"
    )


def _method(result: Result, about: About) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*about.notes, *result.notes))
    drawn = "targets" if result.intervals.unit == "speakers" else "pairs"
    facts = [
        *_METHOD.items(),
        ("intervals", f"{result.intervals.confidence:.0%}, bootstrap over {drawn}"),
        *result.metric_names.items(),
        *about.sources.items(),
        ("seed", str(about.seed)),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return (
        "<section><h2>How this was measured</h2>"
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + f"<dl>{rows}</dl></section>"
    )
