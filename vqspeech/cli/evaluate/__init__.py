"""Measure discrete units of any system against phone labels.

Codes and phones are matched by utterance id; nothing of the system that made the codes is needed.

  vqspeech evaluate phonemes --codes codes.txt --phones phones.ctm --out report/
  vqspeech evaluate phonemes --codes hubert.km --manifest dev.tsv --frame-period 0.02 --phones textgrids/ --out report/
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

from vqspeech.cli.evaluate import abx, conversion, phonemes, prior, robustness, segmentation, speakers
from vqspeech.errors import MissingExtraError
from vqspeech.files import require_folder

#: What the measures import, here and there: asked for before the first of them begins.
PACKAGES = ("jinja2", "librosa", "matplotlib", "scipy", "sklearn")


class Measure(NamedTuple):
    """A sub-command.

    Attributes:
        add_arguments: declares its options.
        run: measures.
        purpose: for the list of all.
        description: what its own ``--help`` begins with.
    """

    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]
    purpose: str
    description: str


#: By their names.
MEASURES = {
    "phonemes": Measure(
        phonemes.add_arguments,
        phonemes.run,
        "phoneme accuracy, purity, PNMI and the rest, as one report",
        """Phoneme accuracy, phone error rate, purity, PNMI and boundaries, beside baselines: a page and RESULTS.json.

  vqspeech evaluate phonemes --codes exp/test.txt --phones data/test/phones.ctm --data data/test \\
    --train-codes exp/train.txt --train-phones data/train/phones.ctm --train-data data/train --out exp/report

Without --train-codes the map from codes to phones is learnt on the scored part itself; without --data there is no MFCC
baseline.""",
    ),
    "segmentation": Measure(
        segmentation.add_arguments,
        segmentation.run,
        "boundaries of units against boundaries of phones",
        """Precision, recall, F1, over-segmentation and R-value of the units' boundaries, between baselines.

  vqspeech evaluate segmentation --codes exp/test.txt --phones data/test/phones.ctm --codebook units --out exp/r""",
    ),
    "abx": Measure(
        abx.add_arguments,
        abx.run,
        "ABX error, within and across speakers, of codes or features",
        """ABX error of codes (one-hot), of their vectors (--codebook) or of features, beside baselines and MFCCs.

  vqspeech evaluate abx --codes exp/test.txt --codebook units --phones data/test/phones.ctm --data data/test --out exp/r
  vqspeech evaluate abx --features hubert/ --frame-period 0.02 --phones data/test/phones.ctm""",
    ),
    "speakers": Measure(
        speakers.add_arguments,
        speakers.run,
        "accuracy of a linear speaker probe on the codes",
        """Accuracy of a linear probe from code histograms to speakers, beside chance and MFCCs: lower is better.

  vqspeech evaluate speakers --codes exp/test.txt --utt2spk data/test/utt2spk --out exp/report""",
    ),
    "robustness": Measure(
        robustness.add_arguments,
        robustness.run,
        "how far a model's units move under noise, speed, pitch, MP3, microphone",
        """Unit edit distance between recordings as they are and with noise, another speed, pitch, level or microphone.

  vqspeech evaluate robustness --data data/test --model units --kmeans --out exp/report""",
    ),
    "conversion": Measure(
        conversion.add_conversion,
        conversion.conversion,
        "voice, words, quality and pitch of converted speech",
        """Similarity to target and source, word errors, DNSMOS, F0 and cepstral distortion of conversions, on a page
with players. Stopped, the same command goes on where it was.

  vqspeech evaluate conversion --data data/test --targets p225 slt --whisper base.en --out exp/report
  vqspeech evaluate conversion --data data/test --references data/train --converted theirs/ --out exp/theirs""",
    ),
    "reconstruction": Measure(
        conversion.add_reconstruction,
        conversion.reconstruction,
        "the same for speech resynthesised in its own voice",
        """What of a recording is left when the model decodes its codes in its own voice: measures as for conversion.

  vqspeech evaluate reconstruction --data data/test --metrics words quality --out exp/report""",
    ),
    "prior": Measure(
        prior.add_arguments,
        prior.run,
        "bits per code beside n-grams, and what samples of a prior are like",
        """Bits per code of held-out codes beside n-gram models; repetition, words and nearest training data of samples.

  vqspeech evaluate prior --codes exp/test.txt --train-codes exp/train.txt --prior exp/prior --out exp/report""",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a sub-command for each measure."""
    measures = parser.add_subparsers(dest="measure", required=True, metavar="MEASURE")
    form = argparse.RawDescriptionHelpFormatter
    for name, measure in MEASURES.items():
        own = measures.add_parser(name, help=measure.purpose, description=measure.description, formatter_class=form)
        measure.add_arguments(own)


def run(options: argparse.Namespace) -> int | None:
    """Run the chosen measure."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra="evaluate", purpose=f"evaluate {options.measure}")
    if options.out:
        require_folder(options.out)
    MEASURES[options.measure].run(options)
    return None
