"""Write films of moving digits: DATA/{train,dev,test}.npz, and their frames as a set of images, DATA/frames.npz.

make_films.py DATA [--train N] [--dev N] [--test N] [--seed N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from command import main
from moving_digits import glyph_parts, make_films, write_films
from pictures import ImageSet, Part, no_scenes, write_set

#: Frames of each part for the VQ-VAE, at most.
MOST_FRAMES = {"train": 6000, "dev": 400, "test": 400}


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--train", type=int, default=1500, help="films")
    parser.add_argument("--dev", type=int, default=60, help="films")
    parser.add_argument("--test", type=int, default=100, help="films")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def run(options: argparse.Namespace) -> None:
    """Make all parts."""
    parts = {}
    for number, (part, glyphs) in enumerate(glyph_parts().items()):
        films = make_films(getattr(options, part), glyphs, 3 * options.seed + number)
        write_films(films, options.data / f"{part}.npz")
        frames = films.frames.reshape(-1, *films.frames.shape[2:])
        some = np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES[part])).astype(int)
        parts[part] = Part(frames[some], np.zeros(len(some), np.int64))
    write_set(ImageSet(parts, ("frame",), 256, *no_scenes(3)), options.data / "frames.npz")
    print(f"{options.data}: " + ", ".join(f"{getattr(options, part)} {part}" for part in parts) + " films")


if __name__ == "__main__":
    main(arguments(), run)
