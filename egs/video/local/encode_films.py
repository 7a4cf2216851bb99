"""Encode films: archives of symbols that ``vqspeech train-prior`` reads, each film once with its actions, once without.

    encode_films.py MODEL DATA CODES

Writes CODES/{train,dev,test}.txt and .json, and CODES/{train,dev,test}.npz with the codes alone.
"""

from __future__ import annotations

import argparse
import hashlib

import numpy as np
from command import arguments, main
from film_codes import to_symbols, unknown_actions
from moving_digits import ACTIONS, read_films
from networks import load_image_model
from pictures import PARTS

from vqspeech import codes as archives
from vqspeech.files import atomic_path


def run(options: argparse.Namespace) -> None:
    """Encode all parts."""
    model = load_image_model(options.model)
    size = model.config.quantizer.codes
    checksum = hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest()
    info = archives.CodeInfo(size + len(ACTIONS), 1.0, 0.5, "video", f"sha256:{checksum}")
    for part in PARTS:
        films = read_films(options.data / f"{part}.npz")
        n, frames = films.actions.shape
        codes = model.encode(films.frames.reshape(n * frames, *films.frames.shape[2:]))
        codes = codes.reshape(n, frames, *codes.shape[1:])
        sequences = {}
        for number, (film, actions) in enumerate(zip(codes, films.actions, strict=True)):
            sequences[f"{part}-{number:06d}-given"] = to_symbols(film, actions, size)
            sequences[f"{part}-{number:06d}-unknown"] = to_symbols(film, unknown_actions(actions), size)
        archives.write(options.out / f"{part}.txt", archives.Codes(info, sequences))
        with atomic_path(options.out / f"{part}.npz") as path:
            np.savez_compressed(path, codes=codes.astype(np.int32))


if __name__ == "__main__":
    main(arguments(__doc__, "model", "data", "out"), run)
