"""Make Kaldi data directories DEST/train, DEST/dev and DEST/test from a corpus on disk.

    vqspeech prepare vctk VCTK-Corpus-0.92 data/vctk --speakers p225 p226
    vqspeech prepare folder my-recordings data/mine --no-text

The audio stays where it is: the directories name it by absolute path. Which utterance goes to which part depends on
its id and the seed alone, so that speech added later moves nothing. 'vqspeech prepare CORPUS --help' has the layout
that is expected and the corpus's own options.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vqspeech import ranges
from vqspeech.alignment import read_timit, write_ctm
from vqspeech.cli.common.tables import print_parts, warn_incomplete
from vqspeech.corpora import CORPORA, corpus
from vqspeech.datadir import DataDir

#: Corpora that come with a division of their own.
_OFFICIAL = ("librispeech", "timit", "lhotse")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command, a sub-command a corpus."""
    commands = parser.add_subparsers(dest="corpus", metavar="CORPUS", required=True)
    for name, purpose in CORPORA.items():
        command = commands.add_parser(name, help=purpose, description=f"Make data directories from {purpose}.")
        command.add_argument("source", type=Path, metavar="SRC", help="the folder of the corpus")
        command.add_argument("dest", type=Path, metavar="DEST", help="the folder to write train, dev and test in")
        command.add_argument("--speakers", nargs="+", metavar="ID", help="take these speakers only")
        command.add_argument(
            "--dev", type=ranges.SHARE, default=0.05, metavar="SHARE", help="share of dev; default: 0.05"
        )
        command.add_argument(
            "--test", type=ranges.SHARE, default=0.05, metavar="SHARE", help="share of test; default: 0.05"
        )
        choices = ["utterance", "speaker", *(["official"] if name in _OFFICIAL else [])]
        own = ", or as the corpus itself is divided" if name in _OFFICIAL else ""
        command.add_argument(
            "--by",
            choices=choices,
            default="utterance",
            help=f"share every speaker among the parts, or keep each in one{own}; default: utterance",
        )
        command.add_argument(
            "--at-least",
            type=ranges.COUNT_OR_NONE,
            default=1,
            metavar="N",
            help="by utterance: N utterances of each speaker in dev and test, where the speaker has enough; default: 1",
        )
        command.add_argument(
            "--seed", type=ranges.SEED, default=0, help="another seed makes another division; default: 0"
        )
        if name == "vctk":
            command.add_argument(
                "--mic", choices=("mic1", "mic2"), default="mic1", help="microphone of 0.92; default: mic1"
            )
        if name in ("vctk", "folder"):
            command.add_argument(
                "--no-text",
                dest="text",
                action="store_false",
                help="take no transcripts, and recordings that have none too",
            )
        if name == "lhotse":
            command.add_argument("--recipe", metavar="NAME", help="lhotse's name of the corpus (else: manifests)")


def run(options: argparse.Namespace) -> None:
    """Prepare, write every part, print a table."""
    from vqspeech.corpora.parts import Parts

    parts = Parts(dev=options.dev, test=options.test, by=options.by, at_least=options.at_least, seed=options.seed)
    speakers = [name for word in options.speakers or [] for name in word.split(",") if name]
    own: dict[str, Any] = {name: getattr(options, name) for name in ("mic", "text", "recipe") if name in options}
    module = corpus(options.corpus)
    prepared: dict[str, DataDir] = module.prepare(options.source, speakers=speakers or None, parts=parts, **own)
    for name, data in prepared.items():
        data.write(options.dest / name)
        if options.corpus == "timit":
            phones = {utterance.id: read_timit(module.label_file(utterance)) for utterance in data}
            write_ctm(options.dest / name / "phones.ctm", phones)
        warn_incomplete(data, options.dest / name)
    for name in ("train", "dev", "test"):
        if name not in prepared and (options.dest / name).exists():
            print(f"{options.dest / name}: from an earlier run, no part of this one", file=sys.stderr)
    print_parts(prepared)
