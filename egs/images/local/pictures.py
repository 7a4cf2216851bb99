"""Sets of images as arrays of one shape: made from scikit-learn's data, a folder of images, or CIFAR-10.

A set is one ``.npz`` file with three parts, of which only the first is ever trained on.
"""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.files import atomic_open

Images = NDArray[np.uint8]
PARTS = ("train", "dev", "test")
#: Endings of the files that a folder is searched for.
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
#: Blocks of each photograph that are not trained on, for each other part, and patches along an edge of a block.
BLOCKS, BLOCK = {"test": 6, "dev": 3}, 2
#: Where CIFAR-10's binary form lies, and its sum as published on https://www.cs.toronto.edu/~kriz/cifar.html.
CIFAR10 = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CIFAR10_SUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"


@dataclass(frozen=True)
class Part:
    """Images of one part.

    Attributes:
        images: ``(n, rows, columns, channels)`` uint8.
        labels: ``(n,)`` int64, index of each one's class among the set's names.
    """

    images: Images
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class ImageSet:
    """Images of one shape in three parts.

    Attributes:
        parts: ``train``, ``dev`` and ``test``.
        names: of the classes, at least one, without white space.
        levels: values of a channel are 0 to ``levels - 1``.
        scenes: ``(n, rows, columns, channels)``, whole images that the parts are patches of; may be none.
        scenes_test: ``(n, rows, columns)`` bool, where the patches of ``test`` are in them.
    """

    parts: dict[str, Part]
    names: tuple[str, ...]
    levels: int
    scenes: Images
    scenes_test: NDArray[np.bool_]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and channels of an image."""
        rows, columns, channels = self.parts["train"].images.shape[1:]
        return rows, columns, channels


def write_set(images: ImageSet, path: Path) -> None:
    """Write a set as one file."""
    arrays: dict[str, Any] = {
        "names": np.array(images.names),
        "levels": np.array(images.levels),
        "scenes": images.scenes,
    }
    arrays["scenes_test"] = images.scenes_test
    for name, part in images.parts.items():
        arrays |= {f"{name}_images": part.images, f"{name}_labels": part.labels}
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    with atomic_open(path, "wb") as file:
        file.write(packed.getbuffer())


def read_set(path: Path) -> ImageSet:
    """Read what ``write_set`` has written.

    Raises:
        InputError: it is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            parts = {name: Part(held[f"{name}_images"], held[f"{name}_labels"]) for name in PARTS}
            names = tuple(held["names"].tolist())
            return ImageSet(parts, names, int(held["levels"]), held["scenes"], held["scenes_test"])
    except (ValueError, KeyError, EOFError) as error:
        raise InputError(f"not a set of images: {error}", where=path, hint="make it with prepare.py") from None


def digits(seed: int = 0) -> ImageSet:
    """scikit-learn's 1797 handwritten digits, 8 x 8 in 17 levels of grey."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = found.images.astype(np.uint8)[..., None]
    return _divided(images, found.target.astype(np.int64), tuple("0123456789"), 17, seed)


def photos(size: int = 32, step: int = 8, seed: int = 0) -> ImageSet:
    """Patches of scikit-learn's two photographs; blocks of them, which no training patch touches, are held out.

    Args:
        size: rows and columns of a patch.
        step: from one training patch to the next, in both directions; held-out patches lie side by side in blocks.
        seed: of the choice of blocks.
    """
    from sklearn.datasets import load_sample_image

    names = ("china", "flower")
    whole = np.stack([load_sample_image(f"{name}.jpg") for name in names])
    rows, columns = (extent // size * size for extent in whole.shape[1:3])
    scenes = whole[:, :rows, :columns]
    rng = np.random.default_rng(seed)
    held = np.zeros((len(names), rows // size, columns // size), np.int64)  # of each patch side by side: 0 for train
    for of_photo in held:
        down, across = of_photo.shape[0] // BLOCK, of_photo.shape[1] // BLOCK
        chosen = iter(rng.permutation(down * across))
        for number, count in enumerate(BLOCKS.values(), 1):
            for _ in range(min(count, down * across // 4)):
                row, column = divmod(int(next(chosen)), across)
                of_photo[BLOCK * row : BLOCK * (row + 1), BLOCK * column : BLOCK * (column + 1)] = number
    pixels = held.repeat(size, 1).repeat(size, 2)  # (photos, rows, columns)
    parts = {"train": _patches(scenes, pixels == 0, size, step)}
    for number, part in enumerate(BLOCKS, 1):
        parts[part] = _patches(scenes, pixels == number, size, size)
    return ImageSet(parts, names, 256, scenes, pixels == 1 + list(BLOCKS).index("test"))


def _patches(scenes: Images, allowed: NDArray[np.bool_], size: int, step: int) -> Part:
    """All patches whose pixels are all allowed, and which scene each is of."""
    found, labels = [], []
    for label, (scene, mask) in enumerate(zip(scenes, allowed, strict=True)):
        for row in range(0, scene.shape[0] - size + 1, step):
            for column in range(0, scene.shape[1] - size + 1, step):
                area = slice(row, row + size), slice(column, column + size)
                if mask[area].all():
                    found.append(scene[area])
                    labels.append(label)
    return Part(np.stack(found), np.array(labels))


def folder(path: Path, size: int = 32, seed: int = 0) -> ImageSet:
    """Anybody's images: each is cut to a square in its middle and brought to ``size``; sub-folders are classes.

    Raises:
        InputError: there are fewer than ten images, or a file is none.
    """
    from PIL import Image, UnidentifiedImageError

    if not path.is_dir():
        raise InputError("no such folder", where=path, hint="name a folder of images with --folder")
    files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
    if len(files) < 10:
        raise InputError(f"{len(files)} images in it", where=path, hint=f"ten or more, {' '.join(sorted(SUFFIXES))}")
    classes = [re.sub(r"\W+", "_", file.relative_to(path).parts[0]) if file.parent != path else "all" for file in files]
    names = tuple(sorted(set(classes)))
    images = []
    for file in files:
        try:
            with Image.open(file) as opened:
                picture = opened.convert("RGB")
        except (UnidentifiedImageError, OSError) as error:
            raise InputError(f"not an image: {error}", where=file, hint="remove it from the folder") from None
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.crop((left, top, left + side, top + side))
        images.append(np.asarray(square.resize((size, size), Image.Resampling.LANCZOS)))
    labels = np.array([names.index(name) for name in classes])
    return _divided(np.stack(images), labels, names, 256, seed)


def cifar10(downloads: Path) -> ImageSet:
    """CIFAR-10 in its binary form: a byte of the class, then 32 x 32 of red, of green, of blue.

    Args:
        downloads: where ``cifar-10-binary.tar.gz`` is, or is downloaded to.

    Raises:
        InputError: it cannot be had, or is damaged.
    """
    from vqspeech.corpora.download import fetch

    archive = downloads / Path(CIFAR10).name
    fetch(CIFAR10, archive, checksum=CIFAR10_SUM)
    return read_cifar10(archive)


def read_cifar10(archive: Path) -> ImageSet:
    """Read the archive; the last of the five training batches is the dev part.

    Raises:
        InputError: a file is missing in it, or is of another size.
    """
    batches: dict[str, bytes] = {}
    with tarfile.open(archive) as opened:
        for member in opened:
            held = opened.extractfile(member)
            if held is not None:
                batches[Path(member.name).name] = held.read()
    wanted = {"train": [f"data_batch_{n}.bin" for n in (1, 2, 3, 4)], "dev": ["data_batch_5.bin"]}
    wanted["test"] = ["test_batch.bin"]
    for name in [*(file for files in wanted.values() for file in files), "batches.meta.txt"]:
        if name not in batches or (name.endswith(".bin") and (not batches[name] or len(batches[name]) % 3073)):
            raise InputError(f"{name} is not in it, or cut short", where=archive, hint="download it again")
    names = tuple(batches["batches.meta.txt"].decode("ascii").split())
    parts = {}
    for part, files in wanted.items():
        rows = np.frombuffer(b"".join(batches[file] for file in files), np.uint8).reshape(-1, 3073)
        images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        parts[part] = Part(np.ascontiguousarray(images), rows[:, 0].astype(np.int64))
    return ImageSet(parts, names, 256, *no_scenes(3))


def _divided(images: Images, labels: NDArray[np.int64], names: tuple[str, ...], levels: int, seed: int) -> ImageSet:
    """A ninth part of the images each for dev and test, at random."""
    order = np.random.default_rng(seed).permutation(len(images))
    held = max(1, len(images) // 9)
    chosen = {"test": order[:held], "dev": order[held : 2 * held], "train": order[2 * held :]}
    parts = {name: Part(images[chosen[name]], labels[chosen[name]]) for name in PARTS}
    return ImageSet(parts, names, levels, *no_scenes(images.shape[3]))


def no_scenes(channels: int) -> tuple[Images, NDArray[np.bool_]]:
    """The ``scenes`` and ``scenes_test`` of a set that has none."""
    return np.zeros((0, 1, 1, channels), np.uint8), np.zeros((0, 1, 1), np.bool_)
