#!/usr/bin/env python3
"""How long training takes to begin, by the hours of speech: from packs to the first batch, without imports.

  .venv/bin/python tools/bench/start.py [--hours 1 100 1000] [--files 1 10]
  .venv/bin/python tools/bench/start.py --command --hours 2.8 28 280     # 1,000, 10,000, 100,000 utterances

The packs are of 10-second utterances of 40 speakers with pitch, in files with holes: all silence, no bytes on the disk.
Each figure is of a process of its own. With --command it is of ``vqspeech train`` as a whole, imports and all, until it
says that its first step begins.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from vqspeech.training.config import read_preset
from vqspeech.training.pack import PITCH_HOP, read_pack
from vqspeech.training.pack.file import FORMAT
from vqspeech.training.vqvae_task import VQVAETask

RATE, SECONDS, SPEAKERS = 16_000, 10, 40
MODULATED = ("model.conditioner.block=modulated", "model.conditioner.pitch=true")


def write_silence(path: Path, hours: float, first: int) -> None:
    """A pack whose utterances are numbered from ``first`` on."""
    count = max(SPEAKERS, round(hours * 3600 / SECONDS))
    ends = np.arange(1, count + 1, dtype=np.int64) * RATE * SECONDS
    speaker_utterances = np.linspace(0, count, SPEAKERS + 1).astype(np.int64)[1:]
    ids = [f"utterance-{number:09}".encode() for number in range(first, first + count)]
    tables = {
        "ends": ends,
        "speaker_ends": ends[speaker_utterances - 1],
        "speaker_utterances": speaker_utterances,
        "id_ends": np.cumsum([len(one) for one in ids], dtype=np.int64),
        "ids": np.frombuffer(b"".join(ids), np.uint8),
    }
    total = int(ends[-1])
    header: dict[str, object] = {
        "__metadata__": {
            "format": FORMAT,
            "sample_rate": str(RATE),
            "rms": "0.06",
            "speakers": json.dumps([f"speaker-{number:02}" for number in range(SPEAKERS)]),
        }
    }
    place = 0
    shapes = {name: list(table.shape) for name, table in tables.items()}
    shapes |= {"samples": [total], "perturbed": [0, total], "pitch": [-(-total // PITCH_HOP)]}
    for name, shape in shapes.items():
        dtype, width = {"samples": ("I16", 2), "perturbed": ("I16", 2), "pitch": ("I16", 2), "ids": ("U8", 1)}.get(
            name, ("I64", 8)
        )
        size = width * int(np.prod(shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for table in tables.values():
            file.write(table.tobytes())
        file.truncate(8 + len(text) + place)


def begin(train: Path, dev: Path) -> None:
    """Open both and make the first batch; prints what that took."""
    preset = read_preset("tiny", MODULATED)
    before, began, used = _memory(), time.perf_counter(), time.process_time()
    pack = read_pack(train)
    VQVAETask(preset, pack, read_pack(dev)).train(0)
    passed, used = time.perf_counter() - began, time.process_time() - used
    print(
        f"{pack.seconds / 3600:8.0f} h in {max(1, len(list(train.glob('*.pack')))):4} files: {passed:.2f} s, "
        f"{used:.2f} s of the processor, {_memory() - before:.0f} MB",
        flush=True,
    )


def begin_command(train: Path, dev: Path, hours: float, files: int) -> None:
    """Start ``vqspeech train``, and end it when its first step begins; prints what that took."""
    words = ["-m", "vqspeech", "train", "tiny", "--data", str(train), "--dev", str(dev), "--device", "cpu"]
    words += ["--threads", "1", "training.precision=fp32"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        process = subprocess.Popen(
            [sys.executable, *words, "--out", out], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "step 0 of" in line:
                break
        else:
            raise SystemExit("".join(said))
        passed = time.perf_counter() - began
        place = Path("/proc") / str(process.pid)
        ticks = (place / "stat").read_text().rpartition(")")[2].split()[11:13]  # in user mode, in the kernel
        used = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        (peak,) = (line.split()[1] for line in (place / "status").read_text().splitlines() if line.startswith("VmHWM"))
        process.kill()
        process.wait()
    print(
        f"{hours:8.1f} h in {files:4} files: {passed:.2f} s, {used:.2f} s of the processor, {int(peak) / 1024:.0f} MB "
        "for the whole command",
        flush=True,
    )


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--files", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--command", action="store_true", help="measure vqspeech train itself")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        dev = Path(name) / "dev.pack"
        write_silence(dev, 1, 0)
        for files in options.files:
            for hours in options.hours:
                folder = Path(name) / f"{hours}-{files}"
                folder.mkdir()
                for number in range(files):
                    write_silence(folder / f"{number:04}.pack", hours / files, number * 10_000_000)
                train = folder if files > 1 else folder / "0000.pack"
                if options.command:
                    begin_command(train, dev, hours, files)
                    continue
                process = multiprocessing.get_context("fork").Process(target=begin, args=(train, dev))
                process.start()
                process.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
