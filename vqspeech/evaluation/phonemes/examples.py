"""An utterance as a report shows it: waveform, spectrogram, codes and phones over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqspeech.alignment import Alignment, Interval, phone_class
from vqspeech.codes import Codes, runs
from vqspeech.evaluation.html.figures import CLASS_COLOURS, as_svg, draw_spectrogram, new_figure, plot_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vqspeech.datadir import DataDir
    from vqspeech.evaluation.frames import Frames

#: Share of an example's figure left and right of its axes; the page's playhead needs it.
EXAMPLE_LEFT, EXAMPLE_RIGHT = 0.055, 0.995


@dataclass(frozen=True, slots=True)
class Example:
    """An utterance to look at and listen to.

    Attributes:
        utterance: its id.
        waveform: shape ``(samples,)``.
        rate: samples per second.
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


def choose_examples(
    frames: Frames, codes: Codes, phones: Alignment, data: DataDir, *, number: int = 4, longest: float = 7.0
) -> list[Example]:
    """Utterances to show: of different speakers as far as there are, of middling length.

    Args:
        frames: of the evaluated utterances.
        codes: theirs.
        phones: theirs.
        data: their recordings; those without are left out.
        number: how many, at most.
        longest: seconds of each that are shown.
    """
    from vqspeech import audio

    info = codes.info
    lengths = dict(zip(frames.utterances, (np.diff(frames.bounds) * info.frame_period).tolist(), strict=True))
    by_speaker: dict[str, list[str]] = {}
    for name, speaker in zip(frames.utterances, frames.speakers, strict=True):
        if name in data:
            by_speaker.setdefault(speaker, []).append(name)
    for names in by_speaker.values():
        names.sort(key=lambda name: abs(lengths[name] - 4.0))
    rounds = zip_longest(*by_speaker.values())
    chosen = [name for names in rounds for name in names if name is not None][:number]
    shown = []
    for name in chosen:
        utterance = data[name]
        waveform = audio.read(utterance.recording, start=utterance.start, end=utterance.end)
        shown.append(
            Example(
                utterance=name,
                waveform=waveform[: round(longest * audio.SAMPLE_RATE)],
                rate=audio.SAMPLE_RATE,
                codes=codes.sequences[name][: max(1, round(longest / info.frame_period))],
                phones=phones[name],
                text=utterance.text,
                frame_period=info.frame_period,
                offset=info.offset,
            )
        )
    return shown


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


def _shade(colour: str, amount: float) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    base = np.array(to_rgb(colour))
    mixed = base * (0.72 + 0.28 * amount) if amount < 0.5 else base + (1 - base) * (amount - 0.5) * 0.5
    return (float(mixed[0]), float(mixed[1]), float(mixed[2]))
