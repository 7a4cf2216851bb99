"""The parts of the page that ``vqspeech results`` writes from an experiment itself, and its summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from vqspeech.cli.results.reports import CONVERSION
from vqspeech.cli.results.tables import Found, shown, table, text
from vqspeech.errors import InputError

_TRAINING = {
    "nll": "nats per sample",
    "nats": "nats per sample",  # as logs of earlier versions have it
    "code gap": "code gap (nats that another utterance's codes cost more)",
    "speaker gap": "speaker gap (nats that another speaker costs more)",
    "mel": "error of the mel head",
    "used": "codes used",
}


def beside_the_paper(phonemes: Found | None, conversion: Found | None, prior: Found | None) -> Iterator[str]:
    """The paper's three experiments on speech and what was found of each here."""
    rows: list[list[str]] = []
    if phonemes:
        paper, about = phonemes["paper"], phonemes.get("about", {})
        period = about.get("frame_period")
        here = f" ({1 / period:g} per second, K {about.get('codebook_size')})" if period else ""
        likely = phonemes.get("baselines", {}).get("most_likely_phone", {})
        theirs = {key: text(paper.get(key), 100, " %") for key in ("accuracy_same_part", "most_likely_phone")}
        for title, found, key, published in (
            (f"codes as phonemes{here}, map learnt on the training part", phonemes, "accuracy", "-"),
            ("the same, without silence", phonemes, "accuracy_without_silence", "-"),
            (
                "codes as phonemes, map learnt on the scored part",
                phonemes,
                "accuracy_same_part",
                f"{theirs['accuracy_same_part']} (25 per second, K 128)",
            ),
            ("always the most likely phoneme", likely, "accuracy_same_part", theirs["most_likely_phone"]),
        ):
            rows.append([title, shown(found, key, 100, " %"), published])
    if conversion:
        mean = conversion["mean"]
        figures = {key: CONVERSION[key] for key in ("similarity_target", "similarity_source", "wer")}
        said = [
            f"{title} {text(mean[key], factor, unit)}" for key, (title, factor, unit) in figures.items() if key in mean
        ]
        rows.append(["speaker conversion", ", ".join(said) or "see below", "samples to listen to, no figure"])
    if prior:
        cost = text(prior.get("bits_per_code"), 1, " bits per code")
        rows.append(["prior over the codes", cost, "samples to listen to, no figure"])
    if rows:
        yield "\n## Beside the paper\n"
        yield table(["", "here", "paper"], rows)


def setting(folder: Path) -> Iterator[str]:
    """What was trained, from the experiment's config."""
    if not (folder / "config.yaml").is_file():
        return
    from vqspeech.training.config import read_preset

    preset = read_preset(folder / "config.yaml")
    model, training = preset.model, preset.training
    speakers = folder / "checkpoints" / "best" / "speakers.txt"
    voices = str(len(speakers.read_text(encoding="utf-8").splitlines())) if speakers.is_file() else "-"
    published = {64: "64, for conversion", 128: "128, for the prior", 640: "640, for phonemes"}
    size = f"{training.steps}, {training.batch}, {training.segment}"
    rows = [
        ["samples per code", str(model.code_hop), published.get(model.code_hop, "64, 128 or 640")],
        ["codes per second", text(model.code_rate), "250, 125 or 25"],
        ["codes in the codebook", str(model.quantizer.codes), "128 for phonemes, else 512"],
        ["bitrate at most", text(model.bitrate, 1, " bit/s"), "2250, 1125 or 175 bit/s"],
        ["commitment", text(model.quantizer.commitment), "0.25"],
        ["speakers", voices, "109 (VCTK); 460 for the prior (LibriSpeech)"],
        ["steps, batch, samples per segment", size, "not reported"],
    ]
    yield "\n## Setting\n"
    yield table(["", "here", "paper"], rows)


def training(folder: Path) -> Iterator[str]:
    """The last measures on held-out speech, from the experiment's log."""
    log = folder / "train.log"
    if not log.is_file():
        return
    lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "held out: " in line]
    if not lines:
        return
    step = re.search(r"step (\d+)", lines[-1])
    measures = re.findall(r"([a-z][a-z ]*?) (-?\d[\d.]*)(?:  |$)", lines[-1].partition("held out: ")[2])
    steps = step.group(1) if step else "?"
    yield f"\n## Training\n\nHeld-out speech after {steps} steps; the paper gives no figures.\n"
    yield table(["", "here"], [[_TRAINING.get(name, name), value] for name, value in measures])


def scores(file: Path, name: str) -> Iterator[str]:
    """What a prior's codes cost, from the lines of ``vqspeech score``."""
    rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    try:
        bits, codes = sum(float(row[1]) for row in rows), sum(int(row[2]) for row in rows)
    except (IndexError, ValueError):
        raise InputError("a line is not: utterance bits codes", where=file, hint="vqspeech score again") from None
    if codes:
        yield f"\n## {name}\n"
        yield table(
            ["", "here", "paper"], [["bits per code", text(bits / codes), "not reported"], ["codes", str(codes), "-"]]
        )


def plain(found: Found, name: str) -> Iterator[str]:
    """Every number of a file whose kind the page does not know."""
    rows = list(_flat({key: value for key, value in found.items() if key != "about"}))
    if rows:
        yield f"\n## {name}\n"
        yield table(["", "here"], rows)


def _flat(found: Found, prefix: str = "") -> Iterator[list[str]]:
    for key, value in found.items():
        title = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{title}: ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield [title, text(value)]
