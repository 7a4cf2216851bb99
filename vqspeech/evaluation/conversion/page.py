"""A conversion evaluation as one HTML page that holds its sounds and figures: it opens from disk, with no network."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.evaluation.conversion import Result, plots, report
from vqspeech.evaluation.conversion.metrics import PairMetrics
from vqspeech.evaluation.conversion.report import About
from vqspeech.evaluation.html import audio_source, render
from vqspeech.evaluation.metrics.f0 import contour
from vqspeech.evaluation.metrics.text_normalisation import plain_words

#: Pairs to listen to, seconds of each, and how many characters they may take: the page is to be sent by mail.
EXAMPLES, SECONDS, _MOST_CHARACTERS = 12, 7.0, 9_000_000

_MEANINGS = {
    "similarity_target": "cosine to the target",
    "target_wins": "nearer the target than the source",
    "wer": "word error rate",
    "dnsmos": "DNSMOS overall",
}
_METHOD = {
    "to target, to source": "cosine to the mean embedding of up to eight recordings of the speaker, the one that is "
    "compared and the source left out",
    "WER": "word errors of all pairs by words of all, after Whisper's text normalisation",
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
    """The whole page, ``html/templates/conversion.html``.

    Args:
        result: what was found.
        about: what was evaluated.
        examples: pairs to listen to, as many as the page has room for.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from markupsafe import Markup

    columns = report.shown(result)
    return render(
        "conversion.html",
        about=about,
        result=result,
        sources=len({row.source for row in result.converted.rows}),
        targets=len({row.target for row in result.converted.rows}),
        tiles=_tiles(result),
        headings=["", *report.headings(columns)],
        comparison=report.comparison(result, about),
        own=report.system_name(about),
        charts=[(title, lead, Markup(chart)) for title, lead, chart in _charts(result)],
        groups=report.groups(result, targets=False),
        examples=_examples(result, about, examples),
        seconds=SECONDS,
        pairs=[
            [f"{row.utterance} → {row.target}", *report.cells(_as_figures(row, columns), columns)]
            for row in result.converted.rows
        ],
        notes=(*about.notes, *result.notes),
        facts=_facts(result, about),
    )


def _tiles(result: Result) -> list[tuple[str, str, str]]:
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
        tiles.append((f"{value}{unit}", f"{_MEANINGS[name]} {report.interval(result, name)}", " · ".join(beside)))
    return tiles


def _charts(result: Result) -> Iterator[tuple[str, str, str]]:
    """Title, lead and SVG of each."""
    targets = {
        name.removeprefix("target "): figures for name, figures in result.groups.items() if name.startswith("target ")
    }
    if "similarity_source" in result.columns:
        real, unconverted = result.toplines["real_target"].rows, result.baselines["source"].rows
        chart = plots.nearness(result.converted.rows, real, unconverted)
        yield "Whose voice", "One dot per pair; above the line the target is the nearer.", chart
    titles = {
        name: title
        for name, title in (("similarity_target", "cosine to the target"), ("wer", "word error rate"))
        if name in result.columns
    }
    if titles and len(targets) > 1:
        yield "Target by target", "Means of the pairs of each.", plots.by_target(targets, titles)


def _examples(result: Result, about: About, examples: Iterable[Example]) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    size = 0
    for number, shown in enumerate(examples):
        part = _example(shown, report.shown(result), number, own=report.system_name(about))
        size += sum(map(len, (*part["sounds"], part["spectra"], part["contours"])))
        if size > _MOST_CHARACTERS and parts:
            break
        parts.append(part)
    return parts


def _example(shown: Example, columns: tuple[str, ...], number: int, *, own: str) -> dict[str, Any]:
    from markupsafe import Markup

    row = shown.row
    length = round(SECONDS * audio.SAMPLE_RATE)
    waveforms = [audio.normalise_level(one)[:length] for one in (shown.source, shown.converted, shown.real)]
    tracks = [contour(one) for one in waveforms]
    titles = [f"source: {row.source}", f"{own}: {row.target}", f"real: {row.target}"]
    cells = zip(report.headings(columns), report.cells(_as_figures(row, columns), columns), strict=True)
    return {
        "utterance": row.utterance,
        "target": row.target,
        "text": shown.text,
        "transcript": None if row.transcript is None else _marked(shown.text, row.transcript),
        "spectra": Markup(plots.spectra(list(zip(titles, waveforms, tracks, strict=True)), f"spectra{number}")),
        "contours": Markup(plots.contours(tracks[0], tracks[1], row.f0_mean_target, f"contours{number}")),
        "sounds": [audio_source(one, audio.SAMPLE_RATE) for one in waveforms],
        "figures": " · ".join(f"{heading} {cell}" for heading, cell in cells if cell != "-"),
    }


def _as_figures(row: PairMetrics, columns: Sequence[str]) -> dict[str, float | None]:
    return {name: getattr(row, name) for name in columns}


def _marked(text: str | None, transcript: str) -> list[tuple[str, str, int]]:
    """The transcript against the text: ``equal``, ``replace``, ``insert`` or ``delete``, words, how many left out."""
    words = plain_words(transcript).split()
    if not words:
        return [("replace", "nothing", 0)]
    if text is None:
        return [("equal", " ".join(words), 0)]
    matcher = difflib.SequenceMatcher(None, plain_words(text).split(), words, autojunk=False)
    return [(kind, " ".join(words[first:last]), end - begin) for kind, begin, end, first, last in matcher.get_opcodes()]


def _facts(result: Result, about: About) -> list[tuple[str, str]]:
    drawn = "targets" if result.intervals.unit == "speakers" else "pairs"
    return [
        *_METHOD.items(),
        ("intervals", f"{result.intervals.confidence:.0%}, bootstrap over {drawn}"),
        *result.metric_names.items(),
        *about.sources.items(),
        ("seed", str(about.seed)),
    ]
