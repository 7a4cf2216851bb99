#!/usr/bin/env python3
"""Run a command, or one copy of it for each job, on this machine: what stands before the commands of a recipe.

  run.py [JOB=1:4] [--max-jobs-run N] [--done FILE] exp/log/encode.JOB.log vqspeech encode data/split4/JOB ...

The word JOB is replaced by the job's number wherever it stands. Each job has a log file of its own, which begins with
the command and ends with its exit status; where a job fails, its log is named and its last lines are shown, once the
others have ended. Ctrl-C ends all jobs with everything they have started; so does the death of whoever called this.

--done FILE is made when a job has ended well; a job that finds it there, made by the same command, has nothing to do.

Options that only a cluster can use (--mem, --time, --gpu, --num-threads, --nodes, --partition, each with a value) are
accepted and do nothing here, so that one cmd.sh can name them all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

#: Seconds that jobs have to end by themselves after they were asked to.
GRACE = 20.0
#: Lines of a failed job's log that are shown.
SHOWN = 8
IGNORED = ("--mem", "--time", "--gpu", "--num-threads", "--nodes", "--partition")


class UsageError(Exception):
    """The call itself is wrong."""


@dataclass
class Call:
    """What one call asks for.

    Attributes:
        log: of each job; JOB stands for its number.
        command: the words of the command; JOB the same.
        variable: the word that stands for the number; None where there is one job without any.
        jobs: their numbers.
        at_once: how many run at the same time, at most; 0 for all.
        done: the mark of each job; empty for none.
        options: the others that were given, each with its value.
    """

    log: str
    command: list[str]
    variable: str | None = None
    jobs: list[int] = field(default_factory=lambda: [1])
    at_once: int = 0
    done: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, words: list[str]) -> Call:
        """Read the words of the command line.

        Raises:
            UsageError: they make no sense.
        """
        options: dict[str, str] = {}
        variable, jobs, rest = None, [1], list(words)
        while rest:
            if given := re.fullmatch(r"([A-Z]+)=(\d+)(?::(\d+))?", rest[0]):
                variable, first, last = given.group(1), int(given.group(2)), int(given.group(3) or given.group(2))
                jobs = list(range(first, last + 1))
                rest = rest[1:]
                if not jobs:
                    raise UsageError(f"{given.group()} names no job")
            elif rest[0].startswith("--"):
                if len(rest) == 1:
                    raise UsageError(f"{rest[0]} needs a value")
                options[rest[0]] = rest[1]
                rest = rest[2:]
            else:
                break
        if len(rest) < 2:
            raise UsageError("expected: [OPTIONS] [JOB=1:N] LOG COMMAND...")
        if variable and len(jobs) > 1 and variable not in rest[0]:
            raise UsageError(f"{len(jobs)} jobs, but {variable} is not in the name of the log, {rest[0]}")
        at_once = options.pop("--max-jobs-run", "0")
        if not at_once.isdecimal():
            raise UsageError(f"--max-jobs-run {at_once} is no number")
        return cls(rest[0], rest[1:], variable, jobs, int(at_once), options.pop("--done", ""), options)

    def filled(self, text: str, job: int) -> str:
        """``text`` with the job's number in it."""
        return text.replace(self.variable, str(job)) if self.variable else text


class Runner:
    """Runs the jobs of a call.

    Args:
        call: what to run.
        prefix: words that stand before the command of each job; JOB in them as in the command.
    """

    def __init__(self, call: Call, prefix: list[str]) -> None:
        self.call = call
        self.prefix = prefix
        self.running: dict[int, tuple[int, subprocess.Popen[bytes], float]] = {}
        self.failed: dict[int, int] = {}
        self.stopped: int | None = None

    def run(self) -> int:
        """Run all jobs; 0 when all have ended well."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        waiting = list(self.call.jobs)
        print(self.log(waiting[0]) if len(waiting) == 1 else f"{self.call.log}, {len(waiting)} jobs", flush=True)
        at_once = self.call.at_once or len(waiting)
        while (waiting or self.running) and self.stopped is None:
            while waiting and len(self.running) < at_once and self.stopped is None:
                self._start(waiting.pop(0))
            self._reap()
        if self.stopped is not None:
            self._end_all()
            print(f"{name()}: interrupted", file=sys.stderr)
            return 128 + self.stopped
        return self._tell()

    def log(self, job: int) -> Path:
        """The log of a job."""
        return Path(self.call.filled(self.call.log, job))

    def _done(self, job: int) -> tuple[Path | None, str]:
        """A job's mark, and what must be in it."""
        words = [self.call.filled(word, job) for word in self.call.command]
        return (Path(self.call.filled(self.call.done, job)) if self.call.done else None), shlex.join(words)

    def _start(self, job: int) -> None:
        mark, words = self._done(job)
        if mark and mark.is_file() and mark.read_text(encoding="utf-8") == words:
            return
        command = [self.call.filled(word, job) for word in (*self.prefix, *self.call.command)]
        log = self.log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb", buffering=0) as file:
            file.write(f"# {shlex.join(command)}\n# started {time.strftime('%F %T %Z')}\n#\n".encode())
            try:
                # A session of its own: a job is ended with all that it has started, and by nobody but its runner.
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, preexec_fn=_tie
                )
            except OSError as error:
                file.write(f"{command[0]}: {error.strerror}\n".encode())
                self.failed[job] = 127
                return
        self.running[process.pid] = job, process, time.monotonic()

    def _reap(self) -> None:
        """Wait until a job ends or a signal comes."""
        ended = [one for one in self.running.values() if one[1].poll() is not None]
        for job, process, began in ended:
            del self.running[process.pid]
            status = process.returncode
            with self.log(job).open("ab", buffering=0) as file:
                seconds = round(time.monotonic() - began)
                file.write(f"#\n# ended {time.strftime('%F %T %Z')}, status {status}, {seconds} s\n".encode())
            mark, words = self._done(job)
            if status:
                self.failed[job] = status
            elif mark:
                mark.parent.mkdir(parents=True, exist_ok=True)
                new = mark.with_name(f"{mark.name}.new")
                new.write_text(words, encoding="utf-8")
                new.replace(mark)
        if not ended and self.running:
            time.sleep(0.05)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self.stopped = number

    def _end_all(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for _, process, _ in self.running.values():
                _signal_group(process.pid, number)
            deadline = time.monotonic() + GRACE
            while self.running and time.monotonic() < deadline:
                self._reap()

    def _tell(self) -> int:
        if not self.failed:
            return 0
        number, jobs = len(self.failed), len(self.call.jobs)
        job = min(self.failed)
        what = "the job" if jobs == 1 else f"{number} of {jobs} jobs"
        logs = ", ".join(str(self.log(one)) for one in sorted(self.failed)[:4]) + (", ..." if number > 4 else "")
        print(f"{name()}: {what} failed, see {logs}", file=sys.stderr)
        lines = self.log(job).read_text(encoding="utf-8", errors="replace").splitlines()
        for line in [line for line in lines if not line.startswith("#")][-SHOWN:]:
            print(f"  {line}", file=sys.stderr)
        return 1


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, number)


def _tie() -> None:
    """Have the kernel end this process when its parent dies, even by kill -9 (on Linux; elsewhere it lives on)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def name() -> str:
    """What this script is called."""
    return Path(sys.argv[0]).name


def main(read_prefix: object = None) -> int:
    """Run what the command line asks for."""
    words = sys.argv[1:]
    if not words or words[0] in ("--help", "-h"):
        print((sys.modules["__main__"].__doc__ or "").strip())
        return 0 if words else 2
    try:
        call = Call.read(words)
        prefix = read_prefix(call) if callable(read_prefix) else _local(call)
        _tie()
        return Runner(call, prefix).run()
    except UsageError as error:
        print(f"{name()}: {error} ({name()} --help)", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{name()}: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        return 2


def _local(call: Call) -> list[str]:
    for option in call.options:
        if option not in IGNORED:
            raise UsageError(f"there is no option {option}")
    return []


if __name__ == "__main__":
    sys.exit(main())
