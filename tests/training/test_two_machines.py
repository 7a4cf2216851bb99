"""``torchrun --nnodes 2`` between two network namespaces: machines that see each other only over a cable."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_training import CHANGES, write_data

from vqspeech.cli.main import main

#: Seconds that anything may take on a busy machine.
PATIENCE = 400.0
#: More than are taken.
STEPS = 1_000_000
ADDRESSES = ("10.213.77.1", "10.213.77.2")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    """Two network namespaces, joined by a pair of virtual interfaces called ``cable``."""
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("takes minutes: tests/nightly.sh runs it")
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs to be root and iproute2 to make network namespaces")
    names = (f"vqspeech-a{os.getpid()}", f"vqspeech-b{os.getpid()}")
    try:
        try:
            for name in names:
                ip("netns", "add", name)
            ip("-n", names[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", names[1])
            for name, address in zip(names, ADDRESSES, strict=True):
                ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
                ip("-n", name, "link", "set", "cable", "up")
                ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def start(machines: tuple[str, str], place: int, each: int, words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start torchrun on one of the machines, with so many processes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", str(each)]
    torchrun += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"{ADDRESSES[0]}:29500", "--rdzv-id", "vqspeech"]
    # By its name a machine without a name server does not see that the address is its own.
    torchrun += ["--rdzv-conf", f"is_host={int(place == 0)}"]
    torchrun += ["--local-addr", ADDRESSES[place], "-m", "vqspeech", *words]
    environment = {**os.environ, "GLOO_SOCKET_IFNAME": "cable", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as file:
        return subprocess.Popen(
            ["ip", "netns", "exec", machines[place], *torchrun], env=environment, stdout=file, stderr=file
        )


def ended(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    deadline = time.monotonic() + PATIENCE
    try:
        return [process.wait(max(1.0, deadline - time.monotonic())) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def checkpoint(out: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(out / "checkpoints" / "last.pt", weights_only=True)
    return state


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A command that trains on a folder of two packs."""
    data = write_data(tmp_path / "in")
    packs = tmp_path / "packs"
    packing = ["pack", str(data), str(packs), "--jobs", "1", "--sample-rate", "8000", "--shards", "2"]
    assert main(packing) == 0
    return ["train", "tiny", "--data", str(packs), "--dev", str(packs), "--device", "cpu", *CHANGES]


def reports(out: Path) -> int:
    """How many lines of progress a run has logged, one every ten seconds."""
    log = out / "train.log"
    return log.read_text().count(f"/{STEPS} ") if log.exists() else 0


def stopped_after_a_report(processes: list[subprocess.Popen[bytes]], out: Path) -> list[int]:
    """Stop the last of some processes when the run has made progress; their exit statuses."""
    before, deadline = reports(out), time.monotonic() + PATIENCE
    while reports(out) == before and time.monotonic() < deadline and all(one.poll() is None for one in processes):
        time.sleep(0.5)
    processes[-1].send_signal(signal.SIGTERM)
    return ended(processes)


def test_one_of_two_machines_is_stopped_and_a_single_process_goes_on(
    machines: tuple[str, str], words: list[str], tmp_path: Path
) -> None:
    out, logs = tmp_path / "exp", [tmp_path / f"{name}.log" for name in "ab"]
    command = [*words, f"training.steps={STEPS}", "--out", str(out)]
    # Two processes on each; the machine that is stopped is not the one that writes checkpoints.
    statuses = stopped_after_a_report([start(machines, place, 2, command, logs[place]) for place in (0, 1)], out)
    said = "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)
    assert all(statuses), said
    assert reports(out) > 0, said
    assert "the same command goes on from there" in (out / "train.log").read_text(), said
    first = checkpoint(out)
    assert first["step"] > 0
    alone = subprocess.Popen([sys.executable, "-m", "vqspeech", *command], stderr=subprocess.DEVNULL)
    assert stopped_after_a_report([alone], out) == [130]
    assert checkpoint(out)["step"] > first["step"]
    assert f"step {first['step']} of {STEPS}" in (out / "train.log").read_text()
