"""The parts of the page that ``vqspeech results`` writes from reports: one function a kind of report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vqspeech.cli.results.tables import OURS, SYSTEMS, Figures, Found, beside, by_system, shown, table, text
from vqspeech.counts import counted

ACCURACY = ("accuracy", "accuracy_same_part", "accuracy_without_silence")
_PHONEMES: Figures = {
    "accuracy": ("phoneme accuracy, map learnt on the training part", 100, " %"),
    "accuracy_same_part": ("phoneme accuracy, map learnt on the scored part", 100, " %"),
    "accuracy_without_silence": ("phoneme accuracy without silence", 100, " %"),
    "pnmi": ("PNMI", 1, ""),
    "per": ("phone error rate", 100, " %"),
    "per_one_to_one": ("phone error rate, one-to-one map", 100, " %"),
    "phone_purity": ("phone purity", 1, ""),
    "cluster_purity": ("cluster purity", 1, ""),
    "bitrate": ("bitrate", 1, " bit/s"),
    "perplexity": ("perplexity", 1, ""),
    "used_codes": ("codes used", 1, ""),
}
CONVERSION: Figures = {
    "similarity_target": ("to target", 1, ""),
    "similarity_source": ("to source", 1, ""),
    "target_wins": ("target nearer", 100, " %"),
    "wer": ("word errors", 100, " %"),
    "dnsmos": ("DNSMOS", 1, ""),
    "f0_difference": ("pitch apart", 1, " st"),
    "f0_correlation": ("pitch contour r", 1, ""),
    "mcd": ("MCD", 1, " dB"),
}
_SEGMENTATION: Figures = {
    "precision": ("precision", 100, " %"),
    "recall": ("recall", 100, " %"),
    "f1": ("F1", 100, " %"),
    "over_segmentation": ("over-segmentation", 100, " %"),
    "r_value": ("R-value", 1, ""),
    "units_per_second": ("units per second", 1, ""),
}
_SPEAKERS: Figures = {
    "accuracy": ("speaker accuracy", 100, " %"),
    "balanced_accuracy": ("all speakers alike", 100, " %"),
    "chance": ("chance", 100, " %"),
}
_ABX = {
    "triphone_within": "triphone, within speakers",
    "triphone_across": "triphone, across speakers",
    "any_within": "any context, within speakers",
    "any_across": "any context, across speakers",
}
_PRIOR: Figures = {
    "repeated_4": ("4-grams that stood earlier in the sequence", 100, " %"),
    "repeated_16": ("16-grams that did", 100, " %"),
    "repeated_64": ("64-grams that did", 100, " %"),
    "mean_run": ("mean run of one code, in codes", 1, ""),
    "longest_run": ("longest run", 1, ""),
    "loop": ("longest loop of a sequence, mean, in codes", 1, ""),
    "longest_loop": ("longest loop of all", 1, ""),
    "js_unigram": ("Jensen-Shannon divergence from the data, codes", 1, " bit"),
    "js_bigram": ("the same, pairs of neighbours", 1, " bit"),
    "copied": ("longest span copied from the training codes, mean, in codes", 1, ""),
    "longest_copied": ("longest of all", 1, ""),
    "edit_distance": ("edits to the nearest training span, mean", 100, " %"),
    "nearest": ("least of all", 100, " %"),
    "words_per_second": ("recognised words per second", 1, ""),
    "in_dictionary": ("of them in a dictionary", 100, " %"),
    "different": ("of them not said before in the recording", 100, " %"),
    "confidence": ("mean log-probability of a word", 1, ""),
}
_PRIOR_SYSTEMS = {
    "samples": "samples of the prior",
    "ngram": "samples of an n-gram",
    "real": "real codes",
    "shuffled": "real codes, shuffled",
    "recording": "recordings",
    "reversed": "recordings, reversed",
}


def _about(found: Found, name: str) -> str:
    about = found.get("about", {})
    notes = "".join(f"- {note}\n" for note in about.get("notes", ()))
    return f"\n## {about.get('title', name)}\n\nFrom `{name}/RESULTS.json`.\n" + (f"\n{notes}" if notes else "")


def phonemes(found: Found, name: str) -> Iterator[str]:
    """A phoneme report."""
    paper, about = found["paper"], found.get("about", {})
    yield _about(found, name)
    yield (
        f"\n{counted(about.get('utterances'), 'utterance')} of {counted(about.get('speakers'), 'speaker')}, "
        f"{counted(found.get('frames'), 'frame')}, "
        f"phones: {about.get('phone_set')}. The paper's figure is of 25 codes per second and 128 codes, "
        "its map learnt on the part that it scores.\n"
    )
    rows = [
        [title, shown(found, key, factor, unit), text(paper.get(key), factor, unit)]
        for key, (title, factor, unit) in _PHONEMES.items()
    ]
    yield table(["", "here", "paper"], rows)
    keys = (*ACCURACY, "pnmi", "bitrate")
    headings = ["system", "accuracy", "same part", "without silence", "PNMI", "bit/s", "paper, same part"]
    compared = []
    for title, figures in ((OURS, found), *beside(found, "baselines", "toplines")):
        reference = {OURS: "accuracy_same_part", SYSTEMS["most_likely_phone"]: "most_likely_phone"}.get(title)
        cells = [text(figures.get(key), 100 if key in ACCURACY else 1) for key in keys]
        compared.append([title, *cells, text(paper.get(reference), 100) if reference else "-"])
    yield table(headings, compared)


def conversion(found: Found, name: str) -> Iterator[str]:
    """A report on converted or reconstructed speech."""
    about = found.get("about", {})
    ours = "**reconstructed**" if about.get("measure") == "reconstruction" else "**converted**"
    yield _about(found, name)
    metrics = ", ".join(str(name) for name in found.get("metrics", {}).values())
    yield f"\n{about.get('pairs')} pairs. The paper lets one listen and gives no figures. Metrics: {metrics}.\n"
    mean = {**found["mean"], "intervals": found.get("intervals")}
    yield by_system([(ours, mean), *beside(found, "baselines", "toplines")], CONVERSION)
    groups = list(found.get("groups", {}).items())
    if groups:
        yield by_system(groups, CONVERSION, "group of pairs")


def prior(found: Found, name: str) -> Iterator[str]:
    """A report on a prior: what a code costs it, and what its samples are like."""
    held_out, bounds = found.get("held_out", {}), found.get("intervals", {})
    ours = found.get("bits_per_code")
    rate = held_out["codes"] / held_out["seconds"] if held_out.get("seconds") else None
    yield _about(found, name)
    yield (
        f"\n{counted(held_out.get('codes'), 'held-out code')} of {counted(held_out.get('utterances'), 'utterance')}, "
        f"{counted(held_out.get('speakers'), 'speaker')}; n-grams counted on "
        f"{counted(found.get('train_codes'), 'code')}. The paper lets one listen and gives no figures.\n"
    )
    costs = {"log2 of the codebook": found.get("codebook_bits")}
    costs |= {key.removesuffix("_bits_per_code"): found[key] for key in found if key.endswith("_bits_per_code")}
    costs = {key: value for key, value in costs.items() if isinstance(value, float | int)}
    rows = [
        [
            "**prior**",
            shown({"prior": ours, "intervals": bounds}, "prior", 1, ""),
            text(ours and rate and ours * rate),
            "",
        ]
    ]
    for key, value in costs.items():
        saved = (
            shown({key: value - ours, "intervals": {key: bounds.get(f"{key} - prior")}}, key, 1, "") if ours else "-"
        )
        rows.append([key, text(value), text(rate and value * rate), saved])
    yield table(["", "bits per code", "bit/s", "bits per code that the prior saves"], rows)
    systems = {key: _with_least(one) for key, one in found.get("systems", {}).items()}
    if systems:
        measures = [
            [title, *(text(one.get(key), factor, unit) for one in systems.values())]
            for key, (title, factor, unit) in _PRIOR.items()
            if any(one.get(key) is not None for one in systems.values())
        ]
        codes = found.get("about", {}).get("compared_codes")
        yield f"\nSequences of {counted(codes, 'code')}. Real codes and recordings show what is to be reached.\n"
        yield table(["", *(_PRIOR_SYSTEMS.get(key, key) for key in systems)], measures)


def _with_least(system: Found) -> Found:
    """A system's figures, with the least edit distance for the list of all nearest spans."""
    distances = [one["nearest"] for one in (system.get("nearest") or {}).values() if "nearest" in one]
    return {**system, "nearest": min(distances, default=None)}


def segmentation(found: Found, name: str) -> Iterator[str]:
    """Boundaries of the codes against those of the phones."""
    own = [(key, one) for key, one in found.items() if isinstance(one, Mapping) and "precision" in one]
    tolerance = f"{1000 * found.get('tolerance', 0.02):.0f} ms"
    yield f"\n## Segmentation\n\nFrom `{name}`: boundaries of the codes within {tolerance} of a phone's.\n"
    yield by_system([*own, *beside(found, "baselines", "toplines")], _SEGMENTATION)


def abx(found: Found, name: str) -> Iterator[str]:
    """ABX errors: how often a phone is nearer to another phone than to itself."""
    conditions = [key for key in _ABX if key in found]
    yield f"\n## ABX\n\nFrom `{name}`: share of triples in which the other phone is nearer; chance is 50 %.\n"
    rows = []
    for title, one in ((OURS, found), *beside(found, "representations", "compared")):
        cells = []
        for key in conditions:
            of = one.get(key) or {}
            cells.append(
                shown({"error": of.get("error"), "intervals": {"error": of.get("interval")}}, "error", 100, " %")
            )
        rows.append([title, *cells])
    rows.append(["triples", *(text((found[key] or {}).get("triples")) for key in conditions)])
    rows.append(["speakers", *(text((found[key] or {}).get("speakers")) for key in conditions)])
    yield table(["", *(_ABX[key] for key in conditions)], rows)


def speakers(found: Found, name: str) -> Iterator[str]:
    """Speaker information in the codes."""
    yield (
        f"\n## Speaker left in the codes\n\nFrom `{name}`: a linear probe on code counts, {found.get('utterances')} "
        f"utterances of {counted(found.get('speakers'), 'speaker')}; lower is better, chance is best.\n"
    )
    systems = [(OURS, found), *beside(found, "compared")]
    yield by_system(
        [(name, {**one, "intervals": {"accuracy": one.get("interval")}}) for name, one in systems], _SPEAKERS
    )


def robustness(found: Found, name: str) -> Iterator[str]:
    """Unit edit distance under each distortion."""
    from vqspeech.evaluation.robustness import DISTORTIONS

    yield (
        f"\n## Robustness\n\nFrom `{name}`: edits between the runs of a recording's units as it is and changed, over "
        "its frames (UED, Gat et al. 2023) and over its runs, and frames whose unit stays; another recording is the "
        "ceiling.\n"
    )
    systems = [(OURS, found), *beside(found, "baselines")]
    headings = [
        "",
        *(f"{system}: {what}" for system, _ in systems for what in ("UED, %", "per run, %", "frames kept, %")),
    ]
    rows = []
    for key in found.get("distortions", {}):
        cells = []
        for _, one in systems:
            figures = one.get("distortions", {}).get(key) or {}
            cells.append(shown({**figures, "intervals": {"ued": figures.get("interval")}}, "ued", 100, ""))
            cells += [text(figures.get(measure), 100) for measure in ("edits_per_unit", "frames_kept")]
        about = DISTORTIONS[key].about if key in DISTORTIONS else str(key).replace("_", " ")
        rows.append([about, *cells])
    yield table(headings, rows)
