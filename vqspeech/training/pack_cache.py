"""Speech to train on, whichever form the user has it in: a pack, or a data directory that is packed first."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from vqspeech.datadir import DataDir
from vqspeech.encoding.shar import Shar
from vqspeech.errors import InputError
from vqspeech.files import atomic_open
from vqspeech.model.config import AudioConfig
from vqspeech.training.pack import Pack, pack_files, read_pack, recordings_of, write_pack

#: How long processes wait for the first to pack.
_PATIENCE = timedelta(days=3)
#: Recordings whose sizes are looked at where the data directory's own files have not changed since it was packed.
_LOOKED_AT = 100


def cached_pack(
    source: Path,
    cache: Path,
    audio: AudioConfig,
    *,
    perturbed_copies: int = 0,
    pitch: bool = False,
    seed: int = 0,
) -> Pack:
    """Open the speech of ``source`` as a preset wants it.

    Args:
        source: a pack (a file, or a folder of such files), or a data directory, which is packed into ``cache`` unless
            it is there already.
        cache: where the pack of a data directory goes.
        audio: sample rate and level.
        perturbed_copies: perturbed copies wanted.
        pitch: whether F0 is wanted; a data directory is packed with it.
        seed: of what these are perturbed by.

    Raises:
        InputError: there is no such thing, the pack was made for another sample rate, level or number of copies, or
            of what the data directory held before.
    """
    if source.is_dir() and not (source / "wav.scp").exists() and Shar.find(source) is not None:
        hint = f"vqspeech pack {source} packs/ --shards N, then --data packs/"
        raise InputError("lhotse's Shar, which is packed before it is trained on", where=source, hint=hint)
    if source.is_dir() and not pack_files(source):
        _pack(source, cache, audio, perturbed_copies, pitch, seed)
        source = cache
    if not source.exists():
        raise InputError("no such data directory or pack", where=source, hint="make one with vqspeech prepare")
    pack = read_pack(source)
    if (pack.sample_rate, pack.rms) != (audio.sample_rate, audio.rms):
        raise InputError(
            f"packed at {pack.sample_rate} Hz, level {pack.rms}; the preset has {audio.sample_rate}, {audio.rms}",
            where=source,
            hint=f"vqspeech pack --sample-rate {audio.sample_rate} --rms {audio.rms}",
        )
    if len(pack.perturbed) < perturbed_copies:
        raise InputError(
            f"holds {len(pack.perturbed)} perturbed copies, the preset wants {perturbed_copies}",
            where=source,
            hint=f"vqspeech pack --perturbed-copies {perturbed_copies}, or training.perturb_probability=0",
        )
    return pack


def _pack(source: Path, cache: Path, audio: AudioConfig, perturbed_copies: int, pitch: bool, seed: int) -> None:
    """Pack a data directory once, in the first process; the others wait."""

    def pack() -> None:
        _pack_once(source, cache, audio, perturbed_copies, pitch, seed)

    in_the_first_process(pack, source)


def in_the_first_process(work: Callable[[], object], source: Path) -> None:
    """Do something once: of the processes of a distributed run in the first, while the others wait.

    Args:
        work: what takes longer than a collective of the run may.
        source: what it is done with, for errors.

    Raises:
        InputError: in the others, where it failed in the first.
    """
    if not dist.is_initialized():
        work()
        return
    # A group of its own, whose patience is that of a large corpus: NCCL's ends after ten minutes.
    failure: Exception | None = None
    if dist.get_rank() == 0:
        try:
            work()
        except Exception as error:
            failure = error
    failed = torch.tensor(failure is not None)
    patient = dist.new_group(backend="gloo", timeout=_PATIENCE)
    dist.broadcast(failed, 0, patient)
    dist.destroy_process_group(patient)
    if failure is not None:
        raise failure
    if failed:
        raise InputError("the first process could not prepare it", where=source, hint="its message says why")


def _pack_once(source: Path, cache: Path, audio: AudioConfig, perturbed_copies: int, pitch: bool, seed: int) -> None:
    seen = cache.with_name(f"{cache.name}.json")
    stamps = _stamps(source)  # first: what changes while it is read is looked at again
    if cache.exists():
        if _as_it_was(source, cache, seen):
            return
        packed = read_pack(cache).recordings
        if packed is not None and packed != recordings_of(DataDir.read(source)):
            raise InputError(
                f"packed from other recordings than {source} has now",
                where=cache,
                hint="use another --out, or remove it to pack again",
            )
    else:
        write_pack(
            source,
            cache,
            sample_rate=audio.sample_rate,
            rms=audio.rms,
            perturbed_copies=perturbed_copies,
            pitch=pitch,
            seed=seed,
            jobs=os.cpu_count() or 1,
        )
    recordings = [utterance.recording for utterance in DataDir.read(source)]
    some = recordings[:: -(-len(recordings) // _LOOKED_AT)]
    with atomic_open(seen) as file:
        json.dump({"files": stamps, "pack": _stamp(cache), "recordings": _sizes(some)}, file)


def _stamps(source: Path) -> dict[str, list[int]]:
    """Sizes and times of a data directory's own files."""
    return {name: _stamp(source / name) for name in ("wav.scp", "segments", "utt2spk") if (source / name).is_file()}


def _stamp(path: Path) -> list[int]:
    return [path.stat().st_size, path.stat().st_mtime_ns]


def _sizes(recordings: list[str]) -> dict[str, int | None]:
    return {name: Path(name).stat().st_size if Path(name).is_file() else None for name in recordings}


def _as_it_was(source: Path, cache: Path, seen: Path) -> bool:
    """Whether a data directory is what was packed, as far as can be said in a time that does not grow with it.

    Its own files are those of then, so is the pack, and some recordings that are spread evenly over it have the sizes
    that they had.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        noted = json.loads(seen.read_bytes())
        sizes = noted["recordings"]
        same = (noted["files"], noted["pack"]) == (_stamps(source), _stamp(cache))
        return bool(same and len(sizes) <= _LOOKED_AT and _sizes(list(sizes)) == sizes)
    return False
