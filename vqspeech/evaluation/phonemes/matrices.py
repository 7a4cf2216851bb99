"""Confusions of phones, and the phones of each code, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import phone_class
from vqspeech.counts import counted
from vqspeech.evaluation.html.figures import (
    CLASS_COLOURS,
    FAINT,
    as_svg,
    class_edges,
    colour_ticks,
    new_figure,
    phone_order,
    plot_style,
)
from vqspeech.evaluation.phonemes.results import PhonemeResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Height of a phone's row in the matrices, in inches.
_ROW = 0.165


def confusion(result: PhonemeResult) -> str:
    """Predictions of each phone: one row per phone, shares of its frames."""
    order = [index for index in phone_order(result.labels) if result.confusion[index].sum()]
    labels = [result.labels[index] for index in order]
    counts = result.confusion[np.ix_(order, order)].astype(float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(3.2, _ROW * len(labels) + 0.9)
    with plot_style():
        figure = new_figure(side + 0.7, side, layout="constrained")
        axes = figure.subplots()
        image = _matrix(axes, shares, labels)
        axes.set_xticks(range(len(labels)), labels, rotation=90)
        axes.tick_params(axis="x", length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
        colour_ticks(axes.xaxis, labels)
        for edge in class_edges(labels):
            axes.axvline(edge - 0.5, color=FAINT, lw=0.6)
        axes.set_xlabel("called")
        axes.xaxis.set_label_position("top")
        axes.set_ylabel("phone")
        axes.set_aspect("equal")
        figure.colorbar(image, ax=axes, shrink=0.5, label="share of the phone's frames")
        return as_svg(figure, "confusion")


def code_order(result: PhonemeResult) -> list[int]:
    """The codes that occur, by their phone in the order of classes, and the surest first."""
    places = {result.labels[index]: place for place, index in enumerate(phone_order(result.labels))}
    return [row.code for row in sorted(result.code_to_phone, key=lambda row: (places[row.phone], -row.share, row.code))]


def codes_by_phone(result: PhonemeResult) -> str:
    """Which phones each code stands for: one column per code, shares of its frames; below it, how often it occurs."""
    order = [index for index in phone_order(result.labels) if result.table[:, index].sum()]
    labels = [result.labels[index] for index in order]
    columns = code_order(result)
    counts = result.table[np.ix_(columns, order)].astype(float)
    phone_of = {row.code: row.phone for row in result.code_to_phone}
    with plot_style():
        figure = new_figure(11.2, _ROW * len(labels) + 1.5, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[len(labels), 5])
        image = _matrix(upper, (counts / counts.sum(1, keepdims=True)).T, labels)
        upper.tick_params(axis="x", length=0, labelbottom=False)
        colours = [CLASS_COLOURS[phone_class(phone_of[code])] for code in columns]
        lower.bar(range(len(columns)), 100 * counts.sum(1) / counts.sum(), width=0.85, color=colours)
        lower.set_ylabel("% of\nframes")
        lower.set_xlabel(f"the {counted(len(columns), 'code')} of the data, ordered by the phones of the map")
        if len(columns) <= 140:
            size = 6.5 if len(columns) <= 90 else 5
            lower.set_xticks(range(len(columns)), [str(code) for code in columns], rotation=90, fontsize=size)
        lower.tick_params(axis="x", length=0)
        lower.set_xlim(-0.6, len(columns) - 0.4)
        figure.colorbar(image, ax=upper, shrink=0.6, pad=0.01, label="share of the code's frames")
        return as_svg(figure, "codes")


def _matrix(axes: Axes, shares: NDArray[np.float64], labels: Sequence[str]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    ink = LinearSegmentedColormap.from_list("ink", ["#ffffff", "#bcdcea", "#3b8fb5", "#0b4a69", "#06263a"])
    # Below linear, so that a share of a tenth can be seen.
    image = axes.imshow(shares, cmap=ink, norm=PowerNorm(0.6, 0, 1), aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    colour_ticks(axes.yaxis, labels)
    for edge in class_edges(labels):
        axes.axhline(edge - 0.5, color=FAINT, lw=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image
