"""Measure a VQ-VAE of images and its priors on the test images: RESULTS.json, and the arrays that the page shows.

    measure.py EXP SET.npz [--samples N] [--seed N]

EXP has model/, codes/, prior/ and masked/ as run.sh makes them.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import equal_bits
import numpy as np
from code_files import read_code_data
from command import main
from likelihood import fitted_scale, logistic_bits
from masked_prior import load_masked_prior
from networks import ImageVQVAE, load_image_model
from numpy.typing import NDArray
from pictures import ImageSet, read_set

from vqspeech.cli.common.progress import bar
from vqspeech.codes import entropy, usage
from vqspeech.codes import perplexity as code_perplexity
from vqspeech.evaluation.bootstrap import interval, resampling
from vqspeech.evaluation.prior.ngrams import NGrams
from vqspeech.files import atomic_open, atomic_path
from vqspeech.generation.code_sampling import sample_codes
from vqspeech.model.prior import Prior
from vqspeech.model.prior.checkpoint import load_prior
from vqspeech.model.prior.scoring import code_bits
from vqspeech.training.prior.dataset import CodeData

#: Images shown, training images that the classifier learns from, at most.
SHOWN, TAUGHT = 12, 4000
VQVAE = "VQ-VAE"


def arguments() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exp", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--samples", type=int, default=20, help="of each class")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def run(options: argparse.Namespace) -> None:
    """Measure, and write what was found."""
    images = read_set(options.images)
    model = load_image_model(options.exp / "model" / "checkpoints" / "best")
    data = read_code_data(options.exp / "codes")
    priors = {
        "causal": load_prior(options.exp / "prior" / "checkpoints" / "best"),
        "masked": load_masked_prior(options.exp / "masked" / "checkpoints" / "best"),
    }
    codes = _grids(model, images, data["test"])
    arrays, reconstruction = _reconstruction(model, images, codes)
    bits = _bits(data, priors)
    best = min(priors, key=lambda name: bits["dev"][name])
    drawn = _samples(priors[best], data["train"], images, options.samples, options.seed, codes.shape[1:])
    arrays |= {f"sample {name}": model.decode(grids) for name, grids in drawn.items()}
    arrays["nearest"] = _nearest(arrays["sample prior"], images.parts["train"].images)
    arrays["tiles"] = _tiles(model)
    if len(images.scenes):
        scenes = model.encode(images.scenes)  # a whole image at once: the networks are convolutional
        arrays |= {"scenes": images.scenes, "scenes again": model.decode(scenes), "scenes test": images.scenes_test}
    used = usage(data["test"].sequences, data["test"].codes)
    found = {
        "dataset": options.images.stem,
        "shape": list(images.shape),
        "levels": images.levels,
        "images": {name: len(part.labels) for name, part in images.parts.items()},
        "classes": list(images.names),
        "codes": model.config.quantizer.codes,
        "grid": list(codes.shape[1:]),
        "bits_per_image": math.log2(model.config.quantizer.codes) * codes[0].size,
        "raw_bits_per_image": math.log2(images.levels) * math.prod(images.shape),
        "usage": used.tolist(),
        "used": int((used > 0).sum()),
        "perplexity": code_perplexity(used),
        "entropy": entropy(used),
        "reconstruction": reconstruction,
        "bits_per_code": bits,
        "best_prior": best,
        "bits_per_dimension": _bits_per_dimension(model, images, codes, bits["test"]),
        "recognised": _recognised(images, arrays, options.samples),
    }
    with atomic_path(options.exp / "shown.npz") as path:
        np.savez(path, **arrays)
    with atomic_open(options.exp / "RESULTS.json") as file:
        json.dump(found, file, indent=1)
    print(f"{options.exp}/RESULTS.json: {bits['test'][best]:.3f} bits per code with the {best} prior")


def _grids(model: ImageVQVAE, images: ImageSet, data: CodeData) -> NDArray[np.int64]:
    rows, columns, _ = images.shape
    stride = model.config.stride
    return np.stack(data.sequences).reshape(-1, rows // stride, columns // stride).astype(np.int64)


def _reconstruction(model: ImageVQVAE, images: ImageSet, codes: NDArray[np.int64]) -> tuple[dict[str, Any], Any]:
    """The first test images as every system brings them back, and each one's error with an interval over images."""
    test = images.parts["test"].images
    train = images.parts["train"].images
    stride, size = model.config.stride, model.config.quantizer.codes
    systems: dict[str, Any] = {VQVAE: model.decode(codes)}
    systems |= equal_bits.reconstructions(train, test, stride=stride, codes=size)
    shown = np.linspace(0, len(test) - 1, min(SHOWN, len(test))).astype(int)
    arrays: dict[str, Any] = {"original": test[shown]}
    variance = float(train.astype(np.float64).var())
    draws = resampling([str(number) for number in range(len(test))])
    ours = None
    found: dict[str, Any] = {}
    for name, means in systems.items():
        again = np.clip(np.round(means), 0, images.levels - 1).astype(np.uint8)
        arrays[f"again {name}"] = again[shown]
        squared = np.square(again.astype(np.float64) - test).mean((1, 2, 3))  # (n,)
        ours = squared if ours is None else ours
        error = float(squared.mean())
        found[name] = {
            "psnr": 10 * math.log10((images.levels - 1) ** 2 / error),
            "error": error / variance,
            "interval": list(interval(error, draws.share(squared, np.ones(len(test))), highest=np.inf)),
            "less_than_vqvae": float((squared < ours).mean()),
        }
        found[name]["interval"] = [bound / variance for bound in found[name]["interval"]]
    return arrays, found


def _bits(data: dict[str, CodeData], priors: dict[str, Prior]) -> dict[str, dict[str, float]]:
    """Bits per code of dev and test under each model of codes."""
    train = data["train"]
    ngrams = NGrams(train.sequences, codebook_size=train.codes, order=3)
    found: dict[str, dict[str, float]] = {}
    for part in ("dev", "test"):
        held = data[part]
        row = {"uniform": math.log2(held.codes)}
        for order, name in enumerate(("unigram", "bigram", "trigram"), 1):
            row[name] = float(np.concatenate(ngrams.bits(held.sequences, order=order)).mean())
        for name, prior in priors.items():
            # Each prior numbers the classes by itself.
            of_prior = [_index(prior, held.names[label]) for label in held.speakers]
            row[name] = float(np.concatenate(code_bits(prior, held.sequences, of_prior)).mean())
            nobody = [prior.unconditional] * len(of_prior)
            row[f"{name}, class not given"] = float(np.concatenate(code_bits(prior, held.sequences, nobody)).mean())
        found[part] = row
    return found


def _index(prior: Prior, name: str) -> int:
    return prior.speakers.index(name) if name in prior.speakers else prior.unconditional


def _bits_per_dimension(
    model: ImageVQVAE, images: ImageSet, codes: NDArray[np.int64], bits: dict[str, float]
) -> dict[str, float]:
    """Of the pixels given the codes, and of the codes under each model, both per pixel and channel; test images."""
    dev, test = images.parts["dev"].images, images.parts["test"].images
    dev_means, means = (model.means(some).astype(np.float64) for some in (model.encode(dev), codes))
    channels = []
    for channel in range(images.shape[2]):
        scale = fitted_scale(dev[..., channel], dev_means[..., channel], images.levels)
        channels.append(logistic_bits(test[..., channel], means[..., channel], scale, images.levels).mean())
    counts = np.bincount(images.parts["train"].images.ravel(), minlength=images.levels) + 1.0
    histogram = -np.log2(counts / counts.sum())[test].mean()
    share = codes[0].size / math.prod(images.shape)
    found = {"pixels by their histogram": float(histogram), "pixels given the codes": float(np.mean(channels))}
    return found | {f"codes, {name}": share * value for name, value in bits.items()}


def _samples(
    prior: Prior, train: CodeData, images: ImageSet, count: int, seed: int, grid: tuple[int, ...]
) -> dict[str, NDArray[np.int64]]:
    """Grids of codes: ``count`` of each class from the prior, as many from unigrams and from all codes alike."""
    length = math.prod(grid)
    shown = bar("samples", "class")
    by_class = []
    for number, name in enumerate(images.names):
        by_class.append(sample_codes(prior, length=length, count=count, speaker=name, seed=seed + number))
        shown(number + 1, len(images.names))
    rng = np.random.default_rng(seed)
    shares = usage(train.sequences, train.codes) / sum(len(sequence) for sequence in train.sequences)
    total = (count * len(images.names), length)
    drawn: dict[str, NDArray[Any]] = {
        "prior": np.concatenate(by_class),
        "unigram": rng.choice(train.codes, total, p=shares),
        "uniform": rng.integers(train.codes, size=total),
    }
    return {name: codes.reshape(-1, *grid).astype(np.int64) for name, codes in drawn.items()}


def _nearest(samples: NDArray[np.uint8], train: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The training image nearest to each sample, by squared error."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1).fit(train.reshape(len(train), -1).astype(np.float32))
    return train[search.kneighbors(samples.reshape(len(samples), -1).astype(np.float32), return_distance=False)[:, 0]]


def _tiles(model: ImageVQVAE) -> NDArray[np.uint8]:
    """What each code stands for alone, the middle of an image of it: ``(codes, stride, stride, channels)``."""
    codes = np.arange(model.config.quantizer.codes)[:, None, None].repeat(5, 1).repeat(5, 2)
    middle = slice(2 * model.config.stride, 3 * model.config.stride)
    return model.decode(codes)[:, middle, middle]


def _recognised(images: ImageSet, arrays: dict[str, Any], count: int) -> dict[str, float] | None:
    """How many images a classifier taught on real ones takes for their class; None where there is one class alone."""
    if len(images.names) < 2:
        return None
    from sklearn.svm import SVC

    def flat(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
        return pictures.reshape(len(pictures), -1) / (images.levels - 1)

    train, test = images.parts["train"], images.parts["test"]
    some = slice(None, None, 1 + len(train.labels) // TAUGHT)
    classifier = SVC(C=10.0).fit(flat(train.images[some]), train.labels[some])
    asked = np.arange(len(images.names)).repeat(count)
    found = {"real test images": float(classifier.score(flat(test.images), test.labels))}
    for name in ("prior", "unigram", "uniform"):
        found[f"samples, {name}"] = float(classifier.score(flat(arrays[f"sample {name}"]), asked))
    return found


if __name__ == "__main__":
    main(arguments(), run)
