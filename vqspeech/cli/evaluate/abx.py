"""``vqspeech evaluate abx``: the ABX error of codes, of their vectors or of features, beside baselines and MFCCs."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqspeech import ranges
from vqspeech.cli.common.renamed import add_renamed
from vqspeech.cli.evaluate import inputs, output
from vqspeech.counts import counted
from vqspeech.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.alignment import Alignment
    from vqspeech.evaluation.abx import AbxScore, Distance, Speaker, Tokens
    from vqspeech.evaluation.frames import Frames


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    inputs.add_codes(parser, required=False)
    inputs.add_phones(parser)
    inputs.add_data(parser)
    inputs.add_speakers(parser)
    inputs.add_codebook(parser, "compared beside the codes as they are (one-hot)")
    parser.add_argument(
        "--features", metavar="DIR", help="instead of --codes: a folder of .npy (frames, dimensions), one per utterance"
    )
    parser.add_argument(
        "--task", nargs="+", choices=["triphone", "any"], default=["triphone", "any"], help="contexts; default: both"
    )
    parser.add_argument(
        "--speaker", nargs="+", choices=["within", "across"], default=["within", "across"], help="of X; default: both"
    )
    parser.add_argument(
        "--max-size-group", type=ranges.COUNT, default=10, metavar="N", help="tokens drawn of each phone; default: 10"
    )
    parser.add_argument(
        "--max-x-across", type=ranges.COUNT, default=5, metavar="N", help="speakers X is drawn from; default: 5"
    )
    add_renamed(parser, "--most-tokens", "--max-size-group", type=ranges.COUNT)
    add_renamed(parser, "--most-speakers", "--max-x-across", type=ranges.COUNT)
    parser.add_argument(
        "--engine",
        choices=["auto", "own", "fastabx"],
        default="auto",
        help="what compares; auto: fastabx where it is installed (pip install 'vqspeech[abx]', Python 3.12 or later)",
    )
    parser.add_argument("--seed", type=ranges.SEED, default=0, help="of the draws")
    parser.add_argument("--out", metavar="DIR", help="folder for abx.json")


@dataclass(frozen=True)
class Units:
    """What is compared: codes or features of each utterance.

    Attributes:
        sequences: utterance id -> codes, shape ``(frames,)``, or features, shape ``(frames, dimensions)``.
        frame_period: seconds from one frame to the next.
        offset: seconds to the centre of the first frame.
        codebook_size: number of codes; None for features.
        codebook: vectors of the codes, where given.
        distance: of two frames.
    """

    sequences: dict[str, NDArray[Any]]
    frame_period: float
    offset: float
    codebook_size: int | None = None
    codebook: NDArray[np.float32] | None = None
    distance: Distance = "angular"


def run(options: argparse.Namespace) -> None:
    """Score the units and what they are compared with, under each task and speaker condition."""
    from vqspeech.evaluation.abx import engine_at_hand
    from vqspeech.evaluation.frames import guessed_speaker
    from vqspeech.evaluation.phonemes.report import NAMES

    units, alignment = _units(options)
    named = inputs.read_speakers(options)
    speakers = {name: named.get(name) or guessed_speaker(name) for name in units.sequences}
    if options.engine == "auto":
        options.engine = engine_at_hand()
    representations = _representations(units)
    own = next(iter(representations))
    scored = {
        name: _scores(shown, alignment, speakers, options)
        for name, shown in {**_compared(units, options), **representations}.items()
    }
    conditions = list(scored[own])
    if not conditions:
        raise InputError(
            "nothing could be compared", hint="ABX needs several tokens of each phone and several speakers"
        )
    rows = [
        [NAMES.get(name, name), *(_shown(scores.get(condition)) for condition in conditions)]
        for name, scores in scored.items()
    ]
    print(output.table(("ABX error in %", *(condition.replace("_", " ") for condition in conditions)), rows))
    for condition in (f"{task}_{speaker}" for task in options.task for speaker in options.speaker):
        if condition not in conditions:
            print(f"{condition.replace('_', ' ')}: no two phones can be compared")
            continue
        score = scored[own][condition]
        print(
            f"{condition.replace('_', ' ')}: {counted(score.pairs, 'pair')} of phones, "
            f"{counted(score.cells, 'cell')}, {counted(score.triples, 'triple')}, {counted(score.tokens, 'token')}, "
            f"{counted(score.speakers, 'speaker')}"
        )
    print(f"compared by {_engine(options)}; in brackets: 95 % bootstrap intervals over speakers, where there are five")
    if own == "one_hot":
        print(
            "note: --codebook adds the vectors of the codes, whose error is another measure than that of one-hot codes"
        )
    if not options.data:
        print(output.BASELINES_WITHOUT_AUDIO)
    found = {name: {condition: asdict(score) for condition, score in scores.items()} for name, scores in scored.items()}
    shown = {name: found.pop(name) for name in representations}
    output.write(options, "abx.json", {**shown[own], "representations": shown, "compared": found})


def _representations(units: Units) -> dict[str, Units]:
    """The system's own units in each form that they are compared in, by name; the first is the report's headline."""
    distances: tuple[Distance, ...] = ("angular", "cosine")
    if units.codebook_size is None:
        return {f"features_{distance}": replace(units, distance=distance) for distance in distances}
    one_hot = {"one_hot": replace(units, codebook=None)}
    if units.codebook is None:
        return one_hot
    return {f"vectors_{distance}": replace(units, distance=distance) for distance in distances} | one_hot


def _engine(options: argparse.Namespace) -> str:
    return "fastabx" if options.engine == "fastabx" else "the package's own engine"


def _shown(score: AbxScore | None) -> str:
    return "" if score is None else output.with_interval(score.error, score.interval, scale=100, digits=1)


def _units(options: argparse.Namespace) -> tuple[Units, Alignment]:
    if bool(options.codes) == bool(options.features):
        raise InputError("give either --codes or --features", hint="one of them, not both")
    if options.codes:
        codes = inputs.read_codes(options.codes, options)
        size = codes.info.codebook_size
        units = Units(
            dict(codes.sequences),
            codes.info.frame_period,
            codes.info.offset,
            size,
            inputs.read_codebook(options.codebook, codes),
        )
    else:
        if options.frame_period is None:
            raise InputError("--features needs --frame-period SECONDS", hint="the hop of the features, e.g. 0.01")
        if not Path(options.features).is_dir():
            raise InputError("no such folder", where=options.features, hint="give a folder of .npy files")
        units = Units(
            _features(Path(options.features)),
            options.frame_period,
            options.frame_period / 2 if options.offset is None else options.offset,
        )
    alignment = inputs.read_phones([options.phones], options)[0][0]
    shared = {name: row for name, row in units.sequences.items() if name in alignment and len(row)}
    if not shared:
        raise InputError(
            "no utterance has both units and phones",
            where=options.codes or options.features,
            hint="ids of units and of phones must be equal",
        )
    return replace(units, sequences=shared), alignment


def _features(folder: Path) -> dict[str, NDArray[Any]]:
    """Utterance id -> features, shape ``(frames, dimensions)``, of all ``.npy`` files of a folder."""
    features: dict[str, NDArray[Any]] = {}
    for path in sorted(folder.glob("*.npy")):
        features[path.stem] = inputs.read_vectors(str(path), 2)
        first = next(iter(features))
        dimensions = features[path.stem].shape[1], features[first].shape[1]
        if dimensions[0] != dimensions[1]:
            raise InputError(
                f"{dimensions[0]} dimensions, but {first}.npy has {dimensions[1]}",
                where=path,
                hint="compute all of one kind, (frames, dimensions)",
            )
    return features


def _compared(units: Units, options: argparse.Namespace) -> dict[str, Units]:
    """The baselines, by name."""
    import numpy as np

    from vqspeech.evaluation.mfcc import HOP, WINDOW, log_mel, mfcc, pooled_mfccs, utterance_mfccs
    from vqspeech.evaluation.phonemes import baselines

    data = inputs.read_data(options.data) if options.data else None
    compared: dict[str, Units] = {}
    if units.codebook_size is None:
        shift = max(1, round(baselines.SHIFT / units.frame_period))
        late = {name: np.roll(row, min(shift, len(row) // 2), 0) for name, row in units.sequences.items()}
        compared["features_shifted_1s"] = replace(units, sequences=late)
    else:
        frames = _frames(units)
        others = baselines.blind_codes(frames, seed=options.seed)
        if data:
            features = pooled_mfccs(frames, data, where=options.data)
            others["mfcc_kmeans"] = baselines.kmeans_baseline(frames, None, features, None, seed=options.seed)[0]
        for name, other in others.items():
            # Of k-means no more than one-hot codes are compared: its centres are no part of this codebook.
            codebook = None if name == "mfcc_kmeans" else units.codebook
            sequences: dict[str, NDArray[Any]] = dict(zip(other.utterances, other.sequences(), strict=True))
            compared[name] = replace(units, sequences=sequences, codebook=codebook)
    if data:
        for name, compute in (("mfcc", mfcc), ("log_mel", log_mel)):
            rows = utterance_mfccs(list(units.sequences), data, where=options.data, compute=compute)
            compared[name] = Units(dict(rows), HOP, WINDOW / 2)
    return compared


def _frames(units: Units) -> Frames:
    from vqspeech.codes import CodeInfo, Codes
    from vqspeech.evaluation.frames import frames_of_codes

    info = CodeInfo(units.codebook_size or 0, units.frame_period, units.offset)
    return frames_of_codes(Codes(info, units.sequences))


def _scores(
    units: Units, alignment: Alignment, speakers: dict[str, str], options: argparse.Namespace
) -> dict[str, AbxScore]:
    """Task and speakers, joined by a low line -> score; those that can be scored."""
    from vqspeech.evaluation import abx

    found = {}
    for task in options.task:
        tokens = abx.cut_tokens(
            units.sequences,
            alignment,
            speakers=speakers,
            frame_period=units.frame_period,
            offset=units.offset,
            task=task,
            codebook_size=units.codebook_size,
        )
        for speaker in options.speaker:
            score = _score(tokens, speaker, units, options)
            if score:
                found[f"{task}_{speaker}"] = score
    return found


def _score(tokens: Tokens, speaker: Speaker, units: Units, options: argparse.Namespace) -> AbxScore | None:
    from vqspeech.evaluation import abx

    try:
        return abx.evaluate(
            tokens,
            speaker=speaker,
            codebook=units.codebook,
            distance=units.distance,
            max_size_group=options.max_size_group,
            max_x_across=options.max_x_across,
            seed=options.seed,
            engine=options.engine,
        )
    except abx.NothingToCompareError:
        return None
