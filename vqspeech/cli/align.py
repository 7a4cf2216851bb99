"""Align the words and phones of a data directory in time: writes phones.ctm and words.ctm into it.

English is aligned by PocketSphinx, whose model comes in its package; words it does not know are spelt by g2p-en or
taken from your lexicon. Utterances that cannot be aligned are listed in align.failed with the reason. A run that is
interrupted goes on where it was.

  vqspeech align data/train
  vqspeech align data/train --from-mfa mfa_output/
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vqspeech import ranges
from vqspeech.alignment import Interval, faults, write_ctm
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import atomic_open

if TYPE_CHECKING:
    from vqspeech.aligners import Aligned, Aligner
    from vqspeech.datadir import DataDir, Utterance

Lexicon = Mapping[str, tuple[str, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``vqspeech align``."""
    parser.add_argument("data", metavar="DIR", help="data directory, with text")
    parser.add_argument(
        "--lexicon", metavar="FILE", help="pronunciations that go first: a word and its phones, one per line"
    )
    parser.add_argument("--jobs", type=ranges.WORKERS, metavar="N", help="processes; default: one per core")
    parser.add_argument(
        "--shard",
        "--piece",
        action="store_true",
        help="DIR is a shard of a larger one: that nothing in it can be aligned is no error",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from-mfa", metavar="DIR", help="take the TextGrids that Montreal Forced Aligner wrote")
    source.add_argument("--from-textgrid", metavar="DIR", help="take TextGrids of any origin")
    parser.add_argument(
        "--phones-tier", metavar="NAME", help="of TextGrids; default: the one whose name ends with phones"
    )
    parser.add_argument(
        "--words-tier", metavar="NAME", help="of TextGrids; default: the one whose name ends with words"
    )
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> int | None:
    """Align; status 0, where not a single utterance could be aligned an InputError."""
    from vqspeech.datadir import DataDir

    data = DataDir.read(options.data)
    folder = Path(options.data)
    imported = options.from_mfa or options.from_textgrid
    if (options.phones_tier or options.words_tier) and not imported:
        raise InputError(
            "--phones-tier and --words-tier are of --from-mfa and --from-textgrid",
            hint="leave them out, or name a folder of TextGrids",
        )
    if imported:
        from vqspeech.aligners import read_textgrids

        aligned, failed = read_textgrids(
            imported,
            [utterance.id for utterance in data],
            phones=options.phones_tier,
            words=options.words_tier,
        )
        phones = {name: row.phones for name, row in aligned.items()}
        words = {name: row.words for name, row in aligned.items()}
    else:
        phones, words, failed = _forced(data, folder, options)
    _write(folder, data, phones, words, failed)
    return None


def _write(
    folder: Path,
    data: DataDir,
    phones: Mapping[str, Sequence[Interval]],
    words: Mapping[str, Sequence[Interval]],
    failed: Mapping[str, str],
) -> None:
    durations = {row.id: row.duration for row in data if row.duration is not None}
    wrong = [fault for fault in faults(phones, durations) if fault.kind != "gap"]
    for fault in wrong[:5]:
        print(f"warning: {fault}")
    if len(wrong) > 5:
        print(f"warning: {counted(len(wrong) - 5, 'fault')} more")
    write_ctm(folder / "phones.ctm", {row.id: phones[row.id] for row in data if row.id in phones})
    write_ctm(folder / "words.ctm", {row.id: words[row.id] for row in data if row.id in words})
    report = folder / "align.failed"
    report.unlink(missing_ok=True)
    print(
        f"{len(phones)} of {counted(len(data), 'utterance')} aligned: {folder / 'phones.ctm'}, {folder / 'words.ctm'}"
    )
    if failed:
        with atomic_open(report) as file:
            file.writelines(f"{name} {reason}\n" for name, reason in sorted(failed.items()))
        name, reason = min(failed.items())
        print(f"{len(failed)} failed, e.g. {name}: {reason}; all in {report}")


Found = tuple[dict[str, list[Interval]], dict[str, list[Interval]], dict[str, str]]


def _forced(data: DataDir, folder: Path, options: argparse.Namespace) -> Found:
    from tqdm import tqdm

    from vqspeech.aligners.lexicon import read_lexicon

    jobs = (os.cpu_count() or 1) if options.jobs is None else options.jobs
    lexicon = read_lexicon(options.lexicon) if options.lexicon else {}
    partial = folder / "align.partial"
    # What was aligned is kept for as long as the same would come out again.
    settings = hashlib.sha256(json.dumps([sorted(lexicon.items())]).encode()).hexdigest()
    done = _resumed(partial, settings, {row.id: row.text for row in data})
    left = [row for row in data if row.id not in done]
    if done:
        print(f"{counted(len(done), 'utterance')} aligned before, {len(left)} left")
    with partial.open("a" if done else "w", encoding="utf-8") as file:
        if not done:
            file.write(json.dumps({"settings": settings}) + "\n")
        rows = _align_all(left, lexicon, min(jobs, max(1, len(left))))
        for row in tqdm(rows, desc="aligning", unit="utterance", total=len(left), disable=None, leave=False):
            file.write(json.dumps(row) + "\n")
            file.flush()
            done[row["id"]] = row
    failed = {name: row["failed"] for name, row in done.items() if "failed" in row}
    kept = {name: row for name, row in done.items() if "failed" not in row}
    partial.unlink()
    if not kept and not (options.shard and failed):
        name, reason = min(failed.items(), default=("no utterance", "the data directory is empty"))
        raise InputError(
            f"not one utterance could be aligned; {name}: {reason}",
            where=folder,
            hint="check that the transcripts are of these recordings",
        )

    def intervals(key: str) -> dict[str, list[Interval]]:
        return {name: [Interval(*interval) for interval in row[key]] for name, row in kept.items()}

    return intervals("phones"), intervals("words"), failed


def _resumed(partial: Path, settings: str, texts: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    """Rows of an interrupted run with the same settings; an utterance whose text has changed is done again."""
    done: dict[str, dict[str, Any]] = {}
    if not partial.is_file():
        return done
    for number, line in enumerate(partial.read_text(encoding="utf-8").splitlines()):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # the line at which it was killed
        if number == 0 and row != {"settings": settings}:
            return {}
        if number and row["id"] in texts and row["text"] == texts[row["id"]]:
            done[row["id"]] = row
    if done:
        with atomic_open(partial) as file:
            file.writelines(json.dumps(row) + "\n" for row in ({"settings": settings}, *done.values()))
    return done


def _align_all(utterances: Sequence[Utterance], lexicon: Lexicon, jobs: int) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        _start(lexicon)
        yield from map(_align, utterances)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, not forked: a library user may have threads running.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(lexicon,)) as pool:
        yield from pool.map(_align, utterances, chunksize=4)


_aligner: Aligner | None = None


def _start(lexicon: Lexicon) -> None:
    """Load the model once in each process."""
    global _aligner
    from vqspeech.aligners import Aligner

    _aligner = Aligner(lexicon)


def _align(utterance: Utterance) -> dict[str, Any]:
    from vqspeech import audio
    from vqspeech.aligners import AlignmentFailure, UnknownWordError

    assert _aligner is not None
    row: dict[str, Any] = {"id": utterance.id, "text": utterance.text}
    if not utterance.text:
        return row | {"failed": "no text"}
    try:
        waveform = audio.read(utterance.recording, start=utterance.start, end=utterance.end)
        found: Aligned = _aligner.align(waveform, utterance.text)
    except UnknownWordError as error:
        return row | {"failed": f"{error}: give it in a --lexicon"}
    except (AlignmentFailure, InputError, OSError) as error:
        return row | {"failed": str(error)}
    return row | {"phones": found.phones, "words": found.words}
