"""A real Slurm of one node, for tests: Debian's slurm-wlm and munge, with everything they write in one folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: Seconds in which it must have a node that takes jobs.
_START = 60.0


class Slurm:
    """Its commands.

    Args:
        environment: variables by which they find it.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def said(self, *command: str) -> str:
        """What a command prints; nothing where it does not answer."""
        with suppress(subprocess.TimeoutExpired):
            ended = subprocess.run(
                command, env={**os.environ, **self.environment}, capture_output=True, text=True, timeout=30, check=False
            )
            return ended.stdout + ended.stderr
        return ""

    def jobs(self, state: str, name: str | None = None) -> list[str]:
        """The jobs in a state, by Slurm's letters (``R`` runs, ``PD`` waits): all, or those of a name."""
        words = ["squeue", "-h", "-r", "-t", state, "-o", "%i", *([f"--name={name}"] if name else [])]
        return self.said(*words).split()

    def start_those_that_wait(self) -> None:
        """Let requeued jobs begin: Slurm lets them wait for two minutes, in case their node is to blame."""
        for job in self.jobs("PD"):
            self.said("scontrol", "update", f"JobId={job}", "StartTime=now")


@contextmanager
def one_node() -> Iterator[Slurm]:
    """Start it, and end it with all of its jobs; the test is skipped where it cannot start."""
    programs = {name: shutil.which(name) for name in ("munged", "slurmctld", "slurmd", "sbatch")}
    if None in programs.values() or os.geteuid() != 0:
        pytest.skip("needs slurm-wlm and munge, and to be root, to start a Slurm")
    place = Path(tempfile.mkdtemp(prefix="vqspeech-slurm-", dir="/tmp"))  # the name of a socket is short
    place.chmod(0o755)
    host = socket.gethostname().partition(".")[0]
    (place / "key").write_bytes(os.urandom(1024))
    (place / "key").chmod(0o400)
    (place / "slurm.conf").write_text(
        f"ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n"
        f"SlurmctldPort={_free_port()}\nSlurmdPort={_free_port()}\nAuthInfo=socket={place}/munge.socket\n"
        f"StateSaveLocation={place}/state\nSlurmdSpoolDir={place}/spool\nSlurmctldPidFile={place}/ctld.pid\n"
        f"SlurmdPidFile={place}/d.pid\nSlurmctldLogFile={place}/ctld.log\nSlurmdLogFile={place}/d.log\n"
        "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherType=jobacct_gather/none\n"
        "SelectType=select/cons_tres\nSelectTypeParameters=CR_CPU\nReturnToService=2\nMpiDefault=none\n"
        "SlurmdParameters=config_overrides\nKillWait=10\nSchedulerParameters=batch_sched_delay=0,sched_interval=2\n"
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs={max(os.cpu_count() or 1, 2)} RealMemory=4096 State=UNKNOWN\n"
        "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )
    for name in ("state", "spool"):
        (place / name).mkdir()
    slurm = Slurm({"SLURM_CONF": str(place / "slurm.conf")})
    daemons: list[subprocess.Popen[bytes]] = []
    munged = ["--foreground", "--force", f"--socket={place}/munge.socket", f"--key-file={place}/key"]
    munged += [f"--pid-file={place}/munge.pid", f"--log-file={place}/munge.log", f"--seed-file={place}/seed"]
    try:
        for name, words in (("munged", munged), ("slurmctld", ["-D"]), ("slurmd", ["-D", "-N", host])):
            log = (place / f"{name}.out").open("wb")
            daemons.append(
                subprocess.Popen(
                    [str(programs[name]), *words], env={**os.environ, **slurm.environment}, stdout=log, stderr=log
                )
            )
            time.sleep(1)
        deadline = time.monotonic() + _START
        while "idle" not in slurm.said("sinfo", "-h", "-o", "%T"):
            if time.monotonic() > deadline or any(daemon.poll() is not None for daemon in daemons):
                pytest.skip(f"Slurm does not start here: {_last_lines(place)}")
            time.sleep(0.5)
        yield slurm
    finally:
        slurm.said("scancel", "--full", "-u", "root")
        for daemon in reversed(daemons):
            daemon.terminate()
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()
        shutil.rmtree(place, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


def _last_lines(place: Path) -> str:
    logs = (path for pattern in ("*.log", "*.out") for path in sorted(place.glob(pattern)))
    return "; ".join(f"{path.name}: {path.read_text(errors='replace')[-200:]!r}" for path in logs)
