"""Speech of a data directory into one file of packed speech."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.errors import InputError
from vqspeech.files import atomic_open, locked
from vqspeech.training.pack.file import FORMAT, open_file
from vqspeech.training.pack.speech import PITCH_HOP, PITCH_UNIT, Pack

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir, Utterance

P = ParamSpec("P")


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know of one utterance."""

    utterance: str
    speaker: str
    recording: str
    start: float | None
    end: float | None


def _load(
    job: _Job, *, rate: int, rms: float, copies: int, seed: int, with_pitch: bool
) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Read one utterance: ``(1 + copies, samples)``, the first row the original; and its F0, one value per hop."""
    from vqspeech import audio
    from vqspeech.pitch import frame_f0
    from vqspeech.training.perturbation import perturb_speaker

    waveform = audio.normalise_level(audio.read(job.recording, rate=rate, start=job.start, end=job.end), rate, rms)
    rng = np.random.default_rng([seed, zlib.crc32(job.utterance.encode())])
    rows = [waveform]
    rows += [audio.normalise_level(perturb_speaker(waveform, rate, rng), rate, rms) for _ in range(copies)]
    samples = np.rint(np.clip(np.stack(rows), -1, 1) * 32767).astype(np.int16)
    if not with_pitch:
        return samples, np.zeros(0, np.int16)
    f0 = frame_f0(waveform, rate, hop=PITCH_HOP, count=-(-len(waveform) // PITCH_HOP))
    return samples, np.rint(f0 / PITCH_UNIT).astype(np.int16)


def recordings_of(utterances: Iterable[Utterance]) -> str:
    """What a pack of utterances is made of: a checksum of these and of the sizes of their recordings.

    Where the recordings lie is no part of it: they may be moved.
    """
    rows = [(u.id, u.speaker, u.start, u.end, *_stamp(u.recording)[:1]) for u in _in_order(utterances)]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _in_order(utterances: Iterable[Utterance]) -> list[Utterance]:
    return sorted(utterances, key=lambda u: (u.speaker.encode(), u.id.encode()))


def _alone(write: Callable[P, Pack]) -> Callable[P, Pack]:
    """Let no other process write the same pack meanwhile."""

    @wraps(write)
    def call(*given: P.args, **named: P.kwargs) -> Pack:
        with locked(str(given[1] if len(given) > 1 else named["target"])):
            return write(*given, **named)

    return call


@_alone
def write_pack(
    data: str | os.PathLike[str] | DataDir,
    target: str | os.PathLike[str],
    *,
    sample_rate: int,
    rms: float,
    perturbed_copies: int = 0,
    pitch: bool = False,
    seed: int = 0,
    jobs: int = 1,
    stretch: tuple[int, int] | None = None,
    keep: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Pack a data directory, or a stretch of it.

    Interrupted, it goes on where it stopped when called again with the same arguments and recordings: what is done
    lies in ``target.partial/`` until the pack is complete.

    Args:
        data: the data directory, or where it lies.
        target: the file to write.
        sample_rate: in Hz.
        rms: level of active speech.
        perturbed_copies: copies of each utterance with pitch and formants perturbed.
        pitch: whether to track F0, for models that it conditions.
        seed: of the perturbation.
        jobs: processes at work.
        stretch: which of how many, from 1: utterances by speaker and id in parts of equal number. None for all.
        keep: whether a pack that is there already, of these recordings with these options, is left as it is.
        progress: called with utterances done and utterances in all.

    Raises:
        InputError: the data directory or a recording is unusable, a number is out of its range, or another process
            writes the pack.
        OSError: the disk is full; it names a file.
    """
    from vqspeech import datadir

    ranges.SAMPLE_RATE.check(sample_rate, "sample_rate")
    ranges.LEVEL.check(rms, "rms")
    ranges.COPIES.check(perturbed_copies, "perturbed_copies")
    ranges.SEED.check(seed, "seed")
    ranges.WORKERS.check(jobs, "jobs")
    where = data.path if isinstance(data, datadir.DataDir) else data
    utterances = _in_order(data if isinstance(data, datadir.DataDir) else datadir.DataDir.read(Path(data)))
    if stretch is not None:
        utterances = _part(utterances, *stretch, where)
    todo = [_Job(u.id, u.speaker, u.recording, u.start, u.end) for u in utterances]
    if not todo:
        raise InputError("no utterances", where=where, hint="prepare the data directory again")
    order = {
        "sample_rate": sample_rate,
        "rms": rms,
        "perturbed_copies": perturbed_copies,
        "pitch": pitch,
        "seed": seed,
        "utterances": [[*dataclasses.astuple(job), *_stamp(job.recording)] for job in todo],
    }
    recordings = recordings_of(utterances)
    if keep and Path(target).is_file():
        found = open_file(Path(target)).pack
        made_with = (found.sample_rate, found.rms, len(found.perturbed), len(found.pitch) > 0, found.seed)
        if made_with == (sample_rate, rms, perturbed_copies, pitch, seed) and found.recordings == recordings:
            return found
    partial_folder = Path(f"{os.fspath(target)}.partial")
    lengths = _resume(partial_folder, order)
    load = partial(_load, rate=sample_rate, rms=rms, copies=perturbed_copies, seed=seed, with_pitch=pitch)
    # Without buffers, which on a full disk would complain again when they are closed.
    with ExitStack() as stack:
        journal, contours, *rows = (
            stack.enter_context((partial_folder / name).open("ab", buffering=0))
            for name in ("lengths", "pitch", *(f"row{row}" for row in range(perturbed_copies + 1)))
        )
        for length, arrays, contour in _loaded(load, todo[len(lengths) :], jobs):
            for file, array in zip(rows, arrays, strict=True):
                _append(file, array.tobytes())
            _append(contours, contour.tobytes())
            _append(journal, f"{length}\n".encode())
            lengths.append(length)
            if progress:
                progress(len(lengths), len(todo))
    _assemble(Path(target), partial_folder, todo, lengths, order | {"recordings": recordings})
    shutil.rmtree(partial_folder)
    return open_file(Path(target)).pack


def _part(utterances: list[Utterance], number: int, count: int, data: str | os.PathLike[str] | None) -> list[Utterance]:
    if count > len(utterances):
        raise InputError(
            f"{len(utterances)} utterances cannot be cut into {count} shards", where=data, hint="ask for fewer shards"
        )
    return utterances[len(utterances) * (number - 1) // count : len(utterances) * number // count]


def _loaded(
    load: Callable[[_Job], tuple[NDArray[np.int16], NDArray[np.int16]]], todo: list[_Job], jobs: int
) -> Iterator[tuple[int, NDArray[np.int16], NDArray[np.int16]]]:
    if jobs == 1:
        for job in todo:
            arrays, contour = load(job)
            yield arrays.shape[1], arrays, contour
        return
    with ProcessPoolExecutor(jobs) as pool:
        try:
            for arrays, contour in pool.map(load, todo, chunksize=4):
                yield arrays.shape[1], arrays, contour
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _stamp(recording: str) -> tuple[int, int] | tuple[()]:
    """Size and time of a recording; nothing of one that is a command."""
    path = Path(recording)
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else ()


def _append(file: io.FileIO, content: bytes) -> None:
    """Write all of it; raises OSError that names the file."""
    try:
        while content:
            content = content[file.write(content) :]
    except OSError as error:
        error.filename = file.name
        raise


def _resume(folder: Path, order: dict[str, Any]) -> list[int]:
    """Samples of each utterance that an earlier call with the same order completed; what it half wrote is cut off."""
    text = json.dumps(order)
    if folder.is_dir() and ((folder / "order").is_file() and (folder / "order").read_text() == text):
        journal = (folder / "lengths").read_bytes() if (folder / "lengths").exists() else b""
        whole = journal[: journal.rfind(b"\n") + 1]
        lengths = [int(line) for line in whole.split()]
        sizes = {row: 2 * sum(lengths) for row in folder.glob("row*")}
        sizes[folder / "pitch"] = 2 * sum(-(-length // PITCH_HOP) for length in lengths) if order["pitch"] else 0
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


def _assemble(target: Path, folder: Path, todo: list[_Job], lengths: list[int], order: dict[str, Any]) -> None:
    ends = np.cumsum(lengths, dtype=np.int64)
    last = {job.speaker: index for index, job in enumerate(todo)}
    speaker_utterances = np.array(list(last.values()), np.int64) + 1
    speaker_ends = ends[speaker_utterances - 1]
    ids = [job.utterance.encode(errors="surrogateescape") for job in todo]
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
