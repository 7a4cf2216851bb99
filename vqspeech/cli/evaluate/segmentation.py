"""``vqspeech evaluate segmentation``: boundaries of units against boundaries of phones, between baselines."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vqspeech import ranges
from vqspeech.cli.evaluate import inputs, output

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.evaluation.bootstrap import Resampling
    from vqspeech.evaluation.frames import Frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    inputs.add_codes(parser)
    inputs.add_phones(parser)
    inputs.add_data(parser)
    inputs.add_speakers(parser)
    parser.add_argument(
        "--penalty",
        type=ranges.WEIGHT,
        nargs="*",
        default=[0.5, 1.0, 2.0],
        metavar="WEIGHT",
        help="of duration-penalised segmentation, in units of the mean distance of two codes; default: 0.5 1 2",
    )
    inputs.add_codebook(parser, "for that distance")
    parser.add_argument(
        "--tolerance", type=ranges.TOLERANCE, default=0.02, metavar="SECONDS", help="of a hit; default: 0.02"
    )
    parser.add_argument("--seed", type=ranges.SEED, default=0, help="of the bootstrap, the random baseline and k-means")
    parser.add_argument("--out", metavar="DIR", help="folder for segmentation.json")


def run(options: argparse.Namespace) -> None:
    """Score runs and joined units, and the baselines."""
    import numpy as np

    from vqspeech.evaluation import segmentation
    from vqspeech.evaluation.bootstrap import resampling
    from vqspeech.evaluation.phonemes import baselines
    from vqspeech.evaluation.phonemes.report import NAMES

    part, _ = inputs.test_part(options)
    frames = part.frames
    codebook = inputs.read_codebook(options.codebook, part.codes)
    sequences = frames.sequences()
    systems = {"runs of one code": frames}
    for penalty in options.penalty:
        vectors = np.eye(frames.codebook_size) if codebook is None else codebook
        joined = segmentation.join_sequences(sequences, vectors, penalty=penalty)
        systems[f"duration penalty {penalty:g}"] = frames.with_codes(np.concatenate(joined))
    blind = baselines.blind_codes(frames, seed=options.seed)
    if options.data:
        from vqspeech.evaluation.mfcc import pooled_mfccs

        features = pooled_mfccs(frames, inputs.read_data(options.data), where=options.data)
        blind["mfcc_kmeans"] = baselines.kmeans_baseline(frames, None, features, None, seed=options.seed)[0]
    draws = resampling(frames.speakers, seed=options.seed)
    found = {name: _scores(frames, _ends(system), options.tolerance, draws) for name, system in systems.items()}
    under = {"even_boundaries": _scores(frames, _even(frames), options.tolerance, draws)}
    under |= {name: _scores(frames, _ends(baseline), options.tolerance, draws) for name, baseline in blind.items()}
    rows = [_row(NAMES[name], scores) for name, scores in under.items()]
    rows += [_row(name, scores) for name, scores in found.items()]
    print(output.table(("", "precision", "recall", "F1", "over-seg.", "R-value", "units/s"), rows))
    print(_drawn(draws))
    for note in inputs.notes_of(part):
        print(f"note: {note}")
    if not options.data:
        print(output.BASELINES_WITHOUT_AUDIO)
    output.write(options, "segmentation.json", {"tolerance": options.tolerance, **found, "baselines": under})


def _ends(frames: Frames) -> list[NDArray[np.float64]]:
    from vqspeech.evaluation.segmentation import run_boundaries

    timing = {"frame_period": frames.frame_period, "offset": frames.offset}
    return [run_boundaries(codes, **timing) for codes in frames.sequences()]


def _even(frames: Frames) -> list[NDArray[np.float64]]:
    """Boundaries as far apart as the corpus's phones are long on average."""
    from vqspeech.evaluation.segmentation import even_boundaries

    lengths = [float(frames_of) * frames.frame_period for frames_of in frames.bounds[1:] - frames.bounds[:-1]]
    reference = sum(len(row) for row in frames.boundaries or ())
    return [even_boundaries(length, spacing=sum(lengths) / max(reference, 1)) for length in lengths]


def _scores(frames: Frames, ends: list[NDArray[np.float64]], tolerance: float, draws: Resampling) -> dict[str, Any]:
    from vqspeech.evaluation.bootstrap import boundary_intervals
    from vqspeech.evaluation.segmentation import BoundaryCounts, count_hits, scores

    counts = [
        count_hits(reference, found, tolerance=tolerance)
        for reference, found in zip(frames.boundaries or (), ends, strict=True)
    ]
    rate = (sum(map(len, ends)) + len(ends)) / (len(frames) * frames.frame_period)
    figures = asdict(scores(sum(counts, BoundaryCounts())))
    return {**figures, "units_per_second": rate, "intervals": boundary_intervals(counts, draws)}


def _row(name: str, scores: dict[str, Any]) -> list[str]:
    columns = ("precision", "recall", "f1", "over_segmentation", "r_value")
    within = scores["intervals"]
    shown = {column: f"{scores[column]:.3f}" for column in columns}
    for column in ("f1", "r_value"):
        shown[column] = output.with_interval(scores[column], within.get(column))
    return [name, *shown.values(), f"{scores['units_per_second']:.1f}"]


def _drawn(draws: Resampling) -> str:
    if draws.unit is None:
        return "no intervals: there is one utterance"
    return f"in brackets: 95 % bootstrap intervals over {draws.units} {draws.unit}"
