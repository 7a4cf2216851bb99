"""Turn codes back into speech, in any voice of the model.

vqspeech decode codes.txt --speaker p225 --out spoken/
vqspeech decode codes.txt --pitch f0.txt --speaker p225 --out spoken/     with the intonation that encode stored

Interrupted, the same command goes on, as convert does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.common.external import require_rate
from vqspeech.cli.common.model import add_generation, add_model, load
from vqspeech.cli.common.synthesis import Speech, Targets, add_f0, add_speaker, synthesise
from vqspeech.cli.evaluate.inputs import add_foreign
from vqspeech.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.api import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "codes",
        type=Path,
        metavar="CODES.txt",
        help="from vqspeech encode, with its codes.json; or of another system, as for convert-units",
    )
    add_foreign(parser.add_argument_group("codes of other systems"))
    add_speaker(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder; or one WAV or FLAC file, or -")
    parser.add_argument("--utterance", action="append", metavar="ID", help="only this one (may be given again)")
    parser.add_argument(
        "--pitch",
        type=Path,
        metavar="F0.txt",
        help="F0 of the utterances, from encode --pitch; default: the model's own",
    )
    add_f0(parser)
    add_model(parser)
    add_generation(parser)


def run(options: argparse.Namespace) -> None:
    """Synthesise every utterance of the archive."""
    from vqspeech import codes

    archive = codes.read_units(
        options.codes,
        frame_period=options.frame_period,
        offset=options.offset,
        codebook_size=options.codebook_size,
        manifest=options.manifest,
    )
    names = options.utterance or list(archive.sequences)
    for name in names:
        if name not in archive.sequences:
            raise InputError(f"no utterance {name!r}", where=options.codes, hint="leave --utterance out for all")
    targets = Targets(options.out, options.speaker, several=len(names) > 1, force=options.force)
    model = load(options)
    made_by = archive.info.checksum
    if made_by is not None and made_by != model.code_info.checksum:
        raise InputError("made by another model", where=options.codes, hint="name it with --model")
    require_rate(archive.info, model, options.codes)
    contours = _contours(options, model, names)
    synthesise(
        model,
        (
            Speech(archive.sequences[name], None, path, contours(name, len(archive.sequences[name])))
            for name in names
            if (path := targets.path(name, "-"))
        ),
        options.speaker,
        seed=options.seed,
        temperature=options.temperature,
    )
    targets.say_skipped()


def _contours(
    options: argparse.Namespace, model: Model, names: list[str]
) -> Callable[[str, int], NDArray[np.float32] | None]:
    """From an utterance and how many codes it has to its pitch; checks all utterances before any is decoded."""
    from vqspeech import codes

    if options.pitch is None:
        if options.f0_shift:
            raise InputError("--f0-shift without --pitch", hint="name the file that vqspeech encode --pitch wrote")
        return lambda *_: None
    found = codes.read_contours(options.pitch)
    for name in names:
        if name not in found.f0:
            raise InputError(f"no F0 of utterance {name!r}", where=options.pitch, hint="encode with --pitch again")

    def pitch(name: str, count: int) -> NDArray[np.float32] | None:
        frames = model.frames_of(count) * model.network.conditioner.frames_per_code
        track = found.at(name, model.f0_times, frames)
        return model.relative_pitch(track, options.speaker, f0=options.f0, f0_shift=options.f0_shift)

    return pitch
