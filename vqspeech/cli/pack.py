"""Pack speech into one file to train from: memory-mapped, and readable without any audio library.

vqspeech pack data/train train.pack
vqspeech pack data/train packs/ --shards 64 --shard I     one of 64 files; the folder is then what train --data takes
vqspeech pack shar/ packs/ --shards 64                    lhotse's Shar, all 64 in turn
vqspeech pack cuts.jsonl.gz packs/ --shards               which of how many Slurm (array, srun) or torchrun says

SRC is a data directory, a folder of lhotse's Shar, or a manifest with speakers: lhotse's cuts, or rows of path, start,
end, id and speaker in .jsonl or .parquet. Of Shar and manifests a shard reads its own part alone; recordings that
cannot be used are left out and named in OUT.pack.failed.

Interrupted, the same command goes on where it stopped; a shard that is there, of these recordings, is not made again.
Any packs of the same options make a folder to train from: utterances of a speaker in several of them belong together.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech import ranges
from vqspeech.cli.common.pipes import add_allow_pipes
from vqspeech.cli.common.renamed import add_renamed
from vqspeech.cli.common.shards import add_shards
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.files import require_writable

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir
    from vqspeech.encoding import Rows


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("data", type=Path, metavar="SRC", help="data directory, folder of Shar, or manifest")
    parser.add_argument("out", type=Path, metavar="OUT.pack", help="file to write; with --shards a folder")
    add_shards(parser, purpose="write N files into the folder OUT; without N as many as the job array has")
    parser.add_argument("--sample-rate", type=ranges.SAMPLE_RATE, default=16_000, metavar="HZ", help="default: 16000")
    parser.add_argument(
        "--rms",
        type=ranges.LEVEL,
        default=0.06,
        metavar="LEVEL",
        help="RMS of active speech in full scale 1; default: 0.06",
    )
    parser.add_argument(
        "--perturbed-copies",
        type=ranges.COPIES,
        default=0,
        metavar="N",
        help="copies of each utterance with pitch and formants perturbed, as encoder input; default: 0",
    )
    add_renamed(parser, "--disguises", "--perturbed-copies", type=ranges.COPIES)
    parser.add_argument("--pitch", action="store_true", help="track F0, for models that it conditions")
    parser.add_argument("--seed", type=ranges.SEED, default=0, metavar="N", help="of the perturbation; default: 0")
    parser.add_argument(
        "--jobs", type=ranges.WORKERS, default=os.cpu_count(), metavar="N", help="processes; default: all cores"
    )
    add_allow_pipes(parser)


def run(options: argparse.Namespace) -> int:
    """Pack and say what the pack holds; 2 if a recording of a manifest could not be used."""
    if options.shards is None and options.shard is None:
        return _write(options, _opened(options.data), options.out, "packing")
    from vqspeech.cli.common.shards import place

    shard, shards = place(options)
    if options.out.is_file():
        raise InputError("shards need a folder to lie in", where=options.out, hint="name a folder")
    data = _opened(options.data)
    status = 0
    for number in [shard] if shard else range(1, shards + 1):
        target = options.out / f"{number:05}-of-{shards:05}.pack"
        status |= _write(options, data, target, f"shard {number}", shard=(number, shards), keep=True)
    return status


def _opened(source: Path) -> DataDir | Rows:
    """A data directory, read; or rows, which are read shard by shard."""
    from vqspeech.datadir import DataDir
    from vqspeech.encoding import open_rows
    from vqspeech.encoding.shar import Shar

    is_shar = source.is_dir() and not (source / "wav.scp").is_file() and Shar.find(source) is not None
    return open_rows(source, source) if is_shar or source.is_file() else DataDir.read(source)


def _write(
    options: argparse.Namespace,
    data: DataDir | Rows,
    target: Path,
    doing: str,
    *,
    shard: tuple[int, int] | None = None,
    keep: bool = False,
) -> int:
    from vqspeech.cli.common.progress import bar
    from vqspeech.encoding import Rows
    from vqspeech.training.pack import failed_file, write_pack

    leave_out = isinstance(data, Rows)
    _require_no_other_file(target)
    pack = write_pack(
        data,
        target,
        sample_rate=options.sample_rate,
        rms=options.rms,
        perturbed_copies=options.perturbed_copies,
        pitch=options.pitch,
        seed=options.seed,
        jobs=options.jobs,
        shard=shard,
        keep=keep,
        leave_out=leave_out,
        progress=bar(doing, "utterance"),
    )
    print(
        f"{target}: {counted(len(pack.utterances), 'utterance')} of {counted(len(pack.speakers), 'speaker')}, "
        f"{pack.seconds / 3600:.2f} h, {len(pack.perturbed)} perturbed copies of each"
        + (", with pitch" if len(pack.pitch) else ""),
        flush=True,
    )
    failed = failed_file(target)
    if not (leave_out and failed.is_file()):
        return 0
    with failed.open("rb") as lines:
        count = sum(1 for _ in lines)
    print(f"vqspeech pack: {counted(count, 'recording')} could not be used, see {failed}", file=sys.stderr)
    return 2


def _require_no_other_file(target: Path) -> None:
    """Refuse to write over what is no pack.

    Raises:
        InputError: ``target`` is there, and something else.
    """
    from vqspeech.training.pack.file import open_file

    require_writable(target)
    if target.is_file() and target.stat().st_size:
        try:
            open_file(target)
        except InputError as error:
            hint = "name another file, or remove this one"
            raise InputError(
                f"is there, and no pack of this version: {error.problem}", where=target, hint=hint
            ) from None
