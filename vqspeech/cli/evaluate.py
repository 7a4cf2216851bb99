"""Measure discrete units of any system against phone labels.

Codes and phones are matched by utterance id; nothing of the system that made the codes is needed.

  vqspeech evaluate phonemes --codes codes.txt --phones phones.ctm --out report/
  vqspeech evaluate phonemes --codes hubert.km --manifest dev.tsv --frame-period 0.02 --phones textgrids/ --out report/
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vqspeech.cli import evaluate_conversion
from vqspeech.cli import evaluation_inputs as inputs
from vqspeech.errors import InputError
from vqspeech.files import atomic_open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a sub-command for each measure."""
    measures = parser.add_subparsers(dest="measure", required=True, metavar="MEASURE")
    _add_phonemes(measures.add_parser("phonemes", help="phoneme accuracy, purity, PNMI and the rest, as one report"))
    _add_segmentation(measures.add_parser("segmentation", help="boundaries of units against boundaries of phones"))
    _add_abx(measures.add_parser("abx", help="ABX error, within and across speakers, of codes or features"))
    _add_speakers(measures.add_parser("speakers", help="how well a linear probe tells the speaker from the codes"))
    evaluate_conversion.add_conversion(
        measures.add_parser("conversion", help="voice, words, quality and pitch of converted speech")
    )
    evaluate_conversion.add_reconstruction(
        measures.add_parser("reconstruction", help="the same for speech said again in its own voice")
    )


def run(options: argparse.Namespace) -> int | None:
    """Run the chosen measure."""
    commands: dict[str, Callable[[argparse.Namespace], None]] = {
        "phonemes": _phonemes,
        "segmentation": _segmentation,
        "abx": _abx,
        "speakers": _speakers,
        "conversion": evaluate_conversion.conversion,
        "reconstruction": evaluate_conversion.reconstruction,
    }
    commands[options.measure](options)
    return None


def _write(options: argparse.Namespace, name: str, found: dict[str, Any]) -> None:
    if options.out:
        target = Path(options.out) / name
        with atomic_open(target) as file:
            json.dump(found, file, indent=1, ensure_ascii=False)
            file.write("\n")
        print(f"written: {target}")


def _add_phonemes(parser: argparse.ArgumentParser) -> None:
    inputs.add_codes(parser)
    inputs.add_phones(parser)
    part = parser.add_argument_group("training part, on which the map from codes to phones is learnt")
    part.add_argument("--train-codes", metavar="PATH", help="its codes")
    part.add_argument("--train-phones", metavar="PATH", help="its phones (those of --phones)")
    sound = parser.add_argument_group("audio, for the MFCC floor and ceiling and the examples of the page")
    sound.add_argument("--data", metavar="DIR", help="data directory with the recordings")
    sound.add_argument("--train-data", metavar="DIR", help="data directory of the training part (that of --data)")
    inputs.add_speakers(parser)
    parser.add_argument("--title", help="of the report")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap, the random floor and k-means")
    parser.add_argument("--out", metavar="DIR", help="folder for RESULTS.json and report.html")


def _phonemes(options: argparse.Namespace) -> None:
    from vqspeech.evaluation import floors, page, phonemes, report

    if options.train_phones and not options.train_codes:
        raise InputError("--train-phones without --train-codes")
    if options.train_data and not (options.data and options.train_codes):
        raise InputError("--train-data needs --data and --train-codes")
    codes = inputs.read_codes(options.codes, options)
    paths = [options.phones, *([options.train_phones] if options.train_phones else [])]
    alignments, phone_set = inputs.read_phones(paths, options)
    speakers = inputs.read_speakers(options)
    test = inputs.make_part(options.codes, codes, alignments[0], speakers)
    train = None
    notes = inputs.notes_of(test)
    if options.train_codes:
        train_codes = inputs.read_codes(options.train_codes, options)
        if train_codes.info.frame_period != codes.info.frame_period:
            raise InputError("another frame period than the test part's", where=options.train_codes)
        train = inputs.make_part(options.train_codes, train_codes, alignments[-1], speakers)
        notes += [f"training part: {note}" for note in inputs.notes_of(train)]
        both = set(test.frames.utterances) & set(train.frames.utterances)
        if both:
            notes.append(
                f"{len(both)} utterances are in the training part too, e.g. {min(both)}: the accuracy is no honest one"
            )
    else:
        notes.append(
            "no training part was given: the map is learnt on the scored part, for each utterance on all others, "
            "so speakers are heard in both; --train-codes gives the stricter figure"
        )
    info = codes.info
    test_frames, train_frames = phonemes.same_labels(test.frames, train.frames if train else None)
    result = phonemes.evaluate_frames(test_frames, train_frames, seed=options.seed)
    data = inputs.read_data(options.data) if options.data else None
    if data:
        features = inputs.pooled_mfccs(test, data, where=options.data)
        train_features = None
        if train:
            folder = options.train_data or options.data
            train_features = inputs.pooled_mfccs(
                train, inputs.read_data(folder) if options.train_data else data, where=folder
            )
        sounds = (test_frames, train_frames, features, train_features)
        floor = floors.kmeans_floor(*sounds, seed=options.seed)
        ceiling = floors.linear_ceiling(*sounds, seed=options.seed)
        result.floors["mfcc_kmeans"] = phonemes.score(*floor)
        result.ceilings["mfcc_linear"] = phonemes.score(*ceiling)
    else:
        notes.append("no audio was given: --data DIR adds the MFCC floor and ceiling")
    about = report.About(
        title=options.title or f"Phonemes in {info.model or Path(options.codes).name}",
        model=info.model,
        phone_set=phone_set,
        codebook_size=info.codebook_size,
        frame_period=info.frame_period,
        utterances=len(test_frames.utterances),
        speakers=len(set(test_frames.speakers)),
        train_utterances=len(train_frames.utterances) if train_frames else 0,
        notes=tuple(notes),
        sources={
            name: value
            for name in ("codes", "phones", "train_codes", "train_phones", "data", "train_data")
            if (value := getattr(options, name))
        },
    )
    print(report.table(result, about))
    _write(options, "RESULTS.json", report.results(result, about))
    if options.out:
        target = Path(options.out) / "report.html"
        with atomic_open(target) as file:
            file.write(page.page(result, about, inputs.examples(test, data) if data else ()))
        print(f"written: {target}")


def _add_segmentation(parser: argparse.ArgumentParser) -> None:
    inputs.add_codes(parser)
    inputs.add_phones(parser)
    inputs.add_speakers(parser)
    parser.add_argument(
        "--penalty",
        type=float,
        nargs="*",
        default=[0.5, 1.0, 2.0],
        metavar="WEIGHT",
        help="of duration-penalised segmentation, in units of the mean distance of two codes (0.5 1 2)",
    )
    parser.add_argument("--codebook", metavar="NPY", help="vectors of the codes (codes, dimensions), for that distance")
    parser.add_argument("--tolerance", type=float, default=0.02, metavar="SECONDS", help="of a hit (0.02)")
    parser.add_argument("--out", metavar="DIR", help="folder for segmentation.json")


def _segmentation(options: argparse.Namespace) -> None:
    import numpy as np

    from vqspeech.evaluation import segmentation

    part, _ = inputs.test_part(options)
    frames = part.frames
    codebook = inputs.read_codebook(options.codebook, frames.codebook_size)
    sequences = frames.sequences()
    systems = {"runs of one code": sequences}
    for penalty in options.penalty:
        vectors = np.eye(frames.codebook_size) if codebook is None else codebook
        systems[f"duration penalty {penalty:g}"] = segmentation.join_sequences(sequences, vectors, penalty=penalty)
    found = {}
    print(f"{'':24}  precision  recall     F1  over-seg.  R-value  units/s")
    for name, units in systems.items():
        ends = [
            segmentation.run_boundaries(row, frame_period=frames.frame_period, offset=frames.offset) for row in units
        ]
        scores = segmentation.evaluate(frames.boundaries or (), ends, tolerance=options.tolerance)
        rate = (sum(map(len, ends)) + len(ends)) / (len(frames) * frames.frame_period)
        print(
            f"{name:24}  {scores.precision:9.3f}  {scores.recall:6.3f}  {scores.f1:5.3f}  "
            f"{scores.over_segmentation:9.3f}  {scores.r_value:7.3f}  {rate:7.1f}"
        )
        found[name] = {**asdict(scores), "units_per_second": rate}
    _print_notes(part)
    _write(options, "segmentation.json", {"tolerance": options.tolerance, **found})


def _print_notes(part: inputs.Part) -> None:
    for note in inputs.notes_of(part):
        print(f"note: {note}")


def _add_abx(parser: argparse.ArgumentParser) -> None:
    inputs.add_codes(parser, required=False)
    inputs.add_phones(parser)
    inputs.add_speakers(parser)
    parser.add_argument("--codebook", metavar="NPY", help="vectors of the codes (codes, dimensions); else one-hot")
    parser.add_argument(
        "--features", metavar="DIR", help="instead of --codes: a folder of .npy (frames, dimensions), an utterance each"
    )
    parser.add_argument("--task", nargs="+", choices=["triphone", "any"], default=["triphone", "any"], help="both")
    parser.add_argument("--speaker", nargs="+", choices=["within", "across"], default=["within", "across"], help="both")
    parser.add_argument("--most-tokens", type=int, default=10, metavar="N", help="tokens drawn of each phone (10)")
    parser.add_argument("--most-speakers", type=int, default=5, metavar="N", help="speakers X is drawn from (5)")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--out", metavar="DIR", help="folder for abx.json")


def _abx(options: argparse.Namespace) -> None:
    import numpy as np

    from vqspeech.evaluation import abx
    from vqspeech.evaluation.frames import guessed_speaker

    if bool(options.codes) == bool(options.features):
        raise InputError("give either --codes or --features")
    table = None
    sequences: dict[str, Any]
    if options.codes:
        codes = inputs.read_codes(options.codes, options)
        sequences, period, offset = dict(codes.sequences), codes.info.frame_period, codes.info.offset
        codebook = inputs.read_codebook(options.codebook, codes.info.codebook_size)
        table = abx.angular_distances(np.eye(codes.info.codebook_size) if codebook is None else codebook)
    else:
        if options.frame_period is None:
            raise InputError("--features needs --frame-period SECONDS")
        period = options.frame_period
        offset = period / 2 if options.offset is None else options.offset
        sequences = {
            path.stem: inputs.read_vectors(str(path), 2) for path in sorted(Path(options.features).glob("*.npy"))
        }
    alignments, _ = inputs.read_phones([options.phones], options)
    shared = [name for name in sequences if name in alignments[0]]
    if not shared:
        raise InputError("no utterance has both units and phones", where=options.codes or options.features)
    named = inputs.read_speakers(options)
    speakers = {name: named.get(name) or guessed_speaker(name) for name in shared}
    found: dict[str, Any] = {}
    for task in options.task:
        tokens = abx.cut_tokens(
            {name: sequences[name] for name in shared},
            alignments[0],
            speakers=speakers,
            frame_period=period,
            offset=offset,
            task=task,
        )
        for speaker in options.speaker:
            try:
                score = abx.evaluate(
                    tokens,
                    speaker=speaker,
                    table=table,
                    most_tokens=options.most_tokens,
                    most_speakers=options.most_speakers,
                    seed=options.seed,
                )
            except InputError as error:
                print(f"{task:8} {speaker:6}  none: {error}")
                continue
            print(
                f"{task:8} {speaker:6}  error {100 * score.error:5.2f} %  "
                f"({score.pairs} pairs of phones, {score.cells} cells, {score.triples} triples, {score.tokens} tokens)"
            )
            found[f"{task}_{speaker}"] = asdict(score)
    if not found:
        raise InputError(
            "nothing could be compared", cure="ABX needs several tokens of each phone and several speakers"
        )
    _write(options, "abx.json", found)


def _add_speakers(parser: argparse.ArgumentParser) -> None:
    inputs.add_codes(parser)
    inputs.add_speakers(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the division into parts")
    parser.add_argument("--out", metavar="DIR", help="folder for speakers.json")


def _speakers(options: argparse.Namespace) -> None:
    from vqspeech.evaluation import speakers
    from vqspeech.evaluation.frames import guessed_speaker

    codes = inputs.read_codes(options.codes, options)
    named = inputs.read_speakers(options)
    kept = {name: row for name, row in codes.sequences.items() if row.size}
    scores = speakers.evaluate(
        list(kept.values()),
        [named.get(name) or guessed_speaker(name) for name in kept],
        codebook_size=codes.info.codebook_size,
        seed=options.seed,
    )
    print(
        f"a linear probe names the speaker of {100 * scores.accuracy:.1f} % of {scores.utterances} utterances "
        f"({100 * scores.balanced_accuracy:.1f} % with all speakers alike); always the most frequent of "
        f"{scores.speakers}: {100 * scores.chance:.1f} %"
    )
    if scores.left_out:
        print(f"note: {scores.left_out} utterances of speakers with no other were left out")
    _write(options, "speakers.json", asdict(scores))
