"""Images in a page: sheets of small images as PNG, films as WebP, both inside the page itself."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Space between the images of a sheet, in their own pixels, and its colour.
GAP, GROUND = 1, 255
#: Style sheet of what is made here, to stand beside the reports' own.
STYLE = """
img.sheet { image-rendering: pixelated; display: block; max-width: 100%; height: auto; }
.rows { display: grid; grid-template-columns: max-content 1fr; gap: 8px 14px; align-items: center; font-size: 13px; }
.rows span { color: var(--soft); text-align: right; max-width: 15ch; line-height: 1.25; }
.row3 { display: flex; flex-wrap: wrap; gap: 22px; align-items: flex-start; }
.row3 figure { margin-top: 8px; } .row3 figcaption { text-align: left; }
h3 { font-size: 15px; margin: 18px 0 0; } h2.set { font-size: 23px; margin: 44px 0 0; }
nav { margin-top: 8px; } nav a { color: var(--accent); margin-right: 16px; }
"""


def to_rgb(images: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """``(..., channels)`` of 1 or 3 channels in ``levels`` -> ``(..., 3)`` in 256."""
    bright = np.round(images.astype(np.float64) * (255 / (levels - 1))).astype(np.uint8)
    return np.broadcast_to(bright, (*bright.shape[:-1], 3))


def enlarged(images: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """``(n, rows, columns, 3)`` by bicubic interpolation, each image by itself: very small ones are seen better so."""
    size = (images.shape[2] * times, images.shape[1] * times)
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) for image in images])


def outlined(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """``(rows, columns, 3)`` with a white line, two pixels wide, along the inner edge of ``mask``."""
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-2, 2):
            inner &= np.roll(mask, step, axis)
    return np.where((mask & ~inner)[..., None], np.uint8(255), picture)


def sheet(images: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """``(n, rows, columns, 3)`` side by side, ``columns`` in a row, as one image."""
    n, height, width, _ = images.shape
    down = -(-n // columns)
    across = min(n, columns)
    whole = np.full((down * (height + GAP) - GAP, across * (width + GAP) - GAP, 3), GROUND, np.uint8)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + GAP), (number % columns) * (width + GAP)
        whole[top : top + height, left : left + width] = image
    return whole


def img(picture: NDArray[np.uint8], text: str, *, scale: float) -> str:
    """An ``img`` element with a PNG of ``(rows, columns, 3)``, shown ``scale`` times as large."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return _element("image/png", file.getvalue(), picture, text, scale)


def film(frames: NDArray[np.uint8], text: str, *, scale: float, milliseconds: int, hold: int) -> str:
    """An ``img`` element with an endless lossless WebP of ``(time, rows, columns, 3)``; the last frame stays longer."""
    file = io.BytesIO()
    first, *others = (Image.fromarray(frame) for frame in frames)
    times = [milliseconds] * (len(frames) - 1) + [hold]
    first.save(file, "WEBP", save_all=True, append_images=others, duration=times, loop=0, lossless=True)
    return _element("image/webp", file.getvalue(), frames[0], text, scale)


def _element(kind: str, content: bytes, picture: NDArray[np.uint8], text: str, scale: float) -> str:
    data = base64.b64encode(content).decode("ascii")
    width, height = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return f'<img class="sheet" width="{width}" height="{height}" alt="{text}" src="data:{kind};base64,{data}">'
