"""The results page: one HTML file that opens from disk, with a part for each set of images.

    page.py OUT.html EXP...

Each EXP has RESULTS.json and shown.npz as measure.py writes them.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from command import main
from page_pictures import STYLE as OWN_STYLE
from page_pictures import enlarged, img, outlined, sheet, to_rgb

from vqspeech import __version__
from vqspeech.errors import InputError
from vqspeech.evaluation.html.figures import ACCENT, QUIET, as_svg, new_figure, plot_style
from vqspeech.evaluation.html.style import STYLE, html_table
from vqspeech.files import atomic_open

PRIORS = {"causal": "causal convolutions, raster order", "masked": "masked convolutions (PixelCNN)"}
TITLES = {"digits": "Handwritten digits", "photos": "Patches of two photographs", "cifar10": "CIFAR-10"}
#: Pixels of the page for an image's column, and columns of a sheet of samples.
IMAGE_WIDTH, SHEET = 56, 16
#: Images of fewer columns are enlarged by interpolation, and how many times.
SMALL, ENLARGED = 16, 6


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("exp", type=Path, nargs="+")
    return parser


def run(options: argparse.Namespace) -> None:
    """Write the page."""
    parts = []
    for exp in options.exp:
        try:
            found = json.loads((exp / "RESULTS.json").read_text(encoding="utf-8"))
            with np.load(exp / "shown.npz", allow_pickle=False) as held:
                parts.append(part(found, {name: held[name] for name in held.files}))
        except (ValueError, KeyError, EOFError) as error:
            raise InputError(f"not as measure.py writes it: {error}", where=exp, hint="measure again") from None
    text = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Images in discrete codes</title><style>{STYLE}{OWN_STYLE}</style></head>\n<body><main>"
        '<header><p class="kind">VQ-VAE of images</p><h1>Images in discrete codes, and a prior over them</h1>'
        '<p class="lead">The quantiser, the trainer and the prior are those that learn speech, unchanged; encoder and '
        "decoder are small 2-D convolutional networks. After sections 4.1 and 4.2 of van den Oord et al. 2017.</p>"
        "</header>"
        + "\n".join(parts)
        + f"<footer>vqspeech {__version__}. The figures are in RESULTS.json beside this page.</footer>"
        "</main></body></html>\n"
    )
    with atomic_open(options.out) as file:
        file.write(text)
    print(options.out)


def part(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    """All about one set."""
    name = found["dataset"]
    rows, columns, channels = found["shape"]
    counts = ", ".join(f"{count:,} {part}" for part, count in found["images"].items())
    grid = " x ".join(map(str, found["grid"]))
    head = (
        f'<h2 class="set">{escape(TITLES.get(name, name))}</h2><p class="lead">{rows} x {columns} x {channels} in '
        f"{found['levels']} levels; {counts} images. {grid} codes of {found['codes']}.</p>"
    )
    return "\n".join(
        [
            head,
            _tiles(found),
            _section(
                "Originals and reconstructions",
                "Test images, none of which was trained on. All systems have the same number of bits per image. PCA "
                "gives each component a whole number of bits, greedily, and a scalar codebook of Lloyd's algorithm.",
                _reconstructions(found, arrays) + _errors(found),
            ),
            _scenes(found, arrays),
            _section(
                "Samples",
                "Codes drawn from the learnt prior, given the class, against codes drawn from their frequencies alone "
                "and from all codes alike; the same decoder made the images. Below "
                "the prior's samples, the training images nearest to them by squared error, to show that "
                "they are no copies.",
                _samples(found, arrays) + _recognised(found),
            ),
            _section(
                "What codes cost",
                "Bits per code of the test images, and what that comes to per pixel and channel. The decoder's "
                "likelihood is a discretised logistic about its mean, with a scale per channel fitted to dev images.",
                _bits(found),
            ),
            _section(
                "The codebook",
                f"{found['used']} of {found['codes']} codes occur in the test images; perplexity "
                f"{found['perplexity']:.0f}. Below, what the decoder makes of each code where it stands alone, most "
                "frequent first.",
                _usage(found) + _codebook(found, arrays),
            ),
        ]
    )


def _section(title: str, lead: str, content: str) -> str:
    return f'<section><h2>{title}</h2><p class="lead">{lead}</p><figure>{content}</figure></section>'


def _tiles(found: dict[str, Any]) -> str:
    bits = found["bits_per_code"]["test"]
    tiles = [
        (f"{found['raw_bits_per_image'] / found['bits_per_image']:.1f} x", "fewer bits than the pixels"),
        (f"{found['reconstruction']['VQ-VAE']['psnr']:.1f} dB", "PSNR of reconstructions"),
        (f"{bits[found['best_prior']]:.2f} bits", f"per code with the prior; {bits['uniform']:.0f} in the codebook"),
        (f"{found['used']} of {found['codes']}", f"codes used; perplexity {found['perplexity']:.0f}"),
    ]
    inner = "".join(f'<div class="tile"><b>{value}</b><span>{text}</span></div>' for value, text in tiles)
    return f'<div class="tiles">{inner}</div>'


def _scale(found: dict[str, Any]) -> float:
    return max(1.0, IMAGE_WIDTH / found["shape"][1])


def _rows(found: dict[str, Any], rows: dict[str, Any], columns: int) -> str:
    """Named rows of images."""
    small = found["shape"][1] < SMALL
    scale = _scale(found) / (ENLARGED if small else 1)
    cells = []
    for name, images in rows.items():
        rgb = to_rgb(images, found["levels"])
        picture = sheet(enlarged(rgb, ENLARGED) if small else rgb, columns)
        cells.append(f"<span>{name}</span>{img(picture, name, scale=scale)}")
    return f'<div class="rows">{"".join(cells)}</div>'


def _reconstructions(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    rows = {"original": arrays["original"]}
    rows |= {name: arrays[f"again {name}"] for name in found["reconstruction"]}
    return _rows(found, rows, len(arrays["original"]))


def _errors(found: dict[str, Any]) -> str:
    rows = []
    for name, row in found["reconstruction"].items():
        low, high = row["interval"]
        better = "" if name == "VQ-VAE" else f"{100 * row['less_than_vqvae']:.0f} %"
        error = f"{100 * row['error']:.2f}"
        rows.append([name, f"{row['psnr']:.2f}", error, f"{100 * low:.2f} to {100 * high:.2f}", better])
    bits = f"{found['bits_per_image']:.0f} bits per image"
    headings = [bits, "PSNR, dB", "squared error, % of variance", "95 % interval", "images with less error than VQ-VAE"]
    return html_table(headings, rows, own="VQ-VAE")


def _scenes(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    if "scenes" not in arrays:
        return ""
    figures = []
    for scene, again, test in zip(arrays["scenes"], arrays["scenes again"], arrays["scenes test"], strict=True):
        pair = [outlined(to_rgb(picture, found["levels"]), test) for picture in (scene, again)]
        figures.append(f"<figure>{img(sheet(np.stack(pair), 2), 'photograph and reconstruction', scale=0.82)}</figure>")
    return _section(
        "Whole images",
        "Left the original, right its reconstruction. Outlined: the test blocks. The networks are convolutional, so "
        "that a whole image is encoded at once, with no seams.",
        "".join(figures),
    )


def _samples(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    classes = len(found["classes"])
    per_class = len(arrays["sample prior"]) // classes
    across = min(SHEET, max(1, SHEET // classes)) * classes if classes <= SHEET else classes
    most = per_class * classes // across

    def order(down: int) -> list[int]:
        """A column holds one class: the samples of a class are down x (across / classes)."""
        return [
            (column % classes) * per_class + row * (across // classes) + column // classes
            for row in range(min(down, most))
            for column in range(across)
        ]

    rows = {}
    for key, title, down in (
        ("sample prior", "learnt prior", 4),
        ("nearest", "nearest training image of each of the first two rows", 2),
        ("sample unigram", "codes by their frequency", 2),
        ("sample uniform", "uniform codes", 2),
    ):
        rows[title] = arrays[key][order(down)]
    given = f'<p class="lead">Columns: {escape(", ".join(found["classes"]))}' + (
        ", and again.</p>" if across > classes else ".</p>"
    )
    return _rows(found, rows, across) + (given if classes > 1 else "")


def _recognised(found: dict[str, Any]) -> str:
    if not found["recognised"]:
        return ""
    rows = [[name, f"{100 * share:.1f}"] for name, share in found["recognised"].items()]
    return html_table(["a classifier taught on real images takes for their class (SVM)", "%"], rows)


def _bits(found: dict[str, Any]) -> str:
    bits, per_dimension = found["bits_per_code"]["test"], found["bits_per_dimension"]
    pixels = per_dimension["pixels given the codes"]
    rows = []
    for name, value in bits.items():
        share = per_dimension[f"codes, {name}"]
        base, comma, rest = name.partition(",")
        title = PRIORS.get(base, base) + comma + rest
        rows.append([title, f"{value:.3f}", f"{share:.4f}", f"{share + pixels:.3f}"])
    headings = ["codes by", "bits per code", "codes, bits per dimension", "codes and pixels, bits per dimension"]
    table = html_table(headings, rows, own=PRIORS[found["best_prior"]])
    histogram = per_dimension["pixels by their histogram"]
    return (
        f'{table}<p class="lead">Without any codes, pixels by their histogram: {histogram:.3f} bits per dimension.</p>'
    )


def _usage(found: dict[str, Any]) -> str:
    used = np.sort(np.array(found["usage"]))[::-1]
    name = f"usage-{found['dataset']}"
    with plot_style(name):
        figure = new_figure(10.2, 1.9, layout="constrained")
        axes = figure.subplots()
        axes.bar(np.arange(len(used)), used / used.sum() * len(used), width=1.0, color=ACCENT)
        axes.axhline(1, color=QUIET, lw=1)
        axes.set_xlim(-0.5, len(used) - 0.5)
        axes.set_xlabel("codes, most frequent first")
        axes.set_ylabel("times the fair share")
        return as_svg(figure, name)


def _codebook(found: dict[str, Any], arrays: dict[str, Any]) -> str:
    order = np.argsort(-np.array(found["usage"]), kind="stable")
    tiles = to_rgb(arrays["tiles"][order], found["levels"])
    return img(sheet(tiles, 64), "codes", scale=15 / tiles.shape[1])


if __name__ == "__main__":
    main(arguments(), run)
