"""The pack: all speech of a data directory in one file that is memory-mapped, so that training needs no audio library.

It is a safetensors file, to be read by anything that reads those:

- ``samples``: int16 ``(total,)``, every utterance at the working level, those of a speaker one after another;
- ``perturbed``: int16 ``(copies, total)``, the same with pitch and formants changed (see ``perturb_speaker``);
- ``pitch``: int16 ``(ceil(total / PITCH_HOP),)``, F0 in tenths of a hertz, 0 where unvoiced, at the middle of each hop;
  empty where the pack was made without;
- ``ends``: int64 ``(utterances,)``, where each utterance ends;
- ``speaker_ends``: int64 ``(speakers,)``, where each speaker ends;
- metadata: format, sample rate, level, names of speakers and utterances.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import NDArray

from vqspeech import ranges
from vqspeech.errors import InputError, decoding
from vqspeech.files import atomic_open, locked

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir

P = ParamSpec("P")

_FORMAT = "vqspeech-pack-1"
#: Samples per value of F0, and its unit.
PITCH_HOP, PITCH_UNIT = 80, 0.1


@dataclass(frozen=True)
class Pack:
    """Packed speech, memory-mapped.

    Attributes:
        samples: int16 ``(total,)``.
        perturbed: int16 ``(copies, total)``.
        pitch: int16 ``(ceil(total / PITCH_HOP),)``, or ``(0,)``.
        ends: int64 ``(utterances,)``.
        speaker_ends: int64 ``(speakers,)``.
        sample_rate: in Hz.
        rms: level of active speech.
        speakers: names.
        utterances: ids.
        recordings: checksum of what it was made of, see ``recordings_of``; None of a pack of an earlier version.
    """

    samples: NDArray[np.int16]
    perturbed: NDArray[np.int16]
    ends: NDArray[np.int64]
    speaker_ends: NDArray[np.int64]
    sample_rate: int
    rms: float
    speakers: tuple[str, ...]
    utterances: tuple[str, ...]
    pitch: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    recordings: str | None = None

    def f0(self, centres: NDArray[np.int64]) -> NDArray[np.float32]:
        """F0 in Hz at the samples ``centres``, 0 where unvoiced; shape as given."""
        found: NDArray[np.float32] = self.pitch[centres // PITCH_HOP].astype(np.float32) * np.float32(PITCH_UNIT)
        return found

    @property
    def seconds(self) -> float:
        """Duration of all utterances."""
        return len(self.samples) / self.sample_rate

    def speaker_range(self, speaker: int) -> tuple[int, int]:
        """First sample of a speaker and the one after the last."""
        return int(self.speaker_ends[speaker - 1]) if speaker else 0, int(self.speaker_ends[speaker])

    @property
    def speaker_ranges(self) -> list[tuple[int, int]]:
        """``speaker_range`` of every speaker."""
        return [self.speaker_range(speaker) for speaker in range(len(self.speakers))]


def read_pack(path: str | os.PathLike[str]) -> Pack:
    """Map a pack.

    Raises:
        InputError: not a pack, or cut short.
    """
    hint = "make it again with vqspeech pack"
    with decoding("not a pack, or cut short", where=path, hint=hint):
        with Path(path).open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(100_000_000, Path(path).stat().st_size):
                raise InputError("not a pack", where=path, hint=hint)
            header = json.loads(file.read(length))
        metadata = header.pop("__metadata__")
        if metadata["format"] != _FORMAT:
            raise InputError(f"a pack of format {metadata['format']}, not {_FORMAT}", where=path, hint=hint)
        # A pack of an earlier version calls its perturbed copies disguises.
        header = {"perturbed" if name == "disguises" else name: entry for name, entry in header.items()}
        arrays = {name: _map(Path(path), 8 + length, entry) for name, entry in header.items()}
        pack = Pack(
            **arrays,
            sample_rate=int(metadata["sample_rate"]),
            rms=float(metadata["rms"]),
            speakers=tuple(json.loads(metadata["speakers"])),
            utterances=tuple(json.loads(metadata["utterances"])),
            recordings=metadata.get("recordings"),
        )
        _require_whole(pack)
        return pack


def _require_whole(pack: Pack) -> None:
    """Whether the parts of a pack fit each other; raises ValueError if they do not."""
    total = len(pack.samples)
    for ends, names in ((pack.ends, pack.utterances), (pack.speaker_ends, pack.speakers)):
        if (
            ends.shape != (len(names),)
            or not len(ends)
            or ends[0] <= 0
            or ends[-1] != total
            or (np.diff(ends) <= 0).any()
        ):
            raise ValueError("the ends of utterances or speakers make no sense")
    if pack.samples.shape != (total,) or pack.perturbed.shape[1:] != (total,):
        raise ValueError("samples and perturbed copies are not of one length")
    if not (1000 <= pack.sample_rate <= 1_000_000 and 0 < pack.rms <= 1):
        raise ValueError("no sample rate or level")


def _map(path: Path, start: int, entry: dict[str, Any]) -> NDArray[Any]:
    dtype = {"I16": np.int16, "I64": np.int64}[entry["dtype"]]
    shape = tuple(entry["shape"])
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", start + entry["data_offsets"][0], shape)


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


def recordings_of(data: DataDir) -> str:
    """What a pack of a data directory is made of: a checksum of its utterances and of the sizes of their recordings.

    Where the recordings lie is no part of it: they may be moved.
    """
    rows = [
        (u.id, u.speaker, u.start, u.end, *_stamp(u.recording)[:1])
        for u in sorted(data, key=lambda u: (u.speaker.encode(), u.id.encode()))
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _alone(write: Callable[P, Pack]) -> Callable[P, Pack]:
    """Let no other process write the same pack meanwhile."""

    @wraps(write)
    def call(*given: P.args, **named: P.kwargs) -> Pack:
        with locked(str(given[1] if len(given) > 1 else named["target"])):
            return write(*given, **named)

    return call


@_alone
def write_pack(
    data: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    sample_rate: int,
    rms: float,
    perturbed_copies: int = 0,
    pitch: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Pack a data directory.

    Interrupted, it goes on where it stopped when called again with the same arguments and recordings: what is done
    lies in ``target.partial/`` until the pack is complete.

    Args:
        data: the data directory.
        target: the file to write.
        sample_rate: in Hz.
        rms: level of active speech.
        perturbed_copies: copies of each utterance with pitch and formants perturbed.
        pitch: whether to track F0, for models that it conditions.
        seed: of the perturbation.
        jobs: processes at work.
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
    read = datadir.DataDir.read(Path(data))
    utterances = sorted(read, key=lambda u: (u.speaker.encode(), u.id.encode()))
    todo = [_Job(u.id, u.speaker, u.recording, u.start, u.end) for u in utterances]
    if not todo:
        raise InputError("no utterances", where=data, hint="prepare the data directory again")
    order = {
        "sample_rate": sample_rate,
        "rms": rms,
        "perturbed_copies": perturbed_copies,
        "pitch": pitch,
        "seed": seed,
        "utterances": [[*dataclasses.astuple(job), *_stamp(job.recording)] for job in todo],
    }
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
    _assemble(Path(target), partial_folder, todo, lengths, order | {"recordings": recordings_of(read)})
    shutil.rmtree(partial_folder)
    return read_pack(target)


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
    speaker_ends = ends[list(last.values())]
    total, copies = int(ends[-1]), int(order["perturbed_copies"])
    header: dict[str, Any] = {
        "__metadata__": {
            "format": _FORMAT,
            "sample_rate": str(order["sample_rate"]),
            "rms": str(order["rms"]),
            "recordings": order["recordings"],
            "speakers": json.dumps(list(last)),
            "utterances": json.dumps([job.utterance for job in todo]),
        }
    }
    pitch = _joined_pitch(folder, lengths) if order["pitch"] else np.zeros(0, np.int16)
    position = 0
    for name, dtype, shape, size in (
        ("ends", "I64", [len(ends)], 8 * len(ends)),
        ("speaker_ends", "I64", [len(last)], 8 * len(last)),
        ("samples", "I16", [total], 2 * total),
        ("perturbed", "I16", [copies, total], 2 * total * copies),
        ("pitch", "I16", [len(pitch)], 2 * len(pitch)),
    ):
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + size]}
        position += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with atomic_open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + ends.tobytes() + speaker_ends.tobytes())
        for row in range(copies + 1):
            with (folder / f"row{row}").open("rb") as samples:
                shutil.copyfileobj(samples, file, 1 << 20)
        file.write(pitch.tobytes())


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
