"""Say the words of recordings in another speaker's voice.

vqspeech convert --src a.wav --speaker p225            writes a-p225.wav beside it
vqspeech convert --src folder/ --speaker p225 --out converted/
vqspeech convert --src a.wav --speaker p225:0.5,p226:0.5    a voice between two
cat a.wav | vqspeech convert --src - --speaker p225 --out - > b.wav

Interrupted, the same command goes on: with the next recording, and in the middle of one of a minute or more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.common.model import add_generation, add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.sources import Source, sources
from vqspeech.cli.common.synthesis import Faults, Speech, Targets, add_f0, add_speaker, synthesise

if TYPE_CHECKING:
    from vqspeech.api import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--src",
        nargs="+",
        required=True,
        metavar="SRC",
        help="recordings: files of any usual format, folders, data directories, or - for stdin",
    )
    add_speaker(parser)
    parser.add_argument(
        "--out", type=Path, metavar="OUT", help="WAV or FLAC file, folder, or - for stdout; default: beside the source"
    )
    add_f0(parser)
    add_model(parser)
    add_allow_pipes(parser)
    add_generation(parser)


def run(options: argparse.Namespace) -> int:
    """Convert everything; 2 if a recording could not be used."""
    from vqspeech.model.checkpoint import read_speakers
    from vqspeech.model.packaged import PRETRAINED

    beside = options.out is None or any(Path(word).resolve() == options.out.resolve() for word in options.src)
    found = sources(options.src, converted_to=read_speakers(options.model or PRETRAINED) if beside else ())
    targets = Targets(options.out, options.speaker, several=len(found) > 1, force=options.force)
    wanted = [(source, path) for source in found if (path := targets.path(source.name, source.recording))]
    model = load(options)
    voice = options.speaker
    model.voice(voice)
    faults = Faults("convert", alone=len(found) == 1)
    speeches = _speeches(model, wanted, options, faults)
    synthesise(model, speeches, voice, seed=options.seed, temperature=options.temperature)
    targets.say_skipped()
    return faults.status


def _speeches(
    model: Model, wanted: list[tuple[Source, str]], options: argparse.Namespace, faults: Faults
) -> Iterator[Speech]:
    voice = options.speaker
    for source, target in wanted:
        with faults.caught():
            waveform = model.read(source.recording, start=source.start, end=source.end)
            codes, pitch = model.adapt(waveform, voice, f0=options.f0, f0_shift=options.f0_shift)
            yield Speech(codes, len(waveform), target, pitch)
