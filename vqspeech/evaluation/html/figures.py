"""What the figures of all reports share: their style, their colours, and SVG text as their form."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import PHONE_CLASSES, phone_class
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Class of phones -> colour (after Paul Tol, distinct to the colour-blind too; dark enough for text).
CLASS_COLOURS = {
    "vowels": "#4477aa",
    "stops": "#ee6677",
    "affricates": "#aa3377",
    "fricatives": "#228833",
    "nasals": "#b8960c",
    "approximants": "#1f9fc4",
    "silence": "#9a9a9a",
    "other": "#777777",
}
#: Colours of text, of thin lines, of the system itself and of what stands beside it.
INK, FAINT, ACCENT, QUIET = "#1d2733", "#d5dae0", "#0b6e99", "#a9b4bf"
_STYLE: Any = {  # matplotlib's own type of this names all its 300 keys
    "svg.fonttype": "none",  # text stays text: it can be searched, and copied into a paper
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.edgecolor": "#8793a0",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#55616e",
    "ytick.color": "#55616e",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def plot_style(salt: str = "") -> AbstractContextManager[None]:
    """Draw in the style of the reports; ``salt`` makes the ids inside an SVG its own.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise InputError("the page of a report needs matplotlib", hint="pip install matplotlib") from error
    return mpl.rc_context({**_STYLE, "svg.hashsalt": salt})


def new_figure(width: float, height: float, **options: Any) -> Figure:
    """An empty figure of a width and height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), **options)


def as_svg(figure: Figure, name: str) -> str:
    """The figure as SVG to stand in a page, where ``name`` is its own."""
    file = io.StringIO()
    # The salt keeps the ids of two figures on one page apart, and a figure the same from run to run.
    with plot_style(name):
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    return text[text.index("<svg") :]


def phone_order(labels: Sequence[str]) -> list[int]:
    """Indices of the phones, class by class."""
    classes = [*PHONE_CLASSES, "other"]
    places = {phone: place for phones in PHONE_CLASSES.values() for place, phone in enumerate(phones)}
    return sorted(
        range(len(labels)),
        key=lambda index: (classes.index(phone_class(labels[index])), places.get(labels[index], 0), labels[index]),
    )


def class_edges(labels: Sequence[str]) -> list[int]:
    """Places where one class ends and the next begins, of phones in their order."""
    kinds = [phone_class(label) for label in labels]
    return [index for index in range(1, len(kinds)) if kinds[index] != kinds[index - 1]]


def colour_ticks(axis: Any, labels: Sequence[str]) -> None:
    """Write the names of phones along an axis in the colours of their classes."""
    for text, label in zip(axis.get_ticklabels(), labels, strict=True):
        text.set_color(CLASS_COLOURS[phone_class(label)])


def draw_spectrogram(axes: Axes, waveform: NDArray[np.float32], rate: int) -> None:
    """Draw a wide-band spectrogram of ``(samples,)`` over seconds and Hz."""
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    hop = max(1, round(rate * 0.005), len(waveform) // 1200)
    transform = ShortTimeFFT(hann(round(rate * 0.008), sym=False), hop=hop, fs=rate, mfft=512)
    power = transform.spectrogram(waveform.astype(np.float64))
    decibels = 10 * np.log10(np.maximum(power, 1e-12))
    top = float(decibels.max())
    axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        extent=transform.extent(len(waveform), center_bins=True),
        cmap="Greys",
        vmin=top - 65,
        vmax=top,
        interpolation="bilinear",
    )
    axes.set_ylim(0, min(8000, rate / 2))
    axes.set_yticks([0, 4000, 8000] if rate >= 16_000 else [0, 2000, 4000])
    axes.set_yticklabels([f"{tick / 1000:g} kHz" for tick in axes.get_yticks()], fontsize=7)
