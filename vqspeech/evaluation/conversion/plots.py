"""Figures of a conversion evaluation, as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vqspeech import audio
from vqspeech.evaluation.conversion.metrics import PairMetrics
from vqspeech.evaluation.html.figures import as_svg, draw_spectrogram, new_figure, plot_style
from vqspeech.evaluation.metrics.f0 import Contour

SOURCE, CONVERTED, TARGET = "#66788a", "#c2410c", "#0b6e99"
_FAINT = "#d5dae0"


def nearness(rows: Sequence[PairMetrics], real: Sequence[PairMetrics], unconverted: Sequence[PairMetrics]) -> str:
    """Cosine to the target over cosine to the source: what lies above the diagonal has the target's voice."""
    with plot_style("nearness"):
        figure = new_figure(5.4, 4.6, layout="constrained")
        axes = figure.subplots()
        for found, colour, name in (
            (unconverted, SOURCE, "source as it is"),
            (real, TARGET, "real target"),
            (rows, CONVERTED, "converted"),
        ):
            dots = [
                (row.similarity_source, row.similarity_target)
                for row in found
                if row.similarity_source is not None and row.similarity_target is not None
            ]
            across, up = np.array(dots).reshape(-1, 2).T
            axes.scatter(across, up, s=18, color=colour, alpha=0.75, lw=0, label=name)
        low, high = min(axes.get_xlim()[0], axes.get_ylim()[0]), 1.0
        axes.plot([low, high], [low, high], color=_FAINT, lw=1, zorder=0)
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        axes.set_xlabel("cosine to the source's speaker")
        axes.set_ylabel("cosine to the target")
        axes.legend(frameon=False, loc="lower left")
        return as_svg(figure, "nearness")


def by_target(groups: Mapping[str, Mapping[str, float | None]], titles: Mapping[str, str]) -> str:
    """Figures of each target as bars, a panel a figure; ordered by the first.

    Args:
        groups: target -> its means.
        titles: figure -> its name under the axis.
    """
    names = sorted(groups, key=lambda name: groups[name][next(iter(titles))] or 0.0)
    with plot_style("by_target"):
        figure = new_figure(5.4, max(1.8, 0.19 * len(names) + 0.7), layout="constrained")
        panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
        for axes, (key, title) in zip(panels, titles.items(), strict=True):
            axes.barh(range(len(names)), [groups[name][key] or 0.0 for name in names], height=0.7, color=CONVERTED)
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel(title)
        panels[0].set_yticks(range(len(names)), names)
        return as_svg(figure, "by_target")


def spectra(panels: Sequence[tuple[str, NDArray[np.float32], Contour | None]], name: str) -> str:
    """Spectrograms side by side, the F0 contour drawn into each on a scale of its own.

    Args:
        panels: title, waveform ``(samples,)`` at 16 kHz and contour of each.
        name: of the figure; different for each on a page.
    """
    with plot_style(name):
        figure = new_figure(11.2, 1.9)
        row = figure.subplots(1, len(panels))
        figure.subplots_adjust(left=0.05, right=0.995, top=0.88, bottom=0.17, wspace=0.16)
        for axes, (title, waveform, contour) in zip(row, panels, strict=True):
            draw_spectrogram(axes, waveform, audio.SAMPLE_RATE)
            axes.set_title(title, fontsize=9, loc="left", pad=3)
            axes.set_xlim(0, len(waveform) / audio.SAMPLE_RATE)
            if contour is not None:
                above = axes.twinx()
                above.plot(contour.times, _gaps(contour), color=CONVERTED, lw=1.3)
                above.set_yscale("log")
                above.set_ylim(50, 1600)  # leaves the contour in the lower half, where the harmonics are
                above.set_axis_off()
        return as_svg(figure, name)


def contours(source: Contour, converted: Contour, target_mean: float | None, name: str) -> str:
    """F0 of source and conversion over each other, and the height of the target's voice."""
    with plot_style(name):
        figure = new_figure(11.2, 1.6)
        axes = figure.subplots()
        figure.subplots_adjust(left=0.05, right=0.995, top=0.86, bottom=0.27)
        axes.plot(source.times, _gaps(source), color=SOURCE, lw=1.5, label="source")
        axes.plot(converted.times, _gaps(converted), color=CONVERTED, lw=1.5, label="converted")
        if target_mean is not None:
            axes.axhline(target_mean, color=TARGET, lw=1, ls=(0, (4, 3)), label="mean of the target")
        voiced = np.concatenate([source.voiced, converted.voiced, [target_mean or 150.0]])
        low, high = float(voiced.min()) * 0.9, float(voiced.max()) * 1.1
        axes.set_yscale("log")
        axes.set_ylim(low, high)
        ticks = [tick for tick in (60, 80, 100, 150, 200, 300, 400, 600) if low <= tick <= high]
        axes.set_yticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_ylabel("F0, Hz")
        axes.set_xlabel("seconds", labelpad=1)
        axes.set_xlim(0, max(float(source.times[-1]), float(converted.times[-1])))
        axes.legend(frameon=False, ncols=3, fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.95), borderpad=0)
        return as_svg(figure, name)


def _gaps(contour: Contour) -> NDArray[np.float64]:
    """F0 that a line breaks off at where there is no voice."""
    return np.where(contour.hertz > 0, contour.hertz, np.nan)
