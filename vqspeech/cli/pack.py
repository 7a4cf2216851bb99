"""Pack a data directory into one file to train from: memory-mapped, and readable without any audio library.

Interrupted, the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from vqspeech import ranges
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.renamed import add_renamed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="DIR", help="data directory")
    parser.add_argument("out", type=Path, metavar="OUT.pack", help="file to write")
    parser.add_argument("--sample-rate", type=ranges.SAMPLE_RATE, default=16_000, metavar="HZ", help="default: 16000")
    parser.add_argument(
        "--rms", type=ranges.LEVEL, default=0.06, metavar="LEVEL", help="level of active speech; default: 0.06"
    )
    parser.add_argument(
        "--perturbed-copies",
        type=ranges.COPIES,
        default=0,
        metavar="N",
        help="copies of each utterance with pitch and formants perturbed, as encoder input; default: 0",
    )
    add_renamed(parser, "--disguises", "--perturbed-copies", type=ranges.COPIES)
    parser.add_argument("--pitch", action="store_true", help="track F0, for models that it conditions")
    parser.add_argument("--seed", type=ranges.SEED, default=0, metavar="N", help="of the perturbation; default: 0")
    parser.add_argument(
        "--jobs", type=ranges.WORKERS, default=os.cpu_count(), metavar="N", help="processes; default: all cores"
    )
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Pack and say what the pack holds."""
    from vqspeech.cli.common.progress import bar
    from vqspeech.training.pack import write_pack

    pack = write_pack(
        options.data,
        options.out,
        sample_rate=options.sample_rate,
        rms=options.rms,
        perturbed_copies=options.perturbed_copies,
        pitch=options.pitch,
        seed=options.seed,
        jobs=options.jobs,
        progress=bar("packing", "utterance"),
    )
    print(
        f"{options.out}: {len(pack.utterances)} utterances of {len(pack.speakers)} speakers, "
        f"{pack.seconds / 3600:.2f} h, {len(pack.perturbed)} perturbed copies of each"
        + (", with pitch" if len(pack.pitch) else "")
    )
