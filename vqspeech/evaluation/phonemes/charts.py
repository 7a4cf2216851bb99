"""Charts of a phoneme evaluation: accuracy beside its baselines, recall of phones, lengths of runs, use of codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vqspeech.alignment import phone_class
from vqspeech.evaluation.html.figures import (
    ACCENT,
    CLASS_COLOURS,
    INK,
    QUIET,
    as_svg,
    colour_ticks,
    new_figure,
    phone_order,
    plot_style,
)
from vqspeech.evaluation.phonemes.results import PhonemeResult, Scores


def comparison(
    rows: Sequence[tuple[str, Scores]], *, own: str, interval: tuple[float, float] | None, paper: float
) -> str:
    """Accuracy of the system between its baselines and toplines.

    Args:
        rows: names and scores.
        own: the name of the system itself.
        interval: of the system's accuracy.
        paper: the paper's figure, same part.
    """
    with plot_style():
        figure = new_figure(7.4, 0.34 * len(rows) + 0.75, layout="constrained")
        axes = figure.subplots()
        furthest = 62.0
        for place, (name, scores) in enumerate(rows):
            ours = name == own
            value, quiet = 100 * scores.accuracy, 100 * scores.accuracy_without_silence
            axes.barh(place, value, height=0.62, color=ACCENT if ours else QUIET)
            axes.plot(quiet, place, marker="o", color="white", markeredgecolor=INK, markersize=4, mew=0.8)
            edge = value
            if ours:
                same = 100 * scores.accuracy_same_part
                axes.plot(same, place, marker="D", color="white", markeredgecolor=ACCENT, markersize=5)
                edge = max(value, same)
            if ours and interval:
                low, high = 100 * interval[0], 100 * interval[1]
                axes.errorbar(value, place, xerr=[[value - low], [high - value]], color=INK, capsize=3, lw=1)
                edge = max(edge, high)
            shown = f"{value:.1f}  ({quiet:.1f})"
            weight = "bold" if ours else "normal"
            text = axes.text(edge + 1, place, shown, va="center", weight=weight)
            # The line of the paper's figure may run behind the number.
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
            furthest = max(furthest, edge + 12)
        axes.axvline(100 * paper, color="#c2410c", lw=1, ls=(0, (4, 3)), zorder=0.5)
        axes.text(100 * paper, -0.75, f"paper {100 * paper:.1f}", color="#c2410c", ha="center", va="bottom")
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(rows) - 0.4, -0.9)
        axes.set_xlim(0, furthest)
        axes.set_xlabel("frames called their phone, %")
        return as_svg(figure, "comparison")


def phones(result: PhonemeResult) -> str:
    """Recall of each phone, class by class."""
    order = [index for index in phone_order(result.labels) if result.per_phone[index].frames]
    rows = [result.per_phone[index] for index in order]
    with plot_style():
        figure = new_figure(11.2, 2.4, layout="constrained")
        axes = figure.subplots()
        colours = [CLASS_COLOURS[phone_class(row.name)] for row in rows]
        axes.bar(range(len(rows)), [100 * row.recall for row in rows], width=0.72, color=colours)
        axes.plot(range(len(rows)), [100 * row.precision for row in rows], ls="", marker="_", color=INK, ms=9)
        axes.set_xticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="x", length=0)
        colour_ticks(axes.xaxis, [row.name for row in rows])
        axes.set_xlim(-0.7, len(rows) - 0.3)
        axes.set_ylim(0, 100)
        axes.set_ylabel("recall, %")
        return as_svg(figure, "phones")


def run_lengths(result: PhonemeResult, *, frame_period: float) -> str:
    """How long codes stay the same, beside how long phones do."""
    with plot_style():
        figure = new_figure(5.4, 2.5, layout="constrained")
        axes = figure.subplots()
        longest = max(10, int(np.searchsorted(np.cumsum(result.phone_frames), 0.97 * result.phone_frames.sum())) + 1)
        milliseconds = 1000 * frame_period * np.arange(1, longest + 1)
        for lengths, name, colour in (
            (result.run_lengths, "runs of a code", ACCENT),
            (result.phone_frames, "phones", "#c2410c"),
        ):
            shown = np.zeros(longest)
            shown[: min(longest, len(lengths))] = lengths[:longest]
            axes.step(milliseconds, 100 * shown / max(lengths.sum(), 1), where="mid", color=colour, label=name, lw=1.4)
        axes.set_xlabel("length, ms")
        axes.set_ylabel("share of runs, %")
        axes.set_ylim(0)
        axes.legend(frameon=False)
        return as_svg(figure, "runs")


def trade(result: PhonemeResult) -> str:
    """R-value and phone error rate against bitrate, a point per duration penalty."""
    bits = [point.bitrate_runs for point in result.trade]
    with plot_style():
        figure = new_figure(10.8, 2.9, layout="constrained")
        panels = figure.subplots(1, 2)
        for axes, name, values in (
            (panels[0], "R-value", [point.r_value for point in result.trade]),
            (panels[1], "phone error rate, %", [None if p.per is None else 100 * p.per for p in result.trade]),
        ):
            known = [(bit, value, p.penalty) for bit, value, p in zip(bits, values, result.trade, strict=True) if value]
            axes.plot([bit for bit, _, _ in known], [value for _, value, _ in known], color=ACCENT, marker="o", lw=1.4)
            for bit, value, penalty in known:
                axes.annotate(f"{penalty:g}", (bit, value), xytext=(4, 4), textcoords="offset points", fontsize=8)
            axes.set_xlabel("bits per second, runs as one symbol")
            axes.set_ylabel(name)
        return as_svg(figure, "trade")


def usage(result: PhonemeResult, *, codebook_size: int, frame_period: float) -> str:
    """Codes used so far and their perplexity."""
    seen = np.array(result.usage)
    minutes = seen[:, 0] * frame_period / 60
    with plot_style():
        figure = new_figure(5.4, 2.5, layout="constrained")
        axes = figure.subplots()
        axes.plot(minutes, seen[:, 2], color="#7a8794", lw=1.4, label="perplexity so far")
        axes.plot(minutes, seen[:, 1], color=ACCENT, lw=1.6, label="codes used so far")
        axes.axhline(codebook_size, color="#c2410c", lw=0.9, ls=(0, (4, 3)), label=f"codebook ({codebook_size})")
        axes.set_xlabel("speech, minutes")
        axes.set_ylim(0, codebook_size * 1.12)
        axes.set_xlim(0, minutes[-1])
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        return as_svg(figure, "usage")
