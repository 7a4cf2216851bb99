"""Figures of a phoneme evaluation, as SVG text to be put into a page or a paper."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import PHONE_CLASSES, Interval, phone_class
from vqspeech.codes import runs
from vqspeech.errors import InputError
from vqspeech.evaluation.phoneme_results import PhonemeResult, Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Class of phones -> colour (after Paul Tol, told apart by the colour-blind too; dark enough for text).
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
_INK, _FAINT, _ACCENT, _QUIET = "#1d2733", "#d5dae0", "#0b6e99", "#a9b4bf"
_STYLE: Any = {  # matplotlib's own type of this names all its 300 keys
    "svg.fonttype": "none",  # text stays text: it can be searched, and copied into a paper
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": _INK,
    "axes.edgecolor": "#8793a0",
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#55616e",
    "ytick.color": "#55616e",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}
#: Height of a phone's row in the matrices, in inches.
_ROW = 0.165
#: Share of an example's figure left and right of its axes; the page's playhead needs it.
EXAMPLE_LEFT, EXAMPLE_RIGHT = 0.055, 0.995


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance to look at and listen to.

    Attributes:
        utterance: its id.
        waveform: shape ``(samples,)``.
        rate: samples a second.
        codes: shape ``(frames,)``.
        phones: intervals in seconds.
        text: what is said, where known.
        frame_period: seconds from one code to the next.
        offset: seconds to the centre of the first frame.
    """

    utterance: str
    waveform: NDArray[np.float32]
    rate: int
    codes: NDArray[np.int32]
    phones: Sequence[Interval]
    text: str | None
    frame_period: float
    offset: float


def plot_style(salt: str = "") -> AbstractContextManager[None]:
    """Draw in the style of the reports; ``salt`` makes the ids inside an SVG its own.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise InputError("the page of a report needs matplotlib", cure="pip install matplotlib") from error
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


def _class_edges(labels: Sequence[str]) -> list[int]:
    kinds = [phone_class(label) for label in labels]
    return [index for index in range(1, len(kinds)) if kinds[index] != kinds[index - 1]]


def _colour_ticks(axis: Any, labels: Sequence[str]) -> None:
    for text, label in zip(axis.get_ticklabels(), labels, strict=True):
        text.set_color(CLASS_COLOURS[phone_class(label)])


def comparison(
    rows: Sequence[tuple[str, Scores]], *, own: str, interval: tuple[float, float] | None, paper: float
) -> str:
    """Accuracy of the system between its floors and ceilings.

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
            axes.barh(place, value, height=0.62, color=_ACCENT if ours else _QUIET)
            axes.plot(quiet, place, marker="o", color="white", markeredgecolor=_INK, markersize=4, mew=0.8)
            edge = value
            if ours:
                same = 100 * scores.accuracy_same_part
                axes.plot(same, place, marker="D", color="white", markeredgecolor=_ACCENT, markersize=5)
                edge = max(value, same)
            if ours and interval:
                low, high = 100 * interval[0], 100 * interval[1]
                axes.errorbar(value, place, xerr=[[value - low], [high - value]], color=_INK, capsize=3, lw=1)
                edge = max(edge, high)
            shown = f"{value:.1f}  ({quiet:.1f})"
            axes.text(edge + 1, place, shown, va="center", weight="bold" if ours else "normal")
            furthest = max(furthest, edge + 12)
        axes.axvline(100 * paper, color="#c2410c", lw=1, ls=(0, (4, 3)), zorder=0.5)
        axes.text(100 * paper, -0.75, f"paper {100 * paper:.1f}", color="#c2410c", ha="center", va="bottom")
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(rows) - 0.4, -0.9)
        axes.set_xlim(0, furthest)
        axes.set_xlabel(
            "frames called their phone, %   (in brackets and as a circle: without silence; diamond: same part)"
        )
        return as_svg(figure, "comparison")


def confusion(result: PhonemeResult) -> str:
    """What each phone was called: a row a phone, shares of its frames."""
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
        _colour_ticks(axes.xaxis, labels)
        for edge in _class_edges(labels):
            axes.axvline(edge - 0.5, color=_FAINT, lw=0.6)
        axes.set_xlabel("called")
        axes.xaxis.set_label_position("top")
        axes.set_ylabel("phone")
        axes.set_aspect("equal")
        figure.colorbar(image, ax=axes, shrink=0.5, label="share of the phone's frames")
        return as_svg(figure, "confusion")


def _matrix(axes: Axes, shares: NDArray[np.float64], labels: Sequence[str]) -> Any:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    ink = LinearSegmentedColormap.from_list("ink", ["#ffffff", "#bcdcea", "#3b8fb5", "#0b4a69", "#06263a"])
    # Below linear, so that a share of a tenth can be seen.
    image = axes.imshow(shares, cmap=ink, norm=PowerNorm(0.6, 0, 1), aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", length=0)
    _colour_ticks(axes.yaxis, labels)
    for edge in _class_edges(labels):
        axes.axhline(edge - 0.5, color=_FAINT, lw=0.6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def code_order(result: PhonemeResult) -> list[int]:
    """The codes that occur, by their phone in the order of classes, and the surest first."""
    places = {result.labels[index]: place for place, index in enumerate(phone_order(result.labels))}
    return [row.code for row in sorted(result.code_to_phone, key=lambda row: (places[row.phone], -row.share, row.code))]


def codes_by_phone(result: PhonemeResult) -> str:
    """Which phones each code stands for: a column a code, shares of its frames; below it, how often it occurs."""
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
        lower.set_xlabel(f"the {len(columns)} codes that occur, ordered by the phone they map to")
        if len(columns) <= 140:
            size = 6.5 if len(columns) <= 90 else 5
            lower.set_xticks(range(len(columns)), [str(code) for code in columns], rotation=90, fontsize=size)
        lower.tick_params(axis="x", length=0)
        lower.set_xlim(-0.6, len(columns) - 0.4)
        figure.colorbar(image, ax=upper, shrink=0.6, pad=0.01, label="share of the code's frames")
        return as_svg(figure, "codes")


def phones(result: PhonemeResult) -> str:
    """Recall of each phone, class by class."""
    order = [index for index in phone_order(result.labels) if result.per_phone[index].frames]
    rows = [result.per_phone[index] for index in order]
    with plot_style():
        figure = new_figure(11.2, 2.4, layout="constrained")
        axes = figure.subplots()
        colours = [CLASS_COLOURS[phone_class(row.name)] for row in rows]
        axes.bar(range(len(rows)), [100 * row.recall for row in rows], width=0.72, color=colours)
        axes.plot(range(len(rows)), [100 * row.precision for row in rows], ls="", marker="_", color=_INK, ms=9)
        axes.set_xticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="x", length=0)
        _colour_ticks(axes.xaxis, [row.name for row in rows])
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
            (result.run_lengths, "runs of a code", _ACCENT),
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


def usage(result: PhonemeResult, *, codebook_size: int, frame_period: float) -> str:
    """Codes used so far and their perplexity."""
    seen = np.array(result.usage)
    minutes = seen[:, 0] * frame_period / 60
    with plot_style():
        figure = new_figure(5.4, 2.5, layout="constrained")
        axes = figure.subplots()
        axes.plot(minutes, seen[:, 2], color="#7a8794", lw=1.4, label="perplexity so far")
        axes.plot(minutes, seen[:, 1], color=_ACCENT, lw=1.6, label="codes used so far")
        axes.axhline(codebook_size, color="#c2410c", lw=0.9, ls=(0, (4, 3)), label=f"codebook ({codebook_size})")
        axes.set_xlabel("speech, minutes")
        axes.set_ylim(0, codebook_size * 1.12)
        axes.set_xlim(0, minutes[-1])
        axes.legend(frameon=False, fontsize=8, loc="lower right")
        return as_svg(figure, "usage")


def example(shown: Example, *, phone_of_code: Mapping[int, str], name: str) -> str:
    """Waveform, spectrogram, codes as a strip in the colour of the phone class they map to, and phones under them."""
    seconds = len(shown.waveform) / shown.rate
    time = np.arange(len(shown.waveform)) / shown.rate
    with plot_style():
        figure = new_figure(11.2, 3.3)
        grid = figure.add_gridspec(
            4,
            1,
            height_ratios=[0.8, 2, 0.42, 0.42],
            hspace=0.08,
            left=EXAMPLE_LEFT,
            right=EXAMPLE_RIGHT,
            top=0.99,
            bottom=0.13,
        )
        wave, spectrogram, strip, row = (figure.add_subplot(grid[index]) for index in range(4))
        _wave(wave, time, shown.waveform)
        draw_spectrogram(spectrogram, shown.waveform, shown.rate)
        values, starts, lengths = runs(shown.codes)
        left = shown.offset - shown.frame_period / 2
        for value, start, length in zip(values.tolist(), starts.tolist(), lengths.tolist(), strict=True):
            label = phone_of_code.get(value, "")
            # Codes of one phone class in shades of its colour, so that a change of code shows.
            shade = _shade(CLASS_COLOURS[phone_class(label)], (value * 37 % 11) / 11)
            width = length * shown.frame_period
            strip.broken_barh([(left + start * shown.frame_period, width)], (0, 1), facecolor=shade, edgecolor="none")
            if width > seconds / 70:
                middle = left + start * shown.frame_period + width / 2
                strip.text(middle, 0.48, str(value), ha="center", va="center", fontsize=6, color="white", clip_on=True)
        for start, end, label in shown.phones:
            if start >= seconds:
                continue
            colour = CLASS_COLOURS[phone_class(label)]
            row.broken_barh(
                [(start, end - start)], (0, 1), facecolor=colour, edgecolor="white", linewidth=0.6, alpha=0.9
            )
            if end - start > seconds / 90:
                row.text(
                    (start + end) / 2, 0.48, label, ha="center", va="center", fontsize=7, color="white", clip_on=True
                )
        for axes, title in ((strip, "codes"), (row, "phones")):
            axes.set_ylim(0, 1)
            axes.set_yticks([0.5], [title])
            axes.tick_params(axis="y", length=0)
        for axes in (wave, spectrogram, strip, row):
            axes.set_xlim(0, seconds)
            for spine in axes.spines.values():
                spine.set_visible(False)
            if axes is not row:
                axes.set_xticks([])
        row.set_xlabel("seconds", labelpad=1)
        return as_svg(figure, name)


def _wave(axes: Axes, time: NDArray[np.float64], waveform: NDArray[np.float32]) -> None:
    # Two points a column are all that can be seen of the samples in it, and keep the SVG small.
    columns = 900
    block = max(1, len(waveform) // columns)
    whole = len(waveform) // block * block
    blocks = waveform[:whole].reshape(-1, block)
    middle = time[:whole].reshape(-1, block).mean(1)
    axes.fill_between(middle, blocks.min(1), blocks.max(1), color="#55616e", lw=0)
    peak = float(np.abs(waveform).max()) or 1.0
    axes.set_ylim(-peak, peak)
    axes.set_yticks([])


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


def _shade(colour: str, amount: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    base = np.array(to_rgb(colour))
    mixed = base * (0.72 + 0.28 * amount) if amount < 0.5 else base + (1 - base) * (amount - 0.5) * 0.5
    return (float(mixed[0]), float(mixed[1]), float(mixed[2]))
