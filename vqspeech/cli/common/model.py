"""Options that all commands share that use a model, and the sources they take."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.model.packaged import find_model

if TYPE_CHECKING:
    from vqspeech.api import Model


def model_path(text: str) -> Path:
    """The folder that a word of the command line means: a packaged model's, a repository's or that of this path."""
    try:
        return find_model(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_model(parser: argparse.ArgumentParser) -> None:
    """Declare ``--model`` and ``--device``."""
    parser.add_argument(
        "--model",
        type=model_path,
        metavar="MODEL",
        help="packaged model (vqspeech models), model directory, experiment or hf://owner/name; default: default",
    )
    parser.add_argument(
        "--device", default="cpu", help="where the networks compute: auto, cpu, cuda or cuda:N; default: cpu"
    )


def add_generation(parser: argparse.ArgumentParser) -> None:
    """Declare what the drawing of samples depends on, and ``--force``."""
    add_sampling(parser)
    parser.add_argument("--force", action="store_true", help="write over files that are there")


def add_sampling(parser: argparse.ArgumentParser, *, precision: str = "fp32") -> None:
    """Declare what the drawing of samples depends on."""
    parser.add_argument(
        "--temperature", type=ranges.TEMPERATURE, default=1.0, metavar="T", help="0 is always likeliest; default: 1"
    )
    add_post_filter(parser)
    parser.add_argument(
        "--seed", type=ranges.SEED, default=0, metavar="N", help="the same seed, the same speech; default: 0"
    )
    add_engine(parser, precision=precision)


def add_engine(parser: argparse._ActionsContainer, *, precision: str = "fp32", threads: str = "of the engine") -> None:
    """Declare ``--engine``, ``--precision`` and ``--threads``."""
    parser.add_argument(
        "--engine",
        choices=("auto", "native", "torch"),
        default="auto",
        help="native: compiled, for the CPU; torch: the slow reference; default: auto, native where it was built",
    )
    parser.add_argument(
        "--precision",
        choices=("fp32", "bf16", "int8"),
        default=precision,
        help="of the native engine; bf16 and int8 are about two and three times as fast as fp32, and nearly as exact; "
        f"default: {precision}",
    )
    parser.add_argument(
        "--threads", type=ranges.WORKERS, default=1, metavar="N", help=f"of the CPU, {threads}; default: 1"
    )


def add_post_filter(parser: argparse._ActionsContainer) -> None:
    """Declare ``--post-filter``."""
    parser.add_argument(
        "--post-filter",
        type=ranges.SHARE,
        metavar="S",
        help="how far speech is brought to the spectrum expected of its codes, 0 to 1; default: 0.7",
    )


def load(options: argparse.Namespace) -> Model:
    """The model that the options name."""
    import vqspeech

    names = ("engine", "precision", "threads", "post_filter")
    given = {name: value for name in names if (value := getattr(options, name, None)) is not None}
    return vqspeech.load(options.model, device=options.device, **given)
