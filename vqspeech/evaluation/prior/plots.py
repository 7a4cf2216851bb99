"""Figures of an evaluation of a prior, as SVG text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.evaluation.html.figures import as_svg, draw_spectrogram, new_figure, plot_style
from vqspeech.evaluation.prior import Result
from vqspeech.evaluation.prior.bits import ngram_name

PRIOR, REAL, NGRAM, QUIET = "#c2410c", "#0b6e99", "#66788a", "#a9b4bf"
_COLOURS = {"samples": PRIOR, "real": REAL, "ngram": NGRAM, "shuffled": QUIET}


def bits(result: Result) -> str:
    """Bits per code of every model, as bars."""
    found = result.bits
    rows = [("log2 of the codebook", found.codebook, QUIET)]
    rows += [(ngram_name(order), value, NGRAM) for order, value in found.ngrams.items()]
    if found.prior is not None:
        rows.append(("prior", found.prior, PRIOR))
    with plot_style("bits"):
        figure = new_figure(7.4, 0.34 * len(rows) + 0.6, layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(rows))[::-1]
        axes.barh(places, [value for _, value, _ in rows], height=0.66, color=[colour for *_, colour in rows])
        for place, (name, value, _) in zip(places, rows, strict=True):
            bounds = found.intervals.bounds.get(name)
            if bounds:
                axes.plot(bounds, [place, place], color="#1d2733", lw=1.2)
            end = max(value, bounds[1]) if bounds else value
            axes.text(end + 0.01 * found.codebook, place, f"{value:.3f}", va="center")
        axes.set_yticks(places, [name for name, *_ in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("bits per code")
        return as_svg(figure, "bits")


def run_lengths(result: Result, names: dict[str, str]) -> str:
    """How long codes stay the same, by system."""
    with plot_style("runs"):
        figure = new_figure(5.4, 2.6, layout="constrained")
        axes = figure.subplots()
        for system, name in names.items():
            found = result.systems[system].repetition
            if found is None or not found.run_lengths:
                continue
            shares = np.array(found.run_lengths) / sum(found.run_lengths)
            lengths = 1000 * result.frame_period * np.arange(1, len(shares) + 1)
            shown = shares > 0
            axes.plot(lengths[shown], shares[shown], color=_COLOURS.get(system), lw=1.4, marker=".", ms=4, label=name)
        axes.set_yscale("log")
        axes.set_xscale("log")
        axes.set_xlabel("run of one code, ms")
        axes.set_ylabel("share of runs")
        axes.legend(frameon=False, fontsize=8)
        return as_svg(figure, "runs")


def nearest(result: Result, names: dict[str, str]) -> str:
    """Longest copied span and distance to the nearest training data, one dot per sequence."""
    with plot_style("nearest"):
        figure = new_figure(5.4, 2.6, layout="constrained")
        axes = figure.subplots()
        for system, name in names.items():
            near = result.systems[system].neighbours.values()
            if near:
                axes.scatter(
                    [1000 * result.frame_period * one.copied for one in near],
                    [100 * one.distance for one in near],
                    s=16,
                    lw=0,
                    alpha=0.75,
                    color=_COLOURS.get(system),
                    label=name,
                )
        axes.set_xlim(left=0)
        axes.set_ylim(0, 100)
        axes.set_xlabel("longest span found in training, ms")
        axes.set_ylabel("edits to the nearest, %")
        axes.legend(frameon=False, fontsize=8)
        return as_svg(figure, "nearest")


def spectrum(waveform: NDArray[np.float32], name: str) -> str:
    """The spectrogram of ``(samples,)`` at 16 kHz."""
    with plot_style(name):
        figure = new_figure(5.4, 1.7)
        axes = figure.subplots()
        figure.subplots_adjust(left=0.09, right=0.995, top=0.97, bottom=0.2)
        draw_spectrogram(axes, waveform, audio.SAMPLE_RATE)
        axes.set_xlim(0, len(waveform) / audio.SAMPLE_RATE)
        return as_svg(figure, name)
