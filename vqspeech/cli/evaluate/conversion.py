"""``vqspeech evaluate conversion`` and ``evaluate reconstruction``: convert and measure balanced pairs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqspeech import ranges
from vqspeech.cli.common.external import require_rate
from vqspeech.cli.common.model import add_generation, add_model, load
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.renamed import add_renamed
from vqspeech.cli.evaluate.inputs import add_foreign, shard
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, path_in
from vqspeech.model.packaged import model_name
from vqspeech.pitch import INTONATIONS
from vqspeech.speaker_blend import require_voices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vqspeech.api import Model
    from vqspeech.evaluation.conversion import Result
    from vqspeech.evaluation.conversion.page import Example
    from vqspeech.evaluation.conversion.pairs import Measure, Pair, Reader
    from vqspeech.evaluation.metrics import MetricSet


def add_conversion(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``evaluate conversion``."""
    _add(parser)
    parser.add_argument(
        "--targets",
        nargs="+",
        metavar="NAME",
        help="whose voices; default: all of the model's that have reference recordings",
    )
    _add_rest(parser)


def add_reconstruction(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``evaluate reconstruction``."""
    _add(parser)
    parser.add_argument("--targets", nargs="+", metavar="NAME", help="whose recordings; default: all of the model")
    _add_rest(parser)


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="DIR", help="data directories with the sources, and their texts"
    )
    parser.add_argument(
        "--references",
        nargs="+",
        default=[],
        metavar="DIR",
        help="data directories with more recordings of the targets, to compare voices with; default: those of --data",
    )
    parser.add_argument(
        "--converted",
        type=Path,
        metavar="DIR",
        help="measure these files in place of a model's: <utterance>-<target>.wav, as vqspeech convert names them",
    )


def _add_rest(parser: argparse.ArgumentParser) -> None:
    from vqspeech.evaluation.conversion.pairs import PAIRS
    from vqspeech.evaluation.metrics import NAMES

    parser.add_argument(
        "--pairs", type=ranges.COUNT, metavar="N", help=f"how many; default: {PAIRS}, of --converted all"
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        choices=NAMES,
        default=list(NAMES),
        metavar="NAME",
        help=f"of {', '.join(NAMES)}; default: all",
    )
    add_renamed(parser, "--judges", "--metrics", nargs="+", choices=NAMES)
    parser.add_argument(
        "--whisper",
        metavar="PATH",
        help="folder of a CTranslate2 Whisper model, or a name for faster-whisper to download, such as base.en; "
        "default: pocketsphinx, which is far less accurate",
    )
    parser.add_argument("--language", default="en", metavar="CODE", help="of the speech, for Whisper; default: en")
    parser.add_argument("--title", help="of the report")
    parser.add_argument(
        "--shard",
        type=shard,
        metavar="K/N",
        help="convert and measure the K-th of N shares of the pairs only, into --out, and write no report; the same "
        "command without it then finds all done, and writes the report",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for RESULTS.json, report.html and wav/")
    parser.add_argument(
        "--through",
        choices=("decoder", "mel"),
        default="decoder",
        help="mel: Griffin-Lim of what the mel head predicts, to see in minutes what codes keep; default: decoder",
    )
    parser.add_argument(
        "--codes",
        metavar="PATH",
        help="make speech of these codes of the sources in place of the model's own, such as those that a decoder was "
        "trained on (train --codes); formats as for convert-units",
    )
    add_foreign(parser.add_argument_group("codes of other systems"))
    parser.add_argument("--f0", choices=INTONATIONS, default="source", help="as for convert; default: source")
    add_model(parser)
    add_allow_pipes(parser)
    add_generation(parser)


def conversion(options: argparse.Namespace) -> None:
    """Run ``evaluate conversion``."""
    _run(options, "conversion")


def reconstruction(options: argparse.Namespace) -> None:
    """Run ``evaluate reconstruction``."""
    _run(options, "reconstruction")


def _run(options: argparse.Namespace, measure: Measure) -> None:
    from vqspeech.cli.common.progress import bar
    from vqspeech.evaluation import metrics
    from vqspeech.evaluation.conversion import evaluate, page, report
    from vqspeech.evaluation.conversion.pairs import PAIRS, by_speaker, choose_pairs, match_files, read_recordings
    from vqspeech.evaluation.conversion.toplines import griffin_lim, mu_law_round_trip
    from vqspeech.evaluation.metrics.cache import cached

    if options.shard and not options.out:
        raise InputError("nowhere to keep the scores", where="--out", hint="name a folder with --out DIR")
    if not options.converted and not options.out:
        raise InputError("nowhere to keep the converted speech", where="--out", hint="name a folder with --out DIR")
    sources = read_recordings(options.data)
    references = by_speaker(read_recordings([*options.data, *options.references]))
    # Metrics are loaded first: a Whisper model that is not there must not be noticed after an hour of conversion.
    metric_set: MetricSet = metrics.load(
        options.metrics, whisper=options.whisper, language=options.language, threads=options.threads
    )
    number, shares = options.shard or (1, 1)
    if options.out:
        metric_set = cached(
            metric_set,
            options.out / "scores",
            job=f"{number}-of-{shares}",
            setting=f"{options.whisper} {options.language}",
        )
    if options.converted:
        pairs, waveforms = match_files(
            options.converted,
            sources,
            references,
            measure=measure,
            targets=options.targets,
            number=options.pairs,
            seed=options.seed,
        )
        pairs = pairs[number - 1 :: shares]
        model = None
    else:
        model = load(options)
        require_voices(model.speakers, where=model.folder)
        for target in options.targets or ():
            model.speaker_index(target)
        pairs = choose_pairs(
            sources,
            references,
            speakers=model.speakers,
            number=options.pairs or PAIRS,
            measure=measure,
            targets=options.targets,
            seed=options.seed,
            where=" ".join(options.data),
        )[number - 1 :: shares]
        waveforms = _convert(options, model, pairs)
    if not pairs:
        print(f"share {number} of {shares} has no pair")
        return
    result = evaluate(
        pairs,
        waveforms,
        references,
        metric_set,
        resyntheses={"mu_law": mu_law_round_trip, "griffin_lim": griffin_lim},
        seed=options.seed,
        progress=bar("scoring", "recording"),
    )
    if options.shard:
        print(f"share {number} of {shares}: {counted(len(pairs), 'pair')} to score")
        return
    name = str(options.converted) if model is None else str(options.model or model_name(model.folder))
    about = report.About(
        title=options.title or f"{measure.capitalize()} by {Path(name).name}",
        measure=measure,
        model=name,
        seed=options.seed,
        sources={"data": " ".join(options.data)}
        | ({"references": " ".join(options.references)} if options.references else {})
        | ({} if model is None else {"checksum": model.checksum, "engine": _engine(model)}),
    )
    print(report.table(result, about))
    if options.out:
        with atomic_open(options.out / "RESULTS.json") as file:
            json.dump(report.results(result, about), file, indent=1, ensure_ascii=False)
            file.write("\n")
        print(f"written: {options.out / 'RESULTS.json'}")
        with atomic_open(options.out / "report.html") as file:
            file.write(page.page(result, about, _examples(result, waveforms)))
        print(f"written: {options.out / 'report.html'}")


def _examples(result: Result, waveforms: Mapping[str, Reader]) -> Iterator[Example]:
    from vqspeech.evaluation.conversion.page import EXAMPLES, Example

    for pair, row, real in list(zip(result.pairs, result.converted.rows, result.real, strict=True))[:EXAMPLES]:
        yield Example(row, pair.source.text, pair.source.read(), waveforms[pair.name](), real.read())


def _engine(model: Model) -> str:
    return f"{model.engine.name}, {model.engine.precision}, post-filter {model.post_filter:g}"


def _convert(options: argparse.Namespace, model: Model, pairs: Sequence[Pair]) -> dict[str, Reader]:
    """Convert what is not there yet, target after target, many streams at a time."""
    from vqspeech import audio
    from vqspeech.cli.common.synthesis import Speech, synthesise

    folder: Path = options.out / "wav"
    _claim(options, model, folder)
    paths = {pair.name: path_in(folder, pair.name, ".wav") for pair in pairs}
    waiting = [pair for pair in pairs if options.force or not paths[pair.name].exists()]
    given = _given_codes(options, model, waiting) if options.codes else None
    for target in sorted({pair.target for pair in waiting}):

        def speeches(target: str = target) -> list[Speech]:
            made = []
            for pair in waiting:
                if pair.target == target:
                    waveform = audio.resample(pair.source.read(), audio.SAMPLE_RATE, model.sample_rate)
                    levelled = model.read(waveform)
                    # A reconstruction is of the codes as they are, not adapted.
                    if given is None and pair.source.speaker != target:
                        codes, pitch = model.adapt(levelled, target, f0=options.f0)
                    else:
                        codes = model.encode_waveform(levelled) if given is None else given[pair.source.name]
                        pitch = model.pitch(levelled, target, f0=options.f0)
                    if given is not None and pitch is not None:
                        pitch = _fitted(pitch, model.frames_of(len(codes)) * model.network.conditioner.frames_per_code)
                    made.append(Speech(codes, len(levelled), str(paths[pair.name]), pitch))
            return made

        synthesise(
            model,
            speeches(),
            target,
            seed=options.seed,
            temperature=options.temperature,
            through=options.through,
        )
    return {name: (lambda path=path: audio.read(path)) for name, path in paths.items()}  # type: ignore[misc]


def _given_codes(options: argparse.Namespace, model: Model, pairs: Sequence[Pair]) -> dict[str, NDArray[np.int32]]:
    """The codes of ``--codes``, of all sources."""
    from vqspeech import codes

    read = codes.read_units(
        options.codes,
        frame_period=options.frame_period,
        offset=options.offset,
        codebook_size=options.codebook_size,
        manifest=options.manifest,
    )
    require_rate(read.info, model, options.codes)
    for pair in pairs:
        if pair.source.name not in read.sequences:
            raise InputError(
                f"no codes of utterance {pair.source.name}", where=options.codes, hint="encode all of --data"
            )
    return read.sequences


def _fitted(pitch: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Pitch of as many frames as codes last; what a recording lacks of them is unvoiced."""
    missing = np.tile(np.array([0, 0, 1], np.float32), (max(0, frames - len(pitch)), 1))
    return np.concatenate([pitch[:frames], missing])


def _claim(options: argparse.Namespace, model: Model, folder: Path) -> None:
    """Note down what makes the files of a folder, so that no other model's are taken for its own."""
    made_by = {
        "checksum": model.checksum,
        "seed": options.seed,
        "temperature": options.temperature,
        "post_filter": model.post_filter,
        "f0": options.f0,
        "through": options.through,
        "codes": options.codes,
        "precision": model.engine.precision,
    }
    note = folder / "made_by.json"
    if note.exists() and not options.force:
        before = json.loads(note.read_text(encoding="utf-8"))
        other = [name for name, value in made_by.items() if before.get(name) != value]
        if other:
            raise InputError(
                f"holds conversions with another {' and '.join(other)}",
                where=folder,
                hint="--force makes them again, --out puts them elsewhere",
            )
    with atomic_open(note) as file:
        json.dump(made_by, file, indent=1)
        file.write("\n")
