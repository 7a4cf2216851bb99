"""The report as one HTML page that holds all it shows: it opens from disk, with no network and no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from vqspeech import __version__
from vqspeech.evaluation.html.figures import CLASS_COLOURS
from vqspeech.evaluation.html.style import STYLE, html_table
from vqspeech.evaluation.phonemes import charts, matrices, report
from vqspeech.evaluation.phonemes.examples import EXAMPLE_LEFT, EXAMPLE_RIGHT, Example, example
from vqspeech.evaluation.phonemes.report import About, percent
from vqspeech.evaluation.phonemes.results import PhonemeResult

_SCRIPT = """
document.querySelectorAll('.example').forEach(function (box) {
  var audio = box.querySelector('audio'), head = box.querySelector('.head'), track = box.querySelector('.track');
  var left = +track.dataset.left, width = +track.dataset.right - left, seconds = +track.dataset.seconds;
  function draw() {
    head.style.left = 100 * (left + width * Math.min(1, audio.currentTime / seconds)) + '%';
    if (!audio.paused) requestAnimationFrame(draw);
  }
  audio.addEventListener('play', function () { head.style.display = 'block'; draw(); });
  audio.addEventListener('seeked', draw);
  track.addEventListener('click', function (event) {
    var box = track.getBoundingClientRect();
    audio.currentTime = Math.max(0, ((event.clientX - box.left) / box.width - left) / width * seconds);
    audio.play();
  });
});
"""


def page(result: PhonemeResult, about: About, examples: Sequence[Example] = ()) -> str:
    """The whole page.

    Args:
        result: what was found.
        about: what was evaluated.
        examples: utterances to look at and listen to.

    Raises:
        InputError: matplotlib is not installed.
    """
    scores = result.scores
    body = [
        _header(about),
        _headline(result),
        _tiles(result, about),
        _comparison(result),
        _section(
            "Which phones each code stands for",
            "One column per code, one row per phone; the darker, the larger the share of frames. Codes are ordered "
            "by the phone they map to, so that codes which stand for phones lie on the diagonal; below, how often each "
            "occurs, in the colour of the phone's class.",
            matrices.codes_by_phone(result) + _legend(result),
        ),
        _section(
            "What each phone was called",
            "One row per phone, the shares of its frames by predicted phone. Confusions inside a class lie in "
            "the blocks along the diagonal.",
            matrices.confusion(result),
        ),
        _section(
            "Phones and their classes",
            "Recall of each phone (bars) and precision (dashes). In the table a frame counts as right when it was "
            "called any phone of its class.",
            charts.phones(result) + _classes(result),
        ),
        '<div class="two">',
        _section(
            "How long codes last",
            f"Mean run {report.mean_run(result) * about.frame_period * 1000:.0f} ms, beside the phones' own lengths.",
            charts.run_lengths(result, frame_period=about.frame_period),
        ),
        _section(
            "Usage",
            f"{scores.used_codes} of {about.codebook_size} codes occur; perplexity {scores.perplexity:.1f}.",
            charts.usage(result, codebook_size=about.codebook_size, frame_period=about.frame_period),
        ),
        "</div>",
        _examples(result, examples),
        _codes(result),
        _method(result, about),
        f"<footer>vqspeech {__version__}. The figures are in RESULTS.json beside this page.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(about.title)}</title><style>{STYLE}</style></head>\n<body><main>"
        + "\n".join(body)
        + f"</main><script>{_SCRIPT}</script></body></html>\n"
    )


def _section(title: str, lead: str, content: str) -> str:
    return f'<section><h2>{title}</h2><p class="lead">{lead}</p><figure>{content}</figure></section>'


def _header(about: About) -> str:
    train = f"map learnt on {about.train_utterances:,} others" if about.train_utterances else "no training part"
    return (
        '<header><p class="kind">Phoneme evaluation of discrete units</p>'
        f"<h1>{escape(about.title)}</h1>"
        f'<p class="lead">{about.codebook_size} codes at {1 / about.frame_period:g} Hz · '
        f"{about.utterances:,} utterances of {about.speakers:,} speakers · {train} · "
        f"phones {escape(about.phone_set)}</p></header>"
    )


def _headline(result: PhonemeResult) -> str:
    scores, bounds = result.scores, result.intervals.bounds.get("accuracy")
    interval = "no interval: a single utterance"
    if bounds:
        interval = (
            f"{percent(bounds[0])} to {percent(bounds[1])} % at {result.intervals.confidence:.0%} confidence, "
            f"resampling {result.intervals.units} {result.intervals.unit}"
        )
    rows = [(report.NAMES.get(name, name), baseline) for name, baseline in result.baselines.items()]
    rows.append(("these codes", scores))
    rows += [(report.NAMES.get(name, name), topline) for name, topline in result.toplines.items()]
    quiet = report.without_silence(result)
    nearest = (
        f'<p class="lead">That phone was so rare in the paper that few of its frames can have been silent. Nearest to '
        f"them are the frames here that are not: {quiet}.</p>"
        if quiet
        else ""
    )
    chart = charts.comparison(rows, own="these codes", interval=bounds, paper=report.PAPER_ACCURACY)
    return (
        '<section class="headline"><div>'
        f'<div class="big">{percent(scores.accuracy)}<small> %</small></div>'
        f'<p class="interval">{interval}</p>'
        f"<p>of frames are called their phone, by a map from codes to phones <b>{result.mapping}</b>.</p>"
        '<p class="lead">Learnt and scored on the same part, as the paper did: '
        f"<b>{percent(scores.accuracy_same_part)} %</b>; the paper reports "
        f"{percent(report.PAPER_ACCURACY)} % (128 codes at 25 Hz), and {percent(report.PAPER_BASELINE)} % for its most "
        f"likely phone.</p>{nearest}</div>"
        f"<figure>{chart}<figcaption>In brackets, and as a circle: without silence. Diamond: learnt and scored on the "
        "same part.</figcaption></figure></section>"
    )


def _tiles(result: PhonemeResult, about: About) -> str:
    scores = result.scores
    tiles = [
        (percent(scores.accuracy_without_silence) + " %", "accuracy without silence"),
        (f"{scores.pnmi:.3f}", "PNMI"),
        (f"{scores.ami:.3f}", "AMI, adjusted for chance"),
        (percent(scores.cluster_purity) + " %", "cluster purity"),
        (f"{scores.bitrate:.0f} bit/s", f"bitrate ({scores.bitrate_runs:.0f} as runs)"),
        (f"{scores.perplexity:.1f}", f"perplexity, of {about.codebook_size}"),
    ]
    if scores.boundary:
        tiles += [(f"{scores.boundary.f1:.2f}", "boundary F1, 20 ms"), (f"{scores.boundary.r_value:.2f}", "R-value")]
    inner = "".join(f'<div class="tile"><b>{value}</b><span>{name}</span></div>' for value, name in tiles)
    return f'<div class="tiles">{inner}</div>'


def _comparison(result: PhonemeResult) -> str:
    return _section(
        "Between baselines and toplines",
        "The same measures on the same frames, for systems that know nothing of the phones and, last, for one that was "
        "taught them. Shares in %.",
        html_table(report.HEADINGS, report.comparison(result), own="these codes"),
    )


def _legend(result: PhonemeResult) -> str:
    kinds = [row.name for row in result.per_class]
    marks = "".join(f'<span><i style="background:{CLASS_COLOURS[kind]}"></i>{kind}</span>' for kind in kinds)
    return f'<div class="legend">{marks}</div>'


def _classes(result: PhonemeResult) -> str:
    rows = [
        [row.name, f"{row.frames:,}", percent(row.recall), percent(row.precision), percent(row.f1)]
        for row in result.per_class
    ]
    return html_table(["class", "frames", "recall", "precision", "F1"], rows)


def _examples(result: PhonemeResult, examples: Sequence[Example]) -> str:
    if not examples:
        return ""
    phone_of_code = {row.code: row.phone for row in result.code_to_phone}
    parts = []
    for number, shown in enumerate(examples):
        figure = example(shown, phone_of_code=phone_of_code, name=f"example{number}")
        seconds = len(shown.waveform) / shown.rate
        text = f'<p class="text">{escape(shown.text)}</p>' if shown.text else ""
        parts.append(
            f'<div class="example"><h3>{escape(shown.utterance)}</h3>{text}'
            f'<div class="track" data-left="{EXAMPLE_LEFT}" data-right="{EXAMPLE_RIGHT}" '
            f'data-seconds="{seconds:.3f}">{figure}<div class="head"></div></div>'
            f'<audio controls preload="metadata" src="{_audio(shown)}"></audio></div>'
        )
    return _section(
        "Examples",
        "Codes in the colour of the class of the phone they map to, in shades; under them the phones of the alignment. "
        "Click anywhere to hear it from there.",
        "".join(parts),
    )


def _audio(shown: Example) -> str:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, shown.waveform, shown.rate, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def _codes(result: PhonemeResult) -> str:
    by_code = {row.code: row for row in result.code_to_phone}
    rows = [
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
    table = html_table(["code", "phone", "frames", "its share, %", "entropy, bit", "mean run, frames"], rows)
    return (
        '<section><h2>The map from codes to phones</h2><p class="lead">The phone each code was taken for, and how much '
        f"of the code it makes up.</p><details><summary>{len(rows)} codes</summary>{table}</details></section>"
    )


def _method(result: PhonemeResult, about: About) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in about.notes)
    facts = [
        ("accuracy", f"each frame takes the phone at its centre; the map was {result.mapping}"),
        ("same part", "the map is learnt and scored on the same frames (phone purity), as in van den Oord et al. 2017"),
        ("PNMI", "I(phone; code) / H(phone), Hsu et al. 2021"),
        ("bitrate", "unigram entropy of the codes times codes per second"),
        ("boundaries", "ends of runs against ends of phones, one to one within 20 ms; R-value of Räsänen et al. 2009"),
        *((name.replace("_", " "), value) for name, value in (about.sources or {}).items()),
    ]
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return (
        "<section><h2>How this was counted</h2>"
        + (f'<ul class="notes">{notes}</ul>' if notes else "")
        + f"<dl>{rows}</dl></section>"
    )
