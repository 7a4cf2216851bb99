"""``vqspeech evaluate prior``: what held-out codes cost a prior and n-gram models, and what its samples are like."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.common.model import model_path
from vqspeech.cli.common.renamed import add_renamed
from vqspeech.cli.evaluate import inputs
from vqspeech.cli.evaluate import prior_audio as sounding
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vqspeech.api import Model
    from vqspeech.codes import Codes
    from vqspeech.evaluation.prior import Progress
    from vqspeech.model.prior import Prior

    Sequences = dict[str, NDArray[np.int32]]

#: Orders of n-gram models that are of any use; the tables of higher ones only grow.
_HIGHEST_ORDER = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    inputs.add_codes(parser)
    parser.add_argument(
        "--train-codes", nargs="+", required=True, metavar="PATH", help="what the prior was trained on, for the n-grams"
    )
    inputs.add_speakers(parser)
    parser.add_argument(
        "--order", type=ranges.ORDER, default=3, metavar="N", help="highest of n-grams, to 5; default: 3"
    )
    prior = parser.add_argument_group("the prior; without any of these the n-gram models alone are measured")
    prior.add_argument(
        "--prior",
        type=model_path,
        metavar="DIR",
        help="scores --codes and draws samples; default names the packaged one",
    )
    prior.add_argument("--condition-on-speaker", action="store_true", help="condition it on speakers (--utt2spk)")
    add_renamed(prior, "--tell-speaker", "--condition-on-speaker", nargs=0, const=True)
    prior.add_argument("--scores", type=Path, metavar="FILE", help="of any prior, as vqspeech score writes them")
    prior.add_argument("--samples", metavar="CODES.txt", help="of any prior")
    samples = parser.add_argument_group("samples of --prior")
    samples.add_argument("--count", type=ranges.DRAWS, default=20, metavar="N", help="how many; default: 20")
    samples.add_argument("--seconds", type=ranges.SECONDS, default=5.0, metavar="S", help="of each; default: 5")
    samples.add_argument("--temperature", type=ranges.TEMPERATURE, default=1.0, metavar="T", help="default: 1")
    samples.add_argument("--top-k", type=ranges.COUNT, metavar="K", help="from the K likeliest codes; default: all")
    samples.add_argument(
        "--top-p", type=ranges.MASS, default=1.0, metavar="P", help="from the likeliest of mass P; default: 1"
    )
    sounding.add_speech(parser)
    parser.add_argument("--seed", type=ranges.SEED, default=0, metavar="N", help="of all that is drawn; default: 0")
    parser.add_argument("--title", help="of the report")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for RESULTS.json, report.html and wav/")


def run(options: argparse.Namespace) -> None:
    """Measure, print and write."""
    from vqspeech.evaluation.frames import guessed_speaker
    from vqspeech.evaluation.prior import bits as prior_bits
    from vqspeech.evaluation.prior import compare, evaluate
    from vqspeech.evaluation.prior import page as prior_page
    from vqspeech.evaluation.prior import report as prior_report
    from vqspeech.evaluation.prior.ngrams import NGrams

    _check(options)
    # Metrics are loaded first: a Whisper model that is not there must not be noticed after an hour of drawing.
    listener, known, missing = sounding.listener_of(options)
    held_out, train = _held_out(options), _train(options)
    _same(held_out, train, options)
    notes = _overlap(held_out, train)
    size, period = held_out.info.codebook_size, held_out.info.frame_period
    model, prior = sounding.speaking_model(options, held_out), _prior(options, held_out)
    named = inputs.read_speakers(options)
    scores = _scores(options, prior, held_out, named)
    samples = _samples(options, prior, held_out)
    ngrams = NGrams(train.sequences.values(), codebook_size=size, order=options.order)
    bits = prior_bits.measure(
        held_out.sequences,
        [named.get(name) or guessed_speaker(name) for name in held_out.sequences],
        ngrams,
        prior=scores,
        train_codes=sum(map(len, train.sequences.values())),
        code_rate=1 / period,
        seed=options.seed,
    )
    compared = compare(samples, held_out.sequences, ngrams, seed=options.seed) if samples else None
    sounds = sounding.sounds_of(options, model, compared, held_out) if compared else {}
    result = evaluate(
        bits,
        train.sequences,
        compared,
        codebook_size=size,
        frame_period=period,
        order=options.order,
        recordings=sounds,
        listener=listener,
        known=known,
        progress=_progress(),
    )
    about = prior_report.About(
        title=options.title or f"Prior over the codes of {held_out.info.model or Path(options.codes).name}",
        model=held_out.info.model,
        codebook_size=size,
        sources={"codes": options.codes, "training codes": " ".join(options.train_codes)}
        | {name: str(value) for name in ("prior", "scores", "samples", "data") if (value := getattr(options, name))},
        settings=_settings(options, model),
        seed=options.seed,
        notes=(*notes, *missing),
    )
    print(prior_report.table(result, about))
    if options.out:
        with atomic_open(options.out / "RESULTS.json") as file:
            json.dump(prior_report.results(result, about), file, indent=1, ensure_ascii=False)
            file.write("\n")
        print(f"written: {options.out / 'RESULTS.json'}")
        with atomic_open(options.out / "report.html") as file:
            file.write(prior_page.page(result, about, sounding.examples(sounds)))
        print(f"written: {options.out / 'report.html'}")


def _check(options: argparse.Namespace) -> None:
    if not 1 <= options.order <= _HIGHEST_ORDER:
        raise InputError(f"order {options.order}", where="--order", hint=f"ask for 1 to {_HIGHEST_ORDER}")
    if options.count < 1:
        raise InputError(f"{options.count} samples", where="--count", hint="ask for one or more")
    if not 0 < options.seconds < float("inf"):
        raise InputError(f"{options.seconds:g} seconds", where="--seconds", hint="ask for more than 0")
    if options.sample_wavs and not options.samples:
        raise InputError("speech without its codes", where="--sample-wavs", hint="name its codes with --samples")
    if options.sample_wavs and options.speak:
        raise InputError("samples that are spoken already", where="--speak", hint="leave out --sample-wavs")
    if options.condition_on_speaker and not options.prior:
        raise InputError("no prior to condition", where="--condition-on-speaker", hint="name one with --prior")
    if (options.speak or options.data) and not (options.prior or options.samples):
        raise InputError("no samples to compare speech with", where="--speak", hint="give --prior or --samples")


def _held_out(options: argparse.Namespace) -> Codes:
    found = inputs.read_codes(options.codes, options)
    if not any(map(len, found.sequences.values())):
        raise InputError("no codes in it", where=options.codes, hint="give the codes of held-out speech")
    return found


def _train(options: argparse.Namespace) -> Codes:
    """All training codes together."""
    from vqspeech.codes import Codes

    parts = [inputs.read_codes(path, options) for path in options.train_codes]
    for path, part in zip(options.train_codes, parts, strict=True):
        if not any(map(len, part.sequences.values())):
            raise InputError("no codes in it", where=path, hint="give the codes the prior was trained on")
    return Codes(parts[0].info, {name: codes for part in parts for name, codes in part.sequences.items()})


def _same(held_out: Codes, other: Codes, options: argparse.Namespace, *, where: str | None = None) -> None:
    """Are the codes of one system?"""
    ours, theirs = held_out.info, other.info
    place = where or options.train_codes[0]
    for name in ("codebook_size", "frame_period"):
        if options.frame_period is None and getattr(ours, name) != getattr(theirs, name):
            raise InputError(
                f"{name} {getattr(theirs, name)}, where {options.codes} has {getattr(ours, name)}",
                where=place,
                hint="encode both with one model",
            )
    if ours.checksum and theirs.checksum and ours.checksum != theirs.checksum:
        raise InputError(
            f"codes of another model than those of {options.codes}", where=place, hint="encode both with one model"
        )
    highest = max(int(codes.max(initial=0)) for codes in other.sequences.values())
    if highest >= ours.codebook_size:
        raise InputError(
            f"code {highest}, where {options.codes} has {ours.codebook_size}",
            where=place,
            hint="name the size with --codebook-size",
        )


def _overlap(held_out: Codes, train: Codes) -> list[str]:
    both = held_out.sequences.keys() & train.sequences.keys()
    if not both:
        return []
    return [
        (
            f"{counted(len(both), 'held-out utterance')} in the training codes too, e.g. {min(both)}: "
            "the figures are optimistic"
        )
    ]


def _prior(options: argparse.Namespace, held_out: Codes) -> Prior | None:
    if not options.prior:
        return None
    from vqspeech.cli.common.prior import load_prior

    prior = load_prior(options, held_out.info.checksum)
    if prior.config.codes != held_out.info.codebook_size:
        raise InputError(
            f"a prior of {prior.config.codes} codes, where {options.codes} has {held_out.info.codebook_size}",
            where=options.prior,
            hint="name the prior of these codes",
        )
    return prior


def _scores(
    options: argparse.Namespace, prior: Prior | None, held_out: Codes, speakers: Mapping[str, str]
) -> dict[str, float] | None:
    from vqspeech.evaluation.prior.bits import read_scores

    if options.scores:
        return read_scores(options.scores, held_out.sequences)
    if prior is None:
        return None
    from vqspeech.model.prior.scoring import code_bits

    index = {name: place for place, name in enumerate(prior.speakers)}
    who = [
        index.get(speakers.get(name, ""), prior.unconditional) if options.condition_on_speaker else prior.unconditional
        for name in held_out.sequences
    ]
    found = code_bits(prior, list(held_out.sequences.values()), who)
    return {name: float(bits.sum()) for name, bits in zip(held_out.sequences, found, strict=True)}


def _samples(options: argparse.Namespace, prior: Prior | None, held_out: Codes) -> Sequences | None:
    if options.samples:
        found = inputs.read_codes(options.samples, options)
        sequences = {name: codes for name, codes in found.sequences.items() if len(codes)}
        if not sequences:
            raise InputError("no codes in it", where=options.samples, hint="draw some with vqspeech sample --codes-out")
        _same(held_out, found, options, where=options.samples)
        return sequences
    if prior is None:
        return None
    from vqspeech.cli.common.prior import drawing
    from vqspeech.generation.code_sampling import sample_codes

    drawn = sample_codes(
        prior,
        length=max(1, round(options.seconds / held_out.info.frame_period)),
        **drawing(options),
    )
    return {f"sample-{number:03}": codes for number, codes in enumerate(drawn, 1)}


def _settings(options: argparse.Namespace, model: Model | None) -> dict[str, str]:
    found = {}
    if options.prior:
        found["scoring"] = "speaker given" if options.condition_on_speaker else "speaker withheld"
    if options.prior and not options.samples:
        found["drawing"] = (
            f"temperature {options.temperature:g}, top-k {options.top_k or 'all'}, top-p {options.top_p:g}, "
            f"{'like ' + options.speaker if options.speaker else 'unconditional'}"
        )
    if model is not None:
        found["voice"] = options.speaker or model.speakers[0]
        found["engine"] = f"{model.engine.name}, {model.engine.precision}"
    return found


def _progress() -> Progress:
    """A bar for each of what takes long, one after the other."""
    from vqspeech.cli.common.progress import bar

    bars: dict[str, Callable[[int, int], None]] = {}

    def report(what: str, done: int, total: int) -> None:
        if what not in bars:
            bars[what] = bar(what, "sequence")
        bars[what](done, total)

    return report
