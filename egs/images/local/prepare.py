"""Write a set of images: three parts of one shape, in one file.

prepare.py digits|photos|cifar10|folder DATA/NAME.npz [--folder DIR] [--size N] [--downloads DIR]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pictures
from command import main

from vqspeech.errors import InputError


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=["digits", "photos", "cifar10", "folder"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--folder", type=Path, help="of images, with the dataset 'folder'")
    parser.add_argument("--size", type=int, default=32, help="rows and columns of an image of photos or folder")
    parser.add_argument("--downloads", type=Path, default=Path("downloads"), help="where cifar10 is downloaded to")
    return parser


def run(options: argparse.Namespace) -> None:
    """Make the set and say what is in it."""
    if options.size < 8 or options.size % 8:
        raise InputError(f"a size of {options.size}", where="--size", hint="use a multiple of 8")
    if options.dataset == "digits":
        images = pictures.digits()
    elif options.dataset == "photos":
        images = pictures.photos(options.size)
    elif options.dataset == "cifar10":
        images = pictures.cifar10(options.downloads)
    elif options.folder is None:
        raise InputError("which folder?", where="--folder", hint="name a folder of images")
    else:
        images = pictures.folder(options.folder, options.size)
    pictures.write_set(images, options.out)
    counts = ", ".join(f"{len(part.labels)} {name}" for name, part in images.parts.items())
    rows, columns, channels = images.shape
    print(f"{options.out}: {rows} x {columns} x {channels}, {counts}; classes: {' '.join(images.names)}")


if __name__ == "__main__":
    main(arguments(), run)
