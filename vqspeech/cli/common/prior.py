"""Options that the commands of the prior share: which prior, whose codes, how they are drawn and decoded."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.cli.common.model import add_engine, add_model, add_post_filter, model_path
from vqspeech.cli.common.synthesis import Speech, Targets, synthesise
from vqspeech.errors import InputError
from vqspeech.files import require_writable

if TYPE_CHECKING:
    from vqspeech.api import Model
    from vqspeech.model.prior import Prior


def add_prior(parser: argparse.ArgumentParser) -> None:
    """Declare ``--prior`` beside the options of a model."""
    add_model(parser)
    parser.add_argument(
        "--prior",
        type=model_path,
        metavar="DIR",
        help="prior directory, experiment, or model with a prior in it; default: the one inside the model",
    )


def add_drawing(parser: argparse.ArgumentParser) -> None:
    """Declare how codes are drawn and decoded."""
    parser.add_argument("--speaker", metavar="NAME", help="whose voice (vqspeech speakers lists them)")
    parser.add_argument("--count", type=ranges.DRAWS, default=1, metavar="N", help="how many, together; default: 1")
    parser.add_argument("--out", type=Path, metavar="OUT", help="WAV or FLAC file, or folder; default: this folder")
    parser.add_argument("--codes-out", type=Path, metavar="CODES.txt", help="write the codes; without --out no speech")
    codes = parser.add_argument_group("the codes")
    codes.add_argument(
        "--temperature", type=ranges.TEMPERATURE, default=1.0, metavar="T", help="0 is always likeliest; default: 1"
    )
    codes.add_argument("--top-k", type=ranges.COUNT, metavar="K", help="from the K likeliest codes; default: all")
    codes.add_argument(
        "--top-p", type=ranges.MASS, default=1.0, metavar="P", help="from the likeliest of mass P; default: 1"
    )
    codes.add_argument(
        "--seed", type=ranges.SEED, default=0, metavar="N", help="the same seed, the same speech; default: 0"
    )
    speech = parser.add_argument_group("the speech")
    speech.add_argument(
        "--wave-temperature", type=ranges.TEMPERATURE, default=1.0, metavar="T", help="of the samples; default: 1"
    )
    add_post_filter(speech)
    add_engine(speech)
    speech.add_argument("--force", action="store_true", help="write over files that are there")
    add_prior(parser)


def frames(seconds: float, model: Model) -> int:
    """Codes in so many seconds, rounded up.

    Raises:
        InputError: not above 0, or not a number of seconds.
    """
    if not 0 < seconds < math.inf:
        raise InputError(f"{seconds:g} seconds", where="--seconds", hint="ask for more than 0")
    return math.ceil(seconds * model.network.config.code_rate - 1e-6)


def load_prior(options: argparse.Namespace, made_by: str | None) -> Prior:
    """The prior that the options name, over codes of the model whose checksum is ``made_by``."""
    from vqspeech.devices import find_device
    from vqspeech.model.packaged import PRETRAINED
    from vqspeech.model.prior import checkpoint as prior_checkpoint

    prior = prior_checkpoint.load_prior(options.prior or options.model or PRETRAINED, made_by=made_by)
    return prior.to(find_device(options.device))


def drawing(options: argparse.Namespace) -> dict[str, Any]:
    """What ``sample_codes`` and ``continue_codes`` take of the options."""
    from vqspeech.cli.common.progress import bar

    names = ("count", "speaker", "seed", "temperature", "top_k", "top_p")
    return {**{name: getattr(options, name) for name in names}, "progress": bar("drawing", "code")}


def add_utt2spk(parser: argparse.ArgumentParser) -> None:
    """Declare ``--utt2spk``."""
    parser.add_argument(
        "--utt2spk",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="speakers to condition on; default: none",
    )


def read_utt2spk(files: Sequence[Path]) -> dict[str, str]:
    """Utterance id -> speaker, of several files together.

    Raises:
        InputError: a line has not two words.
    """
    speakers: dict[str, str] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise InputError("not UTF-8 text", where=file, hint="give the utt2spk of a data directory") from None
        for number, line in enumerate(lines, 1):
            words = line.split()
            if len(words) != 2:
                raise InputError("not two words", where=file, line=number, hint="a line is: utterance-id speaker-id")
            speakers[words[0]] = words[1]
    return speakers


def check_voice(options: argparse.Namespace, model: Model) -> None:
    """Before anything is drawn: is there a voice, if there shall be speech?

    Raises:
        InputError: no speaker is named, or the model has no such voice.
    """
    if options.speaker is not None:
        model.voice(options.speaker)
    elif options.codes_out is None or options.out is not None:
        raise InputError("whose voice?", where="--speaker", hint=f"one of: {' '.join(model.speakers)}")


class Delivery:
    """Where samples go: their codes, their speech, or both, as the options ask; made before anything is drawn.

    Args:
        options: of ``add_drawing``.
        name: what the samples are called; several are numbered.

    Raises:
        InputError: a file is there already, or cannot be written.
    """

    def __init__(self, options: argparse.Namespace, name: str) -> None:
        self.options = options
        several = options.count > 1
        self.names = [f"{name}-{number:03}" for number in range(1, options.count + 1)] if several else [name]
        self.targets: Targets | None = None
        self.paths: list[str | None] = []
        if options.codes_out is not None:
            require_writable(options.codes_out)
        if options.codes_out is None or options.out is not None:
            self.targets = Targets(options.out or Path(), options.speaker, several=several, force=options.force)
            self.paths = [self.targets.path(name, name) for name in self.names]

    def write(self, model: Model, sequences: Sequence[NDArray[np.int32]]) -> None:
        """Write what was drawn.

        Args:
            model: decodes them.
            sequences: the codes of each sample.
        """
        from vqspeech import codes

        options = self.options
        if options.codes_out is not None:
            kept = dict(zip(self.names, sequences, strict=True))
            codes.write(options.codes_out, codes.Codes(model.code_info, kept))
            print(f"{options.codes_out}: {len(self.names)} utterance{'s' if len(self.names) > 1 else ''}")
        if self.targets is None:
            return
        speeches = [Speech(sequence, None, path) for sequence, path in zip(sequences, self.paths, strict=True) if path]
        synthesise(model, speeches, options.speaker, seed=options.seed, temperature=options.wave_temperature)
        self.targets.say_skipped()
