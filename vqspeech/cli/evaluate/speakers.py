"""``vqspeech evaluate speakers``: accuracy of a linear speaker probe, between a baseline and a topline."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.evaluate import inputs, output
from vqspeech.counts import counted

if TYPE_CHECKING:
    from vqspeech.evaluation.frames import Frames

_OWN = "these codes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    inputs.add_codes(parser)
    inputs.add_data(parser)
    inputs.add_phones(parser, required=False)
    inputs.add_speakers(parser)
    parser.add_argument(
        "--seed", type=ranges.SEED, default=0, help="of the division into parts, the baselines and the bootstrap"
    )
    parser.add_argument("--out", metavar="DIR", help="folder for speakers.json")


def run(options: argparse.Namespace) -> None:
    """Probe the codes, and what they are compared with."""
    from vqspeech.evaluation import speaker_probe as speakers
    from vqspeech.evaluation.frames import frames_of_codes
    from vqspeech.evaluation.phonemes import baselines
    from vqspeech.evaluation.phonemes.report import NAMES

    notes: list[str] = []
    if options.phones:
        both, _ = inputs.test_part(options)
        frames, notes = both.frames, inputs.left_out_of(both)
    else:
        frames = frames_of_codes(inputs.read_codes(options.codes, options), speakers=inputs.read_speakers(options))

    def probe(part: Frames) -> speakers.SpeakerScores:
        size = part.codebook_size
        return speakers.evaluate(part.sequences(), part.speakers, codebook_size=size, seed=options.seed)

    probed = {
        "random_codes": probe(baselines.blind_codes(frames, seed=options.seed)["random_codes"]),
        _OWN: probe(frames),
    }
    if options.phones:
        # What was said, and how fast, tells speakers apart as well: units without a trace of the voice have this much.
        probed["phones"] = probe(frames.with_codes(frames.phones, codebook_size=len(frames.labels)))
    if options.data:
        from vqspeech.evaluation.mfcc import pooled_mfccs

        features = pooled_mfccs(frames, inputs.read_data(options.data), where=options.data)
        probed["mfcc_kmeans"] = probe(baselines.kmeans_baseline(frames, None, features, None, seed=options.seed)[0])
        statistics = speakers.statistics(features, frames.bounds)
        probed["mfcc_statistics"] = speakers.evaluate_features(statistics, frames.speakers, seed=options.seed)
    own = probed[_OWN]
    rows = [["always the most frequent", f"{100 * own.chance:.1f}", f"{100 / own.speakers:.1f}"]]
    for name, scores in probed.items():
        accuracy = output.with_interval(scores.accuracy, scores.interval, scale=100, digits=1)
        rows.append([NAMES.get(name, name), accuracy, f"{100 * scores.balanced_accuracy:.1f}"])
    print(output.table(("speaker named by a linear probe", "% of utterances", "% all speakers alike"), rows))
    print(
        f"{counted(own.utterances, 'utterance')} of {counted(own.speakers, 'speaker')}; "
        "lower is better: codes should hold the words alone"
    )
    if own.left_out:
        print(f"note: {counted(own.left_out, 'utterance')} of speakers with no other left out")
    for note in notes:
        print(f"note: {note}")
    if not options.phones:
        print("note: no phones were given: --phones adds what the words alone tell of the speaker")
    if not options.data:
        print(output.BASELINES_WITHOUT_AUDIO)
    compared = {name: asdict(scores) for name, scores in probed.items() if name != _OWN}
    output.write(options, "speakers.json", {**asdict(own), "compared": compared})
