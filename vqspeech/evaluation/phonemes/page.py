"""The report as one HTML page that holds all it shows: it opens from disk, with no network and no other file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vqspeech.counts import counted
from vqspeech.evaluation.html import audio_source, render
from vqspeech.evaluation.html.figures import CLASS_COLOURS
from vqspeech.evaluation.phonemes import charts, matrices, report
from vqspeech.evaluation.phonemes.examples import EXAMPLE_LEFT, EXAMPLE_RIGHT, Example, example
from vqspeech.evaluation.phonemes.report import About, percent
from vqspeech.evaluation.phonemes.results import PhonemeResult

_HUBERT = (
    "I(phone; code) / H(phone), phone purity (same part) and cluster purity, Hsu et al. 2021 (HuBERT): of all frames, "
    "silence among them, as HuBERT, SpidR and DiscoPhon count; they label every 10 ms and repeat codes to that rate, "
    "here a code has the phone at its frame's centre"
)
_ERROR_RATE = (
    "edits between the mapped codes, runs of one phone as one, and the phones of the alignment, over the number of "
    "phones, silence counted as one; same part is what DiscoPhon reports"
)
_ASSIGNMENT = (
    "each phone has at most one code, so that most frames agree (linear assignment); a code without a phone counts as "
    "a symbol that is no phone"
)


def page(result: PhonemeResult, about: About, examples: Sequence[Example] = ()) -> str:
    """The whole page, ``html/templates/phonemes.html``.

    Args:
        result: what was found.
        about: what was evaluated.
        examples: utterances to look at and listen to.

    Raises:
        InputError: matplotlib is not installed.
    """
    from markupsafe import Markup

    scores = result.scores
    return render(
        "phonemes.html",
        about=about,
        result=result,
        scores=scores,
        percent=percent,
        train=f"map learnt on {counted(about.train_utterances, 'other', form=',')}"
        if about.train_utterances
        else "no training part",
        interval=_interval(result),
        paper_accuracy=report.PAPER_ACCURACY,
        paper_baseline=report.PAPER_BASELINE,
        without_silence=report.without_silence(result),
        phone_errors=report.phone_errors(result),
        comparison_chart=Markup(_comparison_chart(result)),
        tiles=_tiles(result, about),
        headings=report.HEADINGS,
        comparison=report.comparison(result),
        codes_by_phone=Markup(matrices.codes_by_phone(result)),
        legend=[(row.name, CLASS_COLOURS[row.name]) for row in result.per_class],
        confusion=Markup(matrices.confusion(result)),
        phones_chart=Markup(charts.phones(result)),
        classes=[
            [row.name, f"{row.frames:,}", percent(row.recall), percent(row.precision), percent(row.f1)]
            for row in result.per_class
        ],
        purities=[
            [
                row.name,
                f"{row.frames:,}",
                percent(row.phone_purity),
                str(row.codes),
                percent(row.cluster_purity),
                row.code,
            ]
            for row in result.purity
            if row.frames
        ],
        run_lead=f"Mean run {1000 * report.mean_run(result) * about.frame_period:.0f} ms, beside lengths of phones.",
        run_chart=Markup(charts.run_lengths(result, frame_period=about.frame_period)),
        trade_chart=Markup(charts.trade(result)) if result.trade else None,
        usage_lead=f"{scores.used_codes} of {about.codebook_size} codes occur; perplexity {scores.perplexity:.1f}.",
        usage_chart=Markup(charts.usage(result, codebook_size=about.codebook_size, frame_period=about.frame_period)),
        examples=_examples(result, examples),
        left=EXAMPLE_LEFT,
        right=EXAMPLE_RIGHT,
        codes=_codes(result),
        facts=_facts(result, about),
    )


def _interval(result: PhonemeResult) -> str:
    bounds = result.intervals.bounds.get("accuracy")
    if not bounds:
        return "no interval: a single utterance"
    return (
        f"{percent(bounds[0])} to {percent(bounds[1])} % at {result.intervals.confidence:.0%} confidence, "
        f"resampling {result.intervals.units} {result.intervals.unit}"
    )


def _comparison_chart(result: PhonemeResult) -> str:
    rows = [(report.NAMES.get(name, name), baseline) for name, baseline in result.baselines.items()]
    rows.append(("these codes", result.scores))
    rows += [(report.NAMES.get(name, name), topline) for name, topline in result.toplines.items()]
    bounds = result.intervals.bounds.get("accuracy")
    return charts.comparison(rows, own="these codes", interval=bounds, paper=report.PAPER_ACCURACY)


def _tiles(result: PhonemeResult, about: About) -> list[tuple[str, str, str]]:
    scores = result.scores
    tiles = [
        (percent(scores.accuracy_without_silence) + " %", "accuracy without silence"),
        (f"{scores.pnmi:.3f}", "PNMI"),
        (f"{scores.ami:.3f}", "AMI, adjusted for chance"),
        (percent(scores.cluster_purity) + " %", "cluster purity"),
        (f"{scores.bitrate:.0f} bit/s", f"bitrate ({scores.bitrate_runs:.0f} as runs)"),
        (f"{scores.perplexity:.1f}", f"perplexity, of {about.codebook_size}"),
    ]
    if scores.per is not None and scores.per_one_to_one is not None:
        tiles += [(f"{percent(scores.per)} %", "phone error rate")]
        tiles += [(f"{percent(scores.per_one_to_one)} %", "phone error rate, one-to-one map")]
    if scores.boundary:
        tiles += [(f"{scores.boundary.f1:.2f}", "boundary F1, 20 ms"), (f"{scores.boundary.r_value:.2f}", "R-value")]
    return [(value, name, "") for value, name in tiles]


def _examples(result: PhonemeResult, examples: Sequence[Example]) -> list[dict[str, Any]]:
    from markupsafe import Markup

    phone_of_code = {row.code: row.phone for row in result.code_to_phone}
    return [
        {
            "utterance": shown.utterance,
            "text": shown.text,
            "seconds": len(shown.waveform) / shown.rate,
            "figure": Markup(example(shown, phone_of_code=phone_of_code, name=f"example{number}")),
            "source": audio_source(shown.waveform, shown.rate),
        }
        for number, shown in enumerate(examples)
    ]


def _codes(result: PhonemeResult) -> list[list[str]]:
    by_code = {row.code: row for row in result.code_to_phone}
    return [
        [
            str(row.code),
            row.phone,
            f"{row.frames:,}",
            percent(row.share),
            f"{row.entropy:.2f}",
            f"{row.mean_run:.1f}",
        ]
        for row in (by_code[code] for code in matrices.code_order(result))
    ]


def _facts(result: PhonemeResult, about: About) -> list[tuple[str, str]]:
    return [
        ("accuracy", f"each frame takes the phone at its centre; the map was {result.mapping}"),
        ("same part", "the map is learnt and scored on the same frames (phone purity), as in van den Oord et al. 2017"),
        ("PNMI and purities", _HUBERT),
        ("phone error rate", _ERROR_RATE),
        ("one-to-one map", _ASSIGNMENT),
        ("bitrate", "unigram entropy of the codes times codes per second"),
        ("boundaries", "ends of runs against ends of phones, one to one within 20 ms; R-value of Räsänen et al. 2009"),
        *((name.replace("_", " "), value) for name, value in (about.sources or {}).items()),
    ]
