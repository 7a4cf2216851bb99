"""Write every number of an experiment on one page, RESULTS.md, with those of the paper beside them.

    vqspeech results exp/vctk/paper-25hz

Taken up is what is in the experiment's folder: its config.yaml, the last measures of train.log, phoneme and conversion
reports (RESULTS.json), segmentation.json, abx.json, speakers.json, scores.txt of a prior.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vqspeech.errors import InputError
from vqspeech.files import atomic_open

Rows = list[list[str]]

#: Figures of a phoneme report -> what the page calls them, the factor and the unit.
_PHONEMES = {
    "accuracy": ("phoneme accuracy, map learnt on the training part", 100, " %"),
    "accuracy_same_part": ("phoneme accuracy, map learnt on the scored part", 100, " %"),
    "accuracy_without_silence": ("phoneme accuracy without silence", 100, " %"),
    "pnmi": ("PNMI", 1, ""),
    "phone_purity": ("phone purity", 1, ""),
    "cluster_purity": ("cluster purity", 1, ""),
    "bitrate": ("bitrate", 1, " bit/s"),
    "perplexity": ("perplexity", 1, ""),
    "used_codes": ("codes used", 1, ""),
}
_CONVERSION = {
    "similarity_target": ("to target", 1, ""),
    "similarity_source": ("to source", 1, ""),
    "target_wins": ("target nearer", 100, " %"),
    "wer": ("word errors", 100, " %"),
    "dnsmos": ("DNSMOS", 1, ""),
    "f0_difference": ("pitch apart", 1, " st"),
    "f0_correlation": ("pitch contour r", 1, ""),
    "mcd": ("MCD", 1, " dB"),
}
_SYSTEMS = {
    "most_likely_phone": "always the most likely phone",
    "random_codes": "random codes",
    "codes_shifted_1s": "the codes, shifted by a second",
    "mfcc_kmeans": "MFCC k-means",
    "mfcc_linear": "linear classifier on MFCC",
    "source": "source as it is",
    "mu_law": "source through mu-law",
    "griffin_lim": "source through Griffin-Lim",
    "real_target": "real recordings of the target",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("experiment", type=Path, metavar="EXP", help="folder of the experiment")
    parser.add_argument("--out", type=Path, metavar="FILE", help="page to write; default: EXP/RESULTS.md")
    parser.add_argument("--title", help="of the page; default: the folder's name")


def run(options: argparse.Namespace) -> None:
    """Gather, write, and say where."""
    folder: Path = options.experiment
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, cure="name the folder of an experiment")
    parts = [*_setting(folder), *_training(folder)]
    for file in sorted(folder.rglob("RESULTS.json")):
        found = _read(file)
        name = file.parent.relative_to(folder)
        if "paper" in found:
            parts += _phonemes(found, str(name))
        elif "mean" in found:
            parts += _conversion(found, str(name))
        else:
            parts += _plain(found, str(name))
    for pattern in ("segmentation.json", "abx.json", "speakers.json"):
        for file in sorted(folder.rglob(pattern)):
            parts += _plain(_read(file), str(file.relative_to(folder)))
    for file in sorted(folder.rglob("scores.txt")):
        parts += _scores(file, str(file.relative_to(folder)))
    if not parts:
        raise InputError("no results in it", where=folder, cure="train, or evaluate with --out in this folder")
    out: Path = options.out or folder / "RESULTS.md"
    with atomic_open(out) as page:
        page.write(f"# {options.title or folder.name}\n\n")
        page.write(
            '"Paper" is van den Oord, Vinyals and Kavukcuoglu 2017, "Neural Discrete Representation Learning".\n'
        )
        page.write("".join(parts))
    print(f"written: {out}")


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"no JSON: {error}", where=file, cure="evaluate again") from None
    if not isinstance(found, dict):
        raise InputError("no results", where=file, cure="evaluate again")
    return found


def _table(headings: list[str], rows: Iterable[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in (headings, ["---"] * len(headings), *rows)]
    return "\n" + "\n".join(lines) + "\n"


def _text(value: Any, factor: float = 1, unit: str = "") -> str:
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int) and factor == 1:
        return f"{value}{unit}"
    number = value * factor
    return f"{number:.1f}{unit}" if factor == 100 or abs(number) >= 100 else f"{number:.3f}{unit}"


def _setting(folder: Path) -> Iterator[str]:
    if not (folder / "config.yaml").is_file():
        return
    from vqspeech.training.config import read_preset

    preset = read_preset(folder / "config.yaml")
    model, training = preset.model, preset.training
    speakers = folder / "checkpoints" / "best" / "speakers.txt"
    voices = str(len(speakers.read_text(encoding="utf-8").splitlines())) if speakers.is_file() else "-"
    told = {64: "64, for conversion", 128: "128, for the prior", 640: "640, for phonemes"}
    rows = [
        ["samples a code", str(model.code_hop), told.get(model.code_hop, "64, 128 or 640")],
        ["codes a second", _text(model.code_rate), "250, 125 or 25"],
        ["codes in the codebook", str(model.quantizer.codes), "128 for phonemes, else 512"],
        ["bitrate at most", _text(model.bitrate, 1, " bit/s"), "2250, 1125 or 175 bit/s"],
        ["commitment", _text(model.quantizer.commitment), "0.25"],
        ["speakers", voices, "109 (VCTK); 460 for the prior (LibriSpeech)"],
        ["steps, batch, samples a segment", f"{training.steps}, {training.batch}, {training.segment}", "not told"],
    ]
    yield "\n## Setting\n"
    yield _table(["", "here", "paper"], rows)


def _training(folder: Path) -> Iterator[str]:
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
    yield _table(["", "here"], [[name, value] for name, value in measures])


def _systems(found: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind in ("floors", "ceilings"):
        for name, figures in found.get(kind, {}).items():
            yield _SYSTEMS.get(name, name), figures


def _about(found: Mapping[str, Any], name: str) -> str:
    about = found.get("about", {})
    notes = "".join(f"- {note}\n" for note in about.get("notes", ()))
    return f"\n## {about.get('title', name)}\n\nFrom `{name}/RESULTS.json`.\n" + (f"\n{notes}" if notes else "")


def _phonemes(found: Mapping[str, Any], name: str) -> Iterator[str]:
    paper = found["paper"]
    about = found.get("about", {})
    bounds = found.get("intervals", {})
    rows = []
    for key, (title, factor, unit) in _PHONEMES.items():
        interval = bounds.get(key)
        shown = _text(found.get(key), factor, unit)
        if interval:
            shown += f" [{_text(interval[0], factor)}, {_text(interval[1], factor)}]"
        rows.append([title, shown, _text(paper.get(key), factor, unit)])
    yield _about(found, name)
    yield (
        f"\n{about.get('utterances')} utterances of {about.get('speakers')} speakers, {found.get('frames')} frames, "
        f"phones: {about.get('phone_set')}. The paper's figure is of 25 codes a second and 128 codes, "
        "its map learnt on the part that it scores.\n"
    )
    yield _table(["", "here", "paper"], rows)
    keys = ("accuracy", "accuracy_same_part", "accuracy_without_silence", "pnmi", "bitrate")
    headings = ["system", "accuracy", "same part", "without silence", "PNMI", "bit/s", "paper, same part"]
    table: Rows = []
    for title, figures in (("**these codes**", found), *_systems(found)):
        told = {"**these codes**": "accuracy_same_part", _SYSTEMS["most_likely_phone"]: "most_likely_phone"}.get(title)
        cells = [_text(figures.get(key), 100 if key.startswith("accuracy") else 1) for key in keys]
        table.append([title, *cells, _text(paper.get(told), 100) if told else "-"])
    yield _table(headings, table)


def _conversion(found: Mapping[str, Any], name: str) -> Iterator[str]:
    systems = [("**converted**", found["mean"]), *_systems(found)]
    keys = [key for key in _CONVERSION if any(figures.get(key) is not None for _, figures in systems)]
    yield _about(found, name)
    pairs = found.get("about", {}).get("pairs")
    judges = ", ".join(str(judge) for judge in found.get("judges", {}).values())
    yield f"\n{pairs} pairs. The paper lets one listen and gives no figures. Judges: {judges}.\n"
    rows = [[title, *(_text(figures.get(key), *_CONVERSION[key][1:]) for key in keys)] for title, figures in systems]
    yield _table(["", *(_CONVERSION[key][0] for key in keys)], rows)
    groups = found.get("groups", {})
    if groups:
        rows = [[n, *(_text(each.get(key), *_CONVERSION[key][1:]) for key in keys)] for n, each in groups.items()]
        yield _table(["group of pairs", *(_CONVERSION[key][0] for key in keys)], rows)


def _flat(found: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    for key, value in found.items():
        title = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{title}: ")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield [title, _text(value)]


def _plain(found: Mapping[str, Any], name: str) -> Iterator[str]:
    rows = list(_flat({key: value for key, value in found.items() if key != "about"}))
    if rows:
        yield f"\n## {name}\n"
        yield _table(["", "here"], rows)


def _scores(file: Path, name: str) -> Iterator[str]:
    rows = [line.split() for line in file.read_text(encoding="utf-8").splitlines()]
    try:
        bits, codes = sum(float(row[1]) for row in rows), sum(int(row[2]) for row in rows)
    except (IndexError, ValueError):
        raise InputError("a line is not: utterance bits codes", where=file, cure="vqspeech score again") from None
    if codes:
        yield f"\n## {name}\n"
        yield _table(
            ["", "here", "paper"], [["bits a code", _text(bits / codes), "not told"], ["codes", str(codes), "-"]]
        )
