"""Write every number of an experiment on one page, RESULTS.md, with those of the paper beside them.

    vqspeech results exp/vctk/paper-25hz

Taken up is what is in the experiment's folder: its config.yaml, the last measures of train.log, phoneme, conversion and
prior reports (RESULTS.json), segmentation.json, abx.json, speakers.json, robustness.json, scores.txt of a prior.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from vqspeech.cli.results import page, reports
from vqspeech.errors import InputError, decoding
from vqspeech.files import atomic_open


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("experiment", type=Path, metavar="EXP", help="folder of the experiment")
    parser.add_argument("--out", type=Path, metavar="FILE", help="page to write; default: EXP/RESULTS.md")
    parser.add_argument("--title", help="of the page; default: the folder's name")


def run(options: argparse.Namespace) -> None:
    """Gather, write, and say where."""
    folder: Path = options.experiment
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, hint="name the folder of an experiment")
    parts = [*page.setting(folder), *_made(folder / "train.log", lambda: page.training(folder))]
    # The first report of each kind, for the summary.
    first: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.rglob("RESULTS.json")):
        found = _read(file)
        name = str(file.parent.relative_to(folder))
        with decoding("not as this package writes it", where=file, hint="evaluate again"):
            kind = _kind(found)
        first.setdefault(kind, found)
        kinds = {"phonemes": reports.phonemes, "prior": reports.prior, "plain": page.plain}
        parts += _section(kinds.get(kind, reports.conversion), file, found, name)
    for pattern, section in (
        ("segmentation.json", reports.segmentation),
        ("abx.json", reports.abx),
        ("speakers.json", reports.speakers),
        ("robustness.json", reports.robustness),
    ):
        for file in sorted(folder.rglob(pattern)):
            parts += _section(section, file, _read(file), str(file.relative_to(folder)))
    for file in sorted(folder.rglob("scores.txt")):
        parts += _made(file, partial(page.scores, file, str(file.relative_to(folder))))
    if not parts:
        raise InputError("no results in it", where=folder, hint="train, or evaluate with --out in this folder")
    kinds_beside = [first.get(kind) for kind in ("phonemes", "conversion", "prior")]
    beside = _made(folder, lambda: page.beside_the_paper(*kinds_beside))
    out: Path = options.out or folder / "RESULTS.md"
    with atomic_open(out) as written:
        written.write(f"# {options.title or folder.name}\n\n")
        written.write(
            '"Paper" is van den Oord, Vinyals and Kavukcuoglu 2017, "Neural Discrete Representation Learning". A dash: '
            "not measured, not measurable (no pitch where nothing is voiced), or not reported. "
            "Brackets: 95 % intervals.\n"
        )
        written.write("".join([*beside, *parts]))
    print(f"written: {out}")


def _made(where: Path, make: Callable[[], Iterable[str]]) -> list[str]:
    """A section of the page; raises InputError where its file is not what this package writes."""
    with decoding("not as this package writes it", where=where, hint="make it again"):
        return list(make())


def _section(
    make: Callable[[dict[str, Any], str], Iterable[str]], file: Path, found: dict[str, Any], name: str
) -> list[str]:
    return _made(file, lambda: make(found, name))


def _read(file: Path) -> dict[str, Any]:
    with decoding("no JSON", where=file, hint="evaluate again"):
        found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise InputError("no results", where=file, hint="evaluate again")
    # Reports of earlier versions have other names for these.
    earlier = {"floors": "baselines", "ceilings": "toplines", "judges": "metrics"}
    return {earlier.get(str(key), str(key)): value for key, value in found.items()}


def _kind(found: dict[str, Any]) -> str:
    """Which command wrote a ``RESULTS.json``."""
    if "paper" in found:
        return "phonemes"
    if "codebook_bits" in found:
        return "prior"
    if "mean" in found:
        return str(found.get("about", {}).get("measure", "conversion"))
    return "plain"
