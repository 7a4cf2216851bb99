"""The results page: one HTML file with films that opens from disk.

    films_page.py OUT.html EXP

EXP has RESULTS.json and shown.npz as measure_films.py writes them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from command import main
from moving_digits import ACTIONS
from numpy.typing import NDArray
from page_pictures import STYLE as OWN_STYLE
from page_pictures import film, img, sheet

from vqspeech import __version__
from vqspeech.errors import InputError
from vqspeech.evaluation.html.figures import as_svg, new_figure, plot_style
from vqspeech.evaluation.html.style import STYLE, html_table
from vqspeech.files import atomic_open

#: Times that a frame is enlarged, milliseconds of a frame, and of the last before the film begins again.
SCALE, MILLISECONDS, HOLD = 4, 220, 1200
#: Grey of the edge of a given frame, and of a generated one.
GIVEN_EDGE, NEW_EDGE = (150, 158, 166), (14, 150, 90)
COLOURS = {
    "with actions": "#0b6e99",
    "without actions": "#c2410c",
    "copy of the last given frame": "#a9b4bf",
    "true motion, no action": "#66788a",
    "true frames through the VQ-VAE": "#228833",
}
ARROWS = {"none": "", "up": "↑", "down": "↓", "left": "←", "right": "→"}


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("exp", type=Path)
    return parser


def run(options: argparse.Namespace) -> None:
    """Write the page."""
    exp = options.exp
    try:
        found = json.loads((exp / "RESULTS.json").read_text(encoding="utf-8"))
        with np.load(exp / "shown.npz", allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (ValueError, KeyError, EOFError) as error:
        raise InputError(f"not as measure_films.py writes it: {error}", where=exp, hint="measure again") from None
    given, frames = found["given"], found["frames"]
    grid = " x ".join(map(str, found["grid"]))
    header = (
        '<header><p class="kind">VQ-VAE of video</p><h1>Films generated in discrete codes, by action</h1>'
        f'<p class="lead">Two moving digits; the orange one obeys actions. Each frame is {grid} codes of '
        f"{found['codes']}; a prior over the codes goes on from {given} given frames, entirely in codes. After section "
        "4.4 of van den Oord et al. 2017. The quantiser, the trainer and the prior's class are those that learn "
        "speech.</p></header>"
    )
    body = [
        header,
        _tiles(found),
        _section(
            f"Given {given} frames, {frames - given} generated ones",
            "Films of the test part, made of digits that are in no training film; frames with a grey edge are given, "
            "those with a green edge generated. With actions, the prior is given what the true film's actions were; "
            "without, it has to guess when the orange digit turns.",
            _films(found, arrays),
        ),
        _section(
            "One beginning, four commands",
            "The same four frames, then one action in the first generated frame and none after it.",
            _commands(found, arrays),
        ),
        _section(
            "Where the digits are",
            "Mean distance in pixels from where the digit is in the true film; a digit is where its own image leaves "
            "the least squared error. True motion, no action: the rules of the films applied to the given frames.",
            _curves(found) + _table(found),
        ),
        _section(
            "Frame by frame",
            "The first film above: true, generated with actions, generated without.",
            _strips(found, arrays),
        ),
        _section("What codes cost", "Bits per code of the frames after the given ones.", _bits(found)),
        f"<footer>vqspeech {__version__}. The figures are in RESULTS.json beside this page.</footer>",
    ]
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Films in discrete codes</title><style>{STYLE}{OWN_STYLE}</style></head>\n<body><main>"
        + "\n".join(body)
        + "</main></body></html>\n"
    )
    with atomic_open(options.out) as file:
        file.write(text)
    print(options.out)


def _section(title: str, lead: str, content: str) -> str:
    return f'<section><h2>{title}</h2><p class="lead">{lead}</p><figure>{content}</figure></section>'


def _first(found: dict[str, Any], system: str) -> dict[str, Any]:
    """Figures of the digit that obeys actions."""
    of_digits: dict[str, dict[str, Any]] = found["position_error"][system]
    return next(iter(of_digits.values()))


def _tiles(found: dict[str, Any]) -> str:
    tiles = [
        (f"{_first(found, 'with actions')['mean']:.1f} px", "from its true place is the orange digit, with actions"),
        (f"{_first(found, 'without actions')['mean']:.1f} px", "without actions"),
        (f"{_first(found, 'copy of the last given frame')['mean']:.1f} px", "copying the last given frame"),
        (f"{found['bits']['with actions']:.2f} bits", f"per code; {found['bits']['uniform']:.0f} in the codebook"),
    ]
    inner = "".join(f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in tiles)
    return f'<div class="tiles">{inner}</div>'


def framed(frames: NDArray[np.uint8], given: int) -> NDArray[np.uint8]:
    """``(time, rows, columns, 3)`` enlarged, with an edge that distinguishes given frames from generated ones."""
    large = frames.repeat(SCALE, 1).repeat(SCALE, 2)
    edged = np.empty((len(large), large.shape[1] + 8, large.shape[2] + 8, 3), np.uint8)
    edged[:given], edged[given:] = GIVEN_EDGE, NEW_EDGE
    edged[:, 4:-4, 4:-4] = large
    return edged


def _film(frames: NDArray[np.uint8], given: int, text: str) -> str:
    return film(framed(frames, given), text, scale=1, milliseconds=MILLISECONDS, hold=HOLD)


def _films(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    given = found["given"]
    rows = []
    for name, key, known in (
        ("true film", "truth", found["frames"]),
        ("with actions", "with actions", given),
        ("without actions", "without actions", given),
    ):
        films = "".join(_film(frames, known, name) for frames in arrays[key])
        rows.append(f'<span>{name}</span><div class="row3" style="gap:8px">{films}</div>')
    actions = []
    for film_actions in arrays["actions"]:
        turns = [(frame + 1, ARROWS[ACTIONS[action]]) for frame, action in enumerate(film_actions) if action]
        shown = " ".join(f"{frame}{arrow}" for frame, arrow in turns if frame > given) or "none"
        actions.append(f'<div style="width:{arrays["truth"].shape[2] * SCALE + 8}px;font-size:11px">{shown}</div>')
    rows.append(f'<span>actions, by frame</span><div class="row3" style="gap:8px">{"".join(actions)}</div>')
    return f'<div class="rows">{"".join(rows)}</div>'


def _commands(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    rows = []
    for number, by_command in enumerate(arrays["commanded"], 1):
        figures = [
            f'<figure style="margin:0">{_film(frames, found["given"], command)}'
            f"<figcaption>{ARROWS[command]} {command}</figcaption></figure>"
            for frames, command in zip(by_command, ACTIONS[1:5], strict=True)
        ]
        rows.append(f'<span>beginning {number}</span><div class="row3">{"".join(figures)}</div>')
    return f'<div class="rows">{"".join(rows)}</div>'


def _curves(found: dict[str, Any]) -> str:
    names = list(_first_system(found))
    with plot_style("positions"):
        figure = new_figure(10.2, 3.0, layout="constrained")
        both = figure.subplots(1, 2, sharey=True)
        for axes, digit in zip(both, names, strict=True):
            for system, colour in COLOURS.items():
                curve = found["position_error"][system][digit]["by_frame"]
                frames = np.arange(len(curve)) + found["given"] + 1
                axes.plot(frames, curve, color=colour, lw=1.5, marker=".", ms=4, label=system)
            axes.set_title(digit, fontsize=9, loc="left")
            axes.set_xlabel("frame")
        both[0].set_ylabel("pixels from the true place")
        both[0].set_ylim(bottom=-0.3)  # once all is drawn, or what comes later would not widen it
        figure.legend(*both[0].get_legend_handles_labels(), frameon=False, fontsize=8, loc="outside right upper")
        return as_svg(figure, "positions")


def _first_system(found: dict[str, Any]) -> dict[str, Any]:
    of_digits: dict[str, Any] = next(iter(found["position_error"].values()))
    return of_digits


def _table(found: dict[str, Any]) -> str:
    rows = []
    for system, of_digits in found["position_error"].items():
        cells = []
        for figures in of_digits.values():
            low, high = figures["interval"]
            cells += [f"{figures['mean']:.2f}", f"{low:.2f} to {high:.2f}", f"{100 * figures['exact']:.0f}"]
        rows.append([system, *cells])
    headings = [f"{found['films']} films"]
    for digit in _first_system(found):
        headings += [f"{digit.partition(',')[0]}, pixels", "95 % interval", "exactly there, %"]
    return html_table(headings, rows, own="with actions")


def _strips(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    cells = []
    for name in ("truth", "with actions", "without actions"):
        picture = sheet(arrays[name][0], found["frames"])
        cells.append(f"<span>{name}</span>{img(picture, name, scale=1.75)}")
    return f'<div class="rows">{"".join(cells)}</div>'


def _bits(found: dict[str, Any]) -> str:
    return html_table(["codes by", "bits per code"], [[name, f"{value:.3f}"] for name, value in found["bits"].items()])


if __name__ == "__main__":
    main(arguments(), run)
