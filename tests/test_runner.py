"""run.py and slurm.py: jobs side by side, a log each, and no job that outlives its run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent.parent / "tools"


def run(folder: Path, *words: str, script: str = "run.py") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOOLS / script), *words], cwd=folder, capture_output=True, text=True, check=False
    )


def test_each_job_has_its_number_and_its_log(tmp_path: Path) -> None:
    assert run(tmp_path, "JOB=7:7", "say.JOB.log", "true").stdout == "say.7.log\n"
    ended = run(tmp_path, "JOB=1:3", "log/say.JOB.log", "sh", "-c", "echo job JOB; echo trouble JOB >&2")
    assert ended.returncode == 0
    for number in (1, 2, 3):
        lines = (tmp_path / "log" / f"say.{number}.log").read_text().splitlines()
        assert lines[0] == f"# sh -c 'echo job {number}; echo trouble {number} >&2'"
        assert f"job {number}" in lines
        assert f"trouble {number}" in lines
        assert "status 0" in lines[-1]


def test_without_jobs_nothing_is_replaced(tmp_path: Path) -> None:
    assert run(tmp_path, "JOB.log", "echo", "JOB").returncode == 0
    assert "\nJOB\n" in (tmp_path / "JOB.log").read_text()


def test_a_job_that_fails_is_told_of_when_the_others_have_ended(tmp_path: Path) -> None:
    ended = run(tmp_path, "JOB=1:3", "JOB.log", "sh", "-c", "echo what happened; touch JOB.ended; [ JOB != 2 ]")
    assert ended.returncode == 1
    assert "1 of 3 jobs failed, see 2.log" in ended.stderr
    assert "what happened" in ended.stderr
    assert {path.name for path in tmp_path.glob("*.ended")} == {"1.ended", "2.ended", "3.ended"}


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    ended = run(tmp_path, "a.log", "no-such-command")
    assert ended.returncode == 1
    assert "no-such-command: No such file" in ended.stderr


def test_jobs_at_once(tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    job = "touch now/JOB; ls now | wc -l >>counts; sleep 0.1; rm now/JOB"
    assert run(tmp_path, "--max-jobs-run", "2", "JOB=1:6", "JOB.log", "sh", "-c", job).returncode == 0
    assert max(int(line) for line in (tmp_path / "counts").read_text().split()) <= 2


def test_jobs_that_are_done_are_not_done_again(tmp_path: Path) -> None:
    words = ("--done", "marks/JOB", "JOB=1:3", "JOB.log", "sh", "-c", "echo JOB >>all; [ JOB != 2 ] || [ -e mended ]")
    assert run(tmp_path, *words).returncode == 1
    (tmp_path / "mended").touch()
    assert run(tmp_path, *words).returncode == 0
    assert sorted((tmp_path / "all").read_text().split()) == ["1", "2", "2", "3"]
    # A mark of another command is none.
    assert run(tmp_path, *words[:-1], "echo JOB >>other").returncode == 0
    assert sorted((tmp_path / "other").read_text().split()) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("a.log",), "expected"),
        (("JOB=1:3", "a.log", "true"), "JOB is not in the name of the log"),
        (("JOB=3:1", "JOB.log", "true"), "names no job"),
        (("--max-jobs-run", "many", "a.log", "true"), "is no number"),
        (("--nothing", "1", "a.log", "true"), "no option --nothing"),
        (("--mem",), "needs a value"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, words: tuple[str, ...], problem: str) -> None:
    ended = run(tmp_path, *words)
    assert ended.returncode == 2
    assert problem in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pids(folder: Path, number: int) -> list[int]:
    deadline = time.monotonic() + 30
    while len(found := [path for path in folder.glob("*.pid") if path.read_text().strip()]) < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(path.read_text()) for path in found]


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


SLEEPER = "sleep 600 & echo $! >JOB-child.pid; echo $$ >JOB-parent.pid; wait"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_job_behind(tmp_path: Path, number: int) -> None:
    words = ["JOB=1:2", "JOB.log", "sh", "-c", SLEEPER]
    process = subprocess.Popen([sys.executable, str(TOOLS / "run.py"), *words], cwd=tmp_path)
    jobs = pids(tmp_path, 4)
    process.send_signal(number)
    assert process.wait(30) == 128 + number
    assert gone(jobs)


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the kernel of Linux alone ends the children of a parent"
)
@pytest.mark.parametrize("victim", ["recipe", "runner"])
def test_kill_nine_leaves_no_job_behind(tmp_path: Path, victim: str) -> None:
    script = tmp_path / "recipe.sh"
    script.write_text(
        f"{sys.executable} {TOOLS}/run.py JOB=1:2 JOB.log sh -c 'echo $$ >JOB.pid; exec sleep 600'\ntrue\n"
    )
    process = subprocess.Popen(["bash", str(script)], cwd=tmp_path)
    jobs = pids(tmp_path, 2)
    if victim == "recipe":
        process.kill()
    else:
        runner = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(runner[0]), signal.SIGKILL)
    process.wait(30)
    assert gone(jobs)


def test_slurm_gets_the_options_and_the_command(tmp_path: Path) -> None:
    srun = tmp_path / "srun"
    srun.write_text('#!/bin/sh\necho "srun $*"\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n')
    srun.chmod(0o755)
    words = (
        "--partition",
        "p",
        "--gpu",
        "2",
        "--num-threads",
        "3",
        "--mem",
        "4G",
        "JOB=1:2",
        "say.JOB.log",
        "echo",
        "JOB",
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [sys.executable, str(TOOLS / "slurm.py"), *words]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    log = (tmp_path / "say.2.log").read_text().splitlines()
    called = next(line for line in log if line.startswith("srun "))
    assert "--ntasks=1" in called
    assert "--job-name=say.2" in called
    assert "--partition=p --gres=gpu:2 --cpus-per-task=3 --mem=4G echo 2" in called
    assert "2" in log
    words = ("--nodes", "2", "--gpu", "4", "many.log", "echo", "x")
    command = [sys.executable, str(TOOLS / "slurm.py"), *words]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    called = next(line for line in (tmp_path / "many.log").read_text().splitlines() if line.startswith("srun "))
    assert called == "srun --nodes=2 --ntasks-per-node=4 --input=none --job-name=many --gres=gpu:4 echo x"
