"""What goes into a pack: utterances of a data directory or of rows, and their recordings, read by several processes."""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vqspeech.counts import counted
from vqspeech.encoding.row import Rows
from vqspeech.encoding.tar_member import Member
from vqspeech.errors import InputError
from vqspeech.files import name_fault
from vqspeech.training.pack.speech import PITCH_HOP, PITCH_UNIT

if TYPE_CHECKING:
    from vqspeech.datadir import DataDir

#: Utterances that a process is given at a time, and how many such tasks per process are under way: as much as is read
#: ahead of a slow one.
_AT_ONCE, _AHEAD = 4, 4


@dataclass(frozen=True, slots=True)
class Job:
    """What is needed to read one utterance.

    Attributes:
        id: of the utterance.
        speaker: who speaks.
        recording: a path, a ``vqspeech.pipes.Pipe``, or a recording in a tar file.
        start: seconds into it; None for its beginning.
        end: seconds into it; None for its end.
    """

    id: str
    speaker: str
    recording: str | Member
    start: float | None
    end: float | None

    def stamp(self) -> tuple[int, int] | tuple[()]:
        """Size of the recording and time of its file; nothing of one that is a command or not there."""
        if isinstance(self.recording, Member):
            return self.recording.size, self.recording.tar.stat().st_mtime_ns
        path = Path(self.recording)
        return (path.stat().st_size, path.stat().st_mtime_ns) if path.is_file() else ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """One utterance as a pack has it.

    Attributes:
        samples: int16 ``(1 + copies, samples)``, the first row the original; none where the recording cannot be used.
        pitch: int16, F0 in units of ``PITCH_UNIT``, one value per hop; empty where it is not wanted.
        fault: why the recording cannot be used.
    """

    samples: NDArray[np.int16]
    pitch: NDArray[np.int16]
    fault: str | None = None


def jobs_of(data: DataDir | Rows, shard: tuple[int, int] | None) -> list[Job]:
    """The utterances of a shard (all, without), those of a speaker together.

    Args:
        data: a data directory, which is sorted by speaker and id before it is cut; or rows, cut in their own order,
            so that those of other shards are not read, and sorted after.
        shard: which, from 1, of how many.

    Raises:
        InputError: there are none, a row has no speaker or makes no sense, or an utterance is there twice.
    """
    if not isinstance(data, Rows):
        jobs = _sorted(Job(u.id, u.speaker, u.recording, u.start, u.end) for u in data)
        if shard is not None:
            number, count = shard
            if count > len(jobs):
                problem = f"{counted(len(jobs), 'utterance')} cannot be cut into {counted(count, 'shard')}"
                raise InputError(problem, where=data.path, hint="ask for fewer shards")
            jobs = jobs[len(jobs) * (number - 1) // count : len(jobs) * number // count]
        if not jobs:
            raise InputError("no utterances", where=data.path, hint="prepare the data directory again")
        return jobs
    number, count = shard or (1, 1)
    jobs = _sorted(
        Job(row.id, _speaker(row.id, row.speaker, data.path), row.recording, row.start, row.end)
        for row in data.of_shard(number, count)
    )
    if not jobs:
        where = "" if shard is None else f" in shard {number} of {count}"
        raise InputError(f"no utterances{where}", where=data.path, hint="ask for fewer shards; a Shar is cut by files")
    for before, after in itertools.pairwise(jobs):
        if (before.speaker, before.id) == (after.speaker, after.id):
            raise InputError(f"utterance {after.id} is there twice", where=data.path, hint="give each its own id")
    return jobs


def _sorted(jobs: Iterator[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: (_bytes(job.speaker), _bytes(job.id)))


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def _speaker(utterance: str, name: str | None, where: Path) -> str:
    hint = 'one "speaker" per row, or supervisions of one speaker per cut; train-units takes any, but one it must be'
    if name is None:
        raise InputError(f"{utterance} has no speaker, or several", where=where, hint=hint)
    if fault := name_fault(name) or (f"{name[:60]!r} holds white space" if name.split() != [name] else None):
        raise InputError(f"speaker of {utterance}: {fault}", where=where, hint="rename it: speakers name files")
    return name


@dataclass(frozen=True)
class Loader:
    """Reads utterances.

    Attributes:
        rate: samples per second.
        rms: level of active speech.
        copies: with pitch and formants perturbed.
        seed: of the perturbation.
        pitch: whether F0 is wanted.
        leave_out: whether a recording that cannot be used is no error, but a fault of its utterance.
    """

    rate: int
    rms: float
    copies: int
    seed: int
    pitch: bool
    leave_out: bool

    def __call__(self, job: Job) -> Loaded:
        """Read one; raises InputError where it cannot be used."""
        try:
            return self._load(job)
        except InputError as error:
            if not self.leave_out:
                raise
            nothing = np.zeros(0, np.int16)
            return Loaded(np.zeros((1 + self.copies, 0), np.int16), nothing, str(error))

    def _load(self, job: Job) -> Loaded:
        from vqspeech import audio
        from vqspeech.pitch import frame_f0
        from vqspeech.training.perturbation import perturb_speaker

        rate, rms = self.rate, self.rms
        recording = job.recording.open() if isinstance(job.recording, Member) else job.recording
        waveform = audio.normalise_level(audio.read(recording, rate=rate, start=job.start, end=job.end), rate, rms)
        rng = np.random.default_rng([self.seed, zlib.crc32(_bytes(job.id))])
        rows = [waveform]
        rows += [audio.normalise_level(perturb_speaker(waveform, rate, rng), rate, rms) for _ in range(self.copies)]
        samples = np.rint(np.clip(np.stack(rows), -1, 1) * 32767).astype(np.int16)
        if not self.pitch:
            return Loaded(samples, np.zeros(0, np.int16))
        f0 = frame_f0(waveform, rate, hop=PITCH_HOP, count=-(-len(waveform) // PITCH_HOP))
        return Loaded(samples, np.rint(f0 / PITCH_UNIT).astype(np.int16))


def load_all(load: Callable[[Job], Loaded], jobs: Sequence[Job], processes: int) -> Iterator[Loaded]:
    """Read utterances, in order; no more are held than some per process, however long one of them takes."""
    if processes == 1:
        yield from map(load, jobs)
        return
    under_way: deque[Future[list[Loaded]]] = deque()
    with ProcessPoolExecutor(processes) as pool:
        try:
            for first in range(0, len(jobs), _AT_ONCE):
                under_way.append(pool.submit(_load_some, load, jobs[first : first + _AT_ONCE]))
                if len(under_way) >= _AHEAD * processes:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _load_some(load: Callable[[Job], Loaded], jobs: Sequence[Job]) -> list[Loaded]:
    return [load(job) for job in jobs]
