"""``vqspeech evaluate robustness``: unit edit distance under noise, speed, pitch, MP3, level and microphone."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.common.model import add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.evaluate import inputs, output
from vqspeech.counts import counted
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.evaluation.robustness import Robustness

#: Recordings that are measured unless asked otherwise.
RECORDINGS = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--data", required=True, metavar="DIR", help="data directory with the recordings")
    parser.add_argument(
        "--recordings",
        type=ranges.COUNT,
        default=RECORDINGS,
        metavar="N",
        help=f"how many, spread evenly; default: {RECORDINGS}",
    )
    parser.add_argument(
        "--kmeans",
        action="store_true",
        help="MFCC k-means of the same size and rate beside it, placed on the recordings",
    )
    parser.add_argument("--seed", type=ranges.SEED, default=0, help="of noise, k-means and bootstrap")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for robustness.json")
    add_model(parser)
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> None:
    """Encode recordings as they are and changed, and compare."""
    import numpy as np

    from vqspeech import audio
    from vqspeech.cli.common.progress import bar
    from vqspeech.evaluation import robustness

    utterances = list(inputs.read_data(options.data))
    if not utterances:
        raise InputError("no utterances", where=options.data, hint="prepare the data directory again")
    places = np.unique(
        np.linspace(0, len(utterances) - 1, min(options.recordings, len(utterances))).round().astype(int)
    )
    chosen = [utterances[place] for place in places]
    model = load(options)

    def encode(waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        resampled = [audio.resample(one, audio.SAMPLE_RATE, model.sample_rate) for one in waveforms]
        return model.encode_many(resampled)

    measure = partial(
        robustness.evaluate,
        [partial(audio.read, one.recording, start=one.start, end=one.end) for one in chosen],
        speakers=[utterance.speaker for utterance in chosen],
        seed=options.seed,
    )
    found = measure(encode, progress=bar("encoding", "recording"))
    info = model.code_info
    print(output.table(("unit edit distance in %", "per frame (UED)", "per run", "frames kept"), _rows(found)))
    baselines = {}
    if options.kmeans:
        from vqspeech.evaluation.robustness.mfcc_units import MfccUnits

        clusters = MfccUnits(
            (audio.read(one.recording, start=one.start, end=one.end) for one in chosen),
            clusters=info.codebook_size,
            frame_period=info.frame_period,
            offset=info.offset,
            seed=options.seed,
        )
        baselines["mfcc_kmeans"] = measure(clusters, progress=bar("MFCC k-means", "recording"))
        print(
            output.table(("MFCC k-means", "per frame (UED)", "per run", "frames kept"), _rows(baselines["mfcc_kmeans"]))
        )
    print(
        f"{counted(len(chosen), 'recording')} of {counted(len({u.speaker for u in chosen}), 'speaker')}; "
        f"{counted(info.codebook_size, 'code')} at {1 / info.frame_period:g} Hz; "
        "UED of Gat et al. 2023: fewer codes and longer runs lower it too"
    )
    about_model = {"model": info.model, "codebook_size": info.codebook_size, "frame_period": info.frame_period}
    written = {"about": about_model, "distortions": _figures(found)}
    if baselines:
        written["baselines"] = {name: {"distortions": _figures(one)} for name, one in baselines.items()}
    output.write(options, "robustness.json", written)


def _rows(found: dict[str, Robustness]) -> list[list[str]]:
    from vqspeech.evaluation.robustness import DISTORTIONS

    rows = []
    for name, figures in found.items():
        about = DISTORTIONS[name].about if name in DISTORTIONS else "another recording"
        kept = "" if figures.frames_kept is None else f"{100 * figures.frames_kept:.1f}"
        distance = output.with_interval(figures.ued, figures.interval, scale=100, digits=1)
        rows.append([about, distance, f"{100 * figures.edits_per_unit:.1f}", kept])
    return rows


def _figures(found: dict[str, Robustness]) -> dict[str, dict[str, object]]:
    return {name: asdict(figures) for name, figures in found.items()}
