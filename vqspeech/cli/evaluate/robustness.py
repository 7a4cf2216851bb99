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
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

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
        help=f"how many, spread evenly ({RECORDINGS})",
    )
    parser.add_argument("--seed", type=ranges.SEED, default=0, help="of the noise and the bootstrap")
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

    found = robustness.evaluate(
        [partial(audio.read, one.recording, start=one.start, end=one.end) for one in chosen],
        encode,
        speakers=[utterance.speaker for utterance in chosen],
        seed=options.seed,
        progress=bar("encoding", "recording"),
    )
    rows = []
    for name, figures in found.items():
        about = robustness.DISTORTIONS[name].about if name in robustness.DISTORTIONS else "another recording"
        kept = "" if figures.frames_kept is None else f"{100 * figures.frames_kept:.1f}"
        distance = output.with_interval(figures.ued, figures.interval, scale=100, digits=1)
        rows.append([about, distance, f"{100 * figures.edits_per_unit:.1f}", kept])
    print(output.table(("unit edit distance in %", "per frame (UED)", "per run", "frames kept"), rows))
    info = model.code_info
    print(
        f"{len(chosen)} recordings of {len({u.speaker for u in chosen})} speakers; {info.codebook_size} codes at "
        f"{1 / info.frame_period:g} Hz; UED of Gat et al. 2023: fewer codes and longer runs lower it too"
    )
    about_model = {"model": info.model, "codebook_size": info.codebook_size, "frame_period": info.frame_period}
    output.write(
        options,
        "robustness.json",
        {"about": about_model, "distortions": {name: asdict(figures) for name, figures in found.items()}},
    )
