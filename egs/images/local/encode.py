"""Encode a set of images: codes in raster order as archives that every vqspeech command reads.

    encode.py MODEL SET.npz CODES

Writes CODES/{train,dev,test}.txt, a line per image, CODES/grid.txt with rows and columns, and CODES/utt2spk
with each image's class in the place of a speaker.
"""

from __future__ import annotations

import argparse
import hashlib

from command import arguments, main
from networks import load_image_model
from pictures import PARTS, read_set

from vqspeech import codes
from vqspeech.files import atomic_open


def run(options: argparse.Namespace) -> None:
    """Encode all parts."""
    model = load_image_model(options.model)
    images = read_set(options.images)
    checksum = hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest()
    # A place in the raster takes the part of a frame's time: one unit from each code to the next.
    info = codes.CodeInfo(model.config.quantizer.codes, 1.0, 0.5, "images", f"sha256:{checksum}")
    classes: dict[str, str] = {}
    for part in PARTS:
        held = images.parts[part]
        names = [images.names[label] for label in held.labels]
        ids = [f"{name}-{part}-{number:06d}" for number, name in enumerate(names)]
        classes |= dict(zip(ids, names, strict=True))
        grids = model.encode(held.images)  # (n, rows, columns)
        raster = grids.reshape(len(ids), -1)
        codes.write(options.out / f"{part}.txt", codes.Codes(info, dict(zip(ids, raster, strict=True))))
    with atomic_open(options.out / "grid.txt") as file:
        file.write(f"{grids.shape[1]} {grids.shape[2]}\n")
    with atomic_open(options.out / "utt2spk") as file:
        file.writelines(f"{name} {of_class}\n" for name, of_class in sorted(classes.items()))


if __name__ == "__main__":
    main(arguments(__doc__, "model", "images", "out"), run)
