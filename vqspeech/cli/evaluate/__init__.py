"""Measure discrete units of any system against phone labels.

Codes and phones are matched by utterance id; nothing of the system that made the codes is needed.

  vqspeech evaluate phonemes --codes codes.txt --phones phones.ctm --out report/
  vqspeech evaluate phonemes --codes hubert.km --manifest dev.tsv --frame-period 0.02 --phones textgrids/ --out report/
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec

from vqspeech.cli.evaluate import abx, conversion, phonemes, prior, robustness, segmentation, speakers
from vqspeech.errors import MissingExtraError

#: What the measures import, here and there: asked for before the first of them begins.
PACKAGES = ("jinja2", "librosa", "matplotlib", "scipy", "sklearn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a sub-command for each measure."""
    measures = parser.add_subparsers(dest="measure", required=True, metavar="MEASURE")
    phonemes.add_arguments(
        measures.add_parser("phonemes", help="phoneme accuracy, purity, PNMI and the rest, as one report")
    )
    segmentation.add_arguments(
        measures.add_parser("segmentation", help="boundaries of units against boundaries of phones")
    )
    abx.add_arguments(measures.add_parser("abx", help="ABX error, within and across speakers, of codes or features"))
    speakers.add_arguments(measures.add_parser("speakers", help="accuracy of a linear speaker probe on the codes"))
    robustness.add_arguments(
        measures.add_parser(
            "robustness", help="how far a model's units move under noise, speed, pitch, MP3, microphone"
        )
    )
    conversion.add_conversion(
        measures.add_parser("conversion", help="voice, words, quality and pitch of converted speech")
    )
    conversion.add_reconstruction(
        measures.add_parser("reconstruction", help="the same for speech resynthesised in its own voice")
    )
    prior.add_arguments(
        measures.add_parser("prior", help="bits per code beside n-grams, and what samples of a prior are like")
    )


def run(options: argparse.Namespace) -> int | None:
    """Run the chosen measure."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra="evaluate", purpose=f"evaluate {options.measure}")
    commands: dict[str, Callable[[argparse.Namespace], None]] = {
        "phonemes": phonemes.run,
        "segmentation": segmentation.run,
        "abx": abx.run,
        "speakers": speakers.run,
        "robustness": robustness.run,
        "conversion": conversion.conversion,
        "reconstruction": conversion.reconstruction,
        "prior": prior.run,
    }
    commands[options.measure](options)
    return None
