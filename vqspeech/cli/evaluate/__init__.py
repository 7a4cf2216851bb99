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
from vqspeech.files import require_folder

#: What the measures import, here and there: asked for before the first of them begins.
PACKAGES = ("jinja2", "librosa", "matplotlib", "scipy", "sklearn")


#: Measure -> its purpose in the list, and what its own --help begins with.
MEASURES = {
    "phonemes": (
        "phoneme accuracy, purity, PNMI and the rest, as one report",
        """Phoneme accuracy, phone error rate, purity, PNMI and boundaries, beside baselines: a page and RESULTS.json.

  vqspeech evaluate phonemes --codes exp/test.txt --phones data/test/phones.ctm --data data/test \\
    --train-codes exp/train.txt --train-phones data/train/phones.ctm --train-data data/train --out exp/report

Without --train-codes the map from codes to phones is learnt on the scored part itself; without --data there is no MFCC
baseline.""",
    ),
    "segmentation": (
        "boundaries of units against boundaries of phones",
        """Precision, recall, F1, over-segmentation and R-value of the units' boundaries, between baselines.

  vqspeech evaluate segmentation --codes exp/test.txt --phones data/test/phones.ctm --codebook units --out exp/r""",
    ),
    "abx": (
        "ABX error, within and across speakers, of codes or features",
        """ABX error of codes (one-hot), of their vectors (--codebook) or of features, beside baselines and MFCCs.

  vqspeech evaluate abx --codes exp/test.txt --codebook units --phones data/test/phones.ctm --data data/test --out exp/r
  vqspeech evaluate abx --features hubert/ --frame-period 0.02 --phones data/test/phones.ctm""",
    ),
    "speakers": (
        "accuracy of a linear speaker probe on the codes",
        """Accuracy of a linear probe from code histograms to speakers, beside chance and MFCCs: lower is better.

  vqspeech evaluate speakers --codes exp/test.txt --utt2spk data/test/utt2spk --out exp/report""",
    ),
    "robustness": (
        "how far a model's units move under noise, speed, pitch, MP3, microphone",
        """Unit edit distance between recordings as they are and with noise, another speed, pitch, level or microphone.

  vqspeech evaluate robustness --data data/test --model units --kmeans --out exp/report""",
    ),
    "conversion": (
        "voice, words, quality and pitch of converted speech",
        """Similarity to target and source, word errors, DNSMOS, F0 and cepstral distortion of conversions, on a page
with players. Stopped, the same command goes on where it was.

  vqspeech evaluate conversion --data data/test --targets p225 slt --whisper base.en --out exp/report
  vqspeech evaluate conversion --data data/test --references data/train --converted theirs/ --out exp/theirs""",
    ),
    "reconstruction": (
        "the same for speech resynthesised in its own voice",
        """What of a recording is left when the model decodes its codes in its own voice: measures as for conversion.

  vqspeech evaluate reconstruction --data data/test --metrics words quality --out exp/report""",
    ),
    "prior": (
        "bits per code beside n-grams, and what samples of a prior are like",
        """Bits per code of held-out codes beside n-gram models; repetition, words and nearest training data of samples.

  vqspeech evaluate prior --codes exp/test.txt --train-codes exp/train.txt --prior exp/prior --out exp/report""",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a sub-command for each measure."""
    declare: dict[str, Callable[[argparse.ArgumentParser], None]] = {
        "phonemes": phonemes.add_arguments,
        "segmentation": segmentation.add_arguments,
        "abx": abx.add_arguments,
        "speakers": speakers.add_arguments,
        "robustness": robustness.add_arguments,
        "conversion": conversion.add_conversion,
        "reconstruction": conversion.add_reconstruction,
        "prior": prior.add_arguments,
    }
    measures = parser.add_subparsers(dest="measure", required=True, metavar="MEASURE")
    for name, (purpose, description) in MEASURES.items():
        form = argparse.RawDescriptionHelpFormatter
        declare[name](measures.add_parser(name, help=purpose, description=description, formatter_class=form))


def run(options: argparse.Namespace) -> int | None:
    """Run the chosen measure."""
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, extra="evaluate", purpose=f"evaluate {options.measure}")
    if options.out:
        require_folder(options.out)
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
