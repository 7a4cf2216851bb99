"""Turn codes back into speech, in any voice of the model.

vqspeech decode codes.txt --speaker p225 --out spoken/
"""

from __future__ import annotations

import argparse
from pathlib import Path

from vqspeech.cli.common.model import add_generation, add_model, load
from vqspeech.cli.common.synthesis import Speech, Targets, add_speaker, synthesise
from vqspeech.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("codes", type=Path, metavar="CODES.txt", help="from vqspeech encode, with its codes.json")
    add_speaker(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="OUT", help="folder; or one WAV or FLAC file, or -")
    parser.add_argument("--utterance", action="append", metavar="ID", help="only this one (may be given again)")
    add_model(parser)
    add_generation(parser)


def run(options: argparse.Namespace) -> None:
    """Speak every utterance of the archive."""
    from vqspeech import codes

    archive = codes.read(options.codes)
    names = options.utterance or list(archive.sequences)
    for name in names:
        if name not in archive.sequences:
            raise InputError(f"no utterance {name!r}", where=options.codes, hint="leave --utterance out for all")
    targets = Targets(options.out, options.speaker, several=len(names) > 1, force=options.force)
    model = load(options)
    made_by = archive.info.checksum
    if made_by is not None and made_by != model.code_info.checksum:
        raise InputError("made by another model", where=options.codes, hint="name it with --model")
    synthesise(
        model,
        (Speech(archive.sequences[name], None, path) for name in names if (path := targets.path(name, "-"))),
        options.speaker,
        seed=options.seed,
        temperature=options.temperature,
    )
    targets.say_skipped()
