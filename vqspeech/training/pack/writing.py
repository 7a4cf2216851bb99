"""Speech of a data directory, or of rows, into one file of packed speech."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, locked
from vqspeech.training.pack.file import FORMAT, open_file
from vqspeech.training.pack.reading import Job, Loader, jobs_of, load_all
from vqspeech.training.pack.speech import PITCH_HOP, Pack

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir
    from vqspeech.encoding.row import Rows

P = ParamSpec("P")


def recordings_of(data: DataDir) -> str:
    """What a pack of a data directory is made of: a checksum of its utterances and of the sizes of their recordings.

    Where the recordings lie is no part of it: they may be moved.
    """
    return _recordings(jobs_of(data, None))


def _recordings(jobs: Sequence[Job]) -> str:
    return _checksum((job.id, job.speaker, job.start, job.end, *job.stamp()[:1]) for job in jobs)


def _checksum(rows: Iterable[Sequence[object]]) -> str:
    """Of the rows as one list in JSON, which is never held as a whole."""
    digest, before = hashlib.sha256(b"["), ""
    for row in rows:
        digest.update(f"{before}{json.dumps(row)}".encode())
        before = ", "
    digest.update(b"]")
    return digest.hexdigest()


def _alone(write: Callable[P, Pack]) -> Callable[P, Pack]:
    """Let no other process write the same pack meanwhile."""

    @wraps(write)
    def call(*given: P.args, **named: P.kwargs) -> Pack:
        with locked(str(given[1] if len(given) > 1 else named["target"])):
            return write(*given, **named)

    return call


@_alone
def write_pack(
    data: str | os.PathLike[str] | DataDir | Rows,
    target: str | os.PathLike[str],
    *,
    sample_rate: int,
    rms: float,
    perturbed_copies: int = 0,
    pitch: bool = False,
    seed: int = 0,
    jobs: int = 1,
    shard: tuple[int, int] | None = None,
    keep: bool = False,
    leave_out: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Pack a data directory or rows, or a shard of either.

    Interrupted, it goes on where it stopped when called again with the same arguments and recordings: what is done
    lies in ``target.partial/`` until the pack is complete. What is held in memory is a line per utterance of the
    shard and the recordings that are being read.

    Args:
        data: the data directory, or where it lies; or rows (``vqspeech.encoding.open_rows``) with speakers.
        target: the file to write.
        sample_rate: in Hz.
        rms: level of active speech.
        perturbed_copies: copies of each utterance with pitch and formants perturbed.
        pitch: whether to track F0, for models that it conditions.
        seed: of the perturbation.
        jobs: processes at work.
        shard: which of how many, from 1: of a data directory utterances by speaker and id in parts of equal number,
            of rows what ``of_shard`` gives. None for all.
        keep: whether a pack that is there already, of these recordings with these options, is left as it is.
        leave_out: whether recordings that cannot be used are left out and named, with the reason, in
            ``target.failed``; else the first of them is an error.
        progress: called with utterances done and utterances in all.

    Raises:
        InputError: the data directory, a row or a recording is unusable, a number is out of its range, or another
            process writes the pack.
        OSError: the disk is full; it names a file.
    """
    from vqspeech import datadir

    ranges.SAMPLE_RATE.check(sample_rate, "sample_rate")
    ranges.LEVEL.check(rms, "rms")
    ranges.COPIES.check(perturbed_copies, "perturbed_copies")
    ranges.SEED.check(seed, "seed")
    ranges.WORKERS.check(jobs, "jobs")
    source = datadir.DataDir.read(Path(data)) if isinstance(data, str | os.PathLike) else data
    todo = jobs_of(source, shard)
    options = {
        "sample_rate": sample_rate,
        "rms": rms,
        "perturbed_copies": perturbed_copies,
        "pitch": pitch,
        "seed": seed,
        "leave_out": leave_out,
    }
    recordings = _recordings(todo)
    partial_folder = Path(f"{os.fspath(target)}.partial")
    if keep and Path(target).is_file():
        found = open_file(Path(target)).pack
        made_with = (found.sample_rate, found.rms, len(found.perturbed), len(found.pitch) > 0, found.seed)
        if made_with == (sample_rate, rms, perturbed_copies, pitch, seed) and found.recordings == recordings:
            shutil.rmtree(partial_folder, ignore_errors=True)  # of a call that was killed when the pack was there
            return found
    utterances = _checksum((job.id, job.speaker, str(job.recording), job.start, job.end, *job.stamp()) for job in todo)
    lengths = _resume(partial_folder, options | {"utterances": utterances})
    load = Loader(sample_rate, rms, perturbed_copies, seed, pitch, leave_out)
    # Without buffers, which on a full disk would complain again when they are closed.
    with ExitStack() as stack:
        journal, failed, contours, *rows = (
            stack.enter_context((partial_folder / name).open("ab", buffering=0))
            for name in ("lengths", "failed", "pitch", *(f"row{row}" for row in range(perturbed_copies + 1)))
        )
        rest = todo[len(lengths) :]
        for job, loaded in zip(rest, load_all(load, rest, jobs), strict=True):
            if loaded.fault is not None:
                _append(failed, f"{job.id}\t{' '.join(loaded.fault.split())}\n".encode(errors="replace"))
            for file, array in zip(rows, loaded.samples, strict=True):
                _append(file, array.tobytes())
            _append(contours, loaded.pitch.tobytes())
            length = loaded.samples.shape[1]
            _append(journal, f"{length}\n".encode())
            lengths.append(length)
            if progress:
                progress(len(lengths), len(todo))
    if not any(lengths):
        first = (partial_folder / "failed").read_text().partition("\n")[0].replace("\t", ": ")
        raise InputError(f"no recording can be used: {first}", where=source.path, hint="check that they are there")
    kept = [(job, length) for job, length in zip(todo, lengths, strict=True) if length]
    header = options | {"recordings": recordings}
    _name_failed(Path(target), partial_folder / "failed")  # first: a pack that is there is not looked into again
    _assemble(Path(target), partial_folder, [job for job, _ in kept], [length for _, length in kept], header)
    shutil.rmtree(partial_folder)
    return open_file(Path(target)).pack


def failed_file(target: str | os.PathLike[str]) -> Path:
    """Where recordings are named that a pack leaves out."""
    return Path(f"{os.fspath(target)}.failed")


def _name_failed(target: Path, failed: Path) -> None:
    content = failed.read_bytes()
    if content:
        with atomic_open(failed_file(target), "wb") as file:
            file.write(content)
    else:
        failed_file(target).unlink(missing_ok=True)


def _append(file: io.FileIO, content: bytes) -> None:
    """Write all of it; raises OSError that names the file."""
    try:
        while content:
            content = content[file.write(content) :]
    except OSError as error:
        error.filename = file.name
        raise


def _resume(folder: Path, order: dict[str, Any]) -> list[int]:
    """Samples of each utterance that an earlier call with the same order completed; what it half wrote is cut off.

    An utterance of no samples is one whose recording cannot be used: it has a line in ``failed``.
    """
    text = json.dumps(order)
    if folder.is_dir() and ((folder / "order").is_file() and (folder / "order").read_text() == text):
        journal = (folder / "lengths").read_bytes() if (folder / "lengths").exists() else b""
        whole = journal[: journal.rfind(b"\n") + 1]
        lengths = [int(line) for line in whole.split()]
        sizes = {row: 2 * sum(lengths) for row in folder.glob("row*")}
        sizes[folder / "pitch"] = 2 * sum(-(-length // PITCH_HOP) for length in lengths) if order["pitch"] else 0
        failed = (folder / "failed").read_bytes().splitlines(keepends=True) if (folder / "failed").exists() else []
        sizes[folder / "failed"] = sum(map(len, failed[: lengths.count(0)]))
        if all(row.is_file() and row.stat().st_size >= size for row, size in sizes.items()):
            for row, size in sizes.items():
                os.truncate(row, size)
            if whole != journal:
                os.truncate(folder / "lengths", len(whole))
            return lengths
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with atomic_open(folder / "order") as file:
        file.write(text)
    return []


def _assemble(target: Path, folder: Path, todo: list[Job], lengths: list[int], order: dict[str, Any]) -> None:
    ends = np.cumsum(lengths, dtype=np.int64)
    last = {job.speaker: index for index, job in enumerate(todo)}
    speaker_utterances = np.array(list(last.values()), np.int64) + 1
    speaker_ends = ends[speaker_utterances - 1]
    ids = [job.id.encode(errors="surrogateescape") for job in todo]
    id_ends = np.cumsum([len(one) for one in ids], dtype=np.int64)
    total, copies = int(ends[-1]), int(order["perturbed_copies"])
    header: dict[str, Any] = {
        "__metadata__": {
            "format": FORMAT,
            "sample_rate": str(order["sample_rate"]),
            "rms": str(order["rms"]),
            "recordings": order["recordings"],
            "seed": str(order["seed"]),
            "speakers": json.dumps(list(last)),
        }
    }
    pitch = _joined_pitch(folder, lengths) if order["pitch"] else np.zeros(0, np.int16)
    position = 0
    for name, dtype, shape, size in (
        ("ends", "I64", [len(ends)], 8 * len(ends)),
        ("speaker_ends", "I64", [len(last)], 8 * len(last)),
        ("speaker_utterances", "I64", [len(last)], 8 * len(last)),
        ("id_ends", "I64", [len(ids)], 8 * len(ids)),
        ("samples", "I16", [total], 2 * total),
        ("perturbed", "I16", [copies, total], 2 * total * copies),
        ("pitch", "I16", [len(pitch)], 2 * len(pitch)),
        ("ids", "U8", [int(id_ends[-1])], int(id_ends[-1])),
    ):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for numbers in (ends, speaker_ends, speaker_utterances, id_ends):
            file.write(numbers.tobytes())
        for row in range(copies + 1):
            with (folder / f"row{row}").open("rb") as samples:
                shutil.copyfileobj(samples, file, 1 << 20)
        file.write(pitch.tobytes())
        file.write(b"".join(ids))


def _joined_pitch(folder: Path, lengths: list[int]) -> NDArray[np.int16]:
    """The contours of all utterances on one grid: at each hop of all samples, the nearest value of its utterance."""
    ends = np.cumsum(lengths)
    counts = -(-np.array(lengths) // PITCH_HOP)
    contours = np.fromfile(folder / "pitch", np.int16)
    centres = np.minimum(np.arange(-(-int(ends[-1]) // PITCH_HOP)) * PITCH_HOP + PITCH_HOP // 2, ends[-1] - 1)
    utterance = np.searchsorted(ends, centres, side="right")
    local = (centres - (ends - lengths)[utterance]) // PITCH_HOP
    joined: NDArray[np.int16] = contours[(np.cumsum(counts) - counts)[utterance] + local]
    return joined
