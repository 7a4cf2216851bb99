"""``vqspeech evaluate phonemes``: phoneme accuracy, purity, PNMI and the rest, as one report."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from vqspeech import ranges
from vqspeech.cli.evaluate import inputs, output
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    inputs.add_codes(parser)
    inputs.add_phones(parser)
    part = parser.add_argument_group("training part, on which the map from codes to phones is learnt")
    part.add_argument("--train-codes", metavar="PATH", help="its codes")
    part.add_argument("--train-phones", metavar="PATH", help="its phones; default: those of --phones")
    sound = parser.add_argument_group("audio, for the MFCC baseline and topline and the examples of the page")
    sound.add_argument("--data", metavar="DIR", help="data directory with the recordings")
    sound.add_argument(
        "--train-data", metavar="DIR", help="data directory of the training part; default: that of --data"
    )
    sound.add_argument("--mfccs", type=Path, metavar="DIR", help="folder where jobs keep MFCCs for the report to come")
    sound.add_argument(
        "--shard",
        type=inputs.shard,
        metavar="K/N",
        help="compute the MFCCs of the K-th of N shares of the utterances only, into --mfccs, and write no report",
    )
    inputs.add_speakers(parser)
    inputs.add_codebook(parser, "for the distances of --penalty; else all codes are equally far apart")
    parser.add_argument(
        "--penalty",
        type=ranges.WEIGHT,
        nargs="*",
        metavar="WEIGHT",
        help="duration penalties that are tried, see encode --duration-penalty; default: 0 0.1 0.25 0.5 1 2 4",
    )
    parser.add_argument("--title", help="of the report")
    parser.add_argument("--seed", type=ranges.SEED, default=0, help="of the bootstrap, the random baseline and k-means")
    parser.add_argument("--out", metavar="DIR", help="folder for RESULTS.json and report.html")


def run(options: argparse.Namespace) -> None:
    """Measure codes against phones and write the report."""
    from vqspeech.evaluation import phonemes
    from vqspeech.evaluation.mfcc_cache import MfccCache
    from vqspeech.evaluation.phonemes import baselines, page, report
    from vqspeech.evaluation.phonemes.examples import choose_examples
    from vqspeech.evaluation.phonemes.penalty_tradeoff import PENALTIES, trade

    if options.train_phones and not options.train_codes:
        raise InputError("--train-phones without --train-codes", hint="give both, or neither")
    if options.train_data and not (options.data and options.train_codes):
        raise InputError("--train-data needs --data and --train-codes", hint="MFCCs of both parts are compared")
    if options.shard and not (options.mfccs and options.data):
        raise InputError("--shard needs --mfccs and --data", hint="a shard computes MFCCs of the data alone")
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
            raise InputError(
                "another frame period than the test part's",
                where=options.train_codes,
                hint="encode both with one model",
            )
        train = inputs.make_part(options.train_codes, train_codes, alignments[-1], speakers)
        notes += [f"training part: {note}" for note in inputs.notes_of(train)]
        both = set(test.frames.utterances) & set(train.frames.utterances)
        if both:
            notes.append(
                f"{counted(len(both), 'utterance')} in the training part too, e.g. {min(both)}: "
                "the accuracy is optimistic"
            )
    else:
        notes.append(
            "no training part was given: the map is learnt on the scored part, for each utterance on all others, "
            "so the same speakers are in both; --train-codes gives the stricter figure"
        )
    info = codes.info
    test_frames, train_frames = phonemes.same_labels(test.frames, train.frames if train else None)
    data = inputs.read_data(options.data) if options.data else None
    folder = options.train_data or options.data
    train_data = inputs.read_data(options.train_data) if options.train_data else data
    mfccs = MfccCache(options.mfccs, options.shard or (1, 1))
    if options.shard and data:
        mfccs.compute(test.frames, data, where=options.data)
        if train and train_data:
            mfccs.compute(train.frames, train_data, where=folder)
        return
    result = phonemes.evaluate_frames(test_frames, train_frames, seed=options.seed)
    if data:
        features = mfccs.all(test.frames, data, where=options.data)
        train_features = mfccs.all(train.frames, train_data, where=folder) if train and train_data else None
        sounds = (test_frames, train_frames, features, train_features)
        baseline = baselines.kmeans_baseline(*sounds, seed=options.seed)
        topline = baselines.linear_topline(*sounds, seed=options.seed)
        result.baselines["mfcc_kmeans"] = phonemes.score(*baseline)
        result.toplines["mfcc_linear"] = phonemes.score(*topline)
    else:
        notes.append("no audio was given: --data DIR adds the MFCC baseline and topline")
    penalties = PENALTIES if options.penalty is None else options.penalty
    if penalties:
        codebook = inputs.read_codebook(options.codebook, codes)
        result = replace(result, trade=trade(test_frames, train_frames, codebook, penalties=penalties))
    about = report.About(
        title=options.title or f"Phonemes in {inputs.system_name(codes, options.codes)}",
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
    output.write(options, "RESULTS.json", report.results(result, about))
    if options.out:
        target = Path(options.out) / "report.html"
        shown = choose_examples(test.frames, test.codes, test.phones, data) if data else ()
        with atomic_open(target) as file:
            file.write(page.page(result, about, shown))
        print(f"written: {target}")
