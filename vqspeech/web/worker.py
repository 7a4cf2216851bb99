"""A process with the model loaded, which takes jobs one at a time: both ends of the pipe to it.

Only small messages go through the pipe; waveforms go by files in the job's own folder. A job is abandoned by a message
that the worker looks for whenever it reports progress; a worker whose other end is gone ends itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.web.refusals import INTERNAL, Refused, line_of

#: Called with what is done, what is to be done, and what it is.
Progress: TypeAlias = Callable[[int, int, str], None]
#: What a worker needs to load the model.
Settings: TypeAlias = dict[str, Any]
#: Seconds between two reports of progress.
_OFTEN = 0.1
#: Seconds that a worker is given to abandon a job before it is killed.
_GRACE = 10.0
#: With which a worker ends a job.
_LAST_WORDS = frozenset({"done", "refused", "failed", "abandoned"})


class Abandoned(Exception):  # noqa: N818
    """Nobody waits for the job any more."""


@dataclass(frozen=True)
class Order:
    """A job, as it goes through the pipe.

    Attributes:
        number: of the job.
        kind: a task of ``vqspeech.web.tasks``, or ``live``.
        folder: of the job's files.
        options: of that function.
    """

    number: int
    kind: str
    folder: str
    options: dict[str, Any] = field(default_factory=dict)


def work(connection: Connection, settings: Settings) -> None:
    """What the process does: load the model, say what it is, then one job after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when it ends
    from vqspeech.web.tasks import Tasks

    try:
        tasks = Tasks(settings)
        connection.send(("ready", 0, tasks.describe()))
        while True:
            order = connection.recv()
            if isinstance(order, Order):
                connection.send((*_answer(tasks, order, connection),))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except (InputError, OSError) as error:
        with contextlib.suppress(OSError):
            connection.send(("refused", 0, _parts(error)))


def _parts(error: InputError | OSError) -> dict[str, str | None]:
    """What an ``InputError`` is made of, for the pipe."""
    if isinstance(error, InputError):
        return {"problem": error.problem, "where": error.where, "hint": error.hint}
    return {"problem": error.strerror or str(error), "where": error.filename, "hint": None}


def _answer(tasks: Any, order: Order, connection: Connection) -> tuple[str, int, Any]:
    try:
        if order.kind == "live":
            from vqspeech.web.live import converse

            model = tasks.model_of(order.options["speaker"])
            return "done", order.number, converse(model, order.number, order.options, connection)
        return "done", order.number, tasks.run(order, _reporter(connection, order.number))
    except Abandoned:
        return "abandoned", order.number, ""
    except InputError as error:
        return "refused", order.number, line_of(error)
    except MemoryError:
        return "refused", order.number, "this takes more memory than there is (try a shorter recording)"
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception:  # whatever it is, the next job must find a worker
        traceback.print_exc()
        return "failed", order.number, INTERNAL


def _reporter(connection: Connection, number: int) -> Progress:
    last = -_OFTEN

    def report(done: int, total: int, what: str) -> None:
        nonlocal last
        while connection.poll():
            if connection.recv() == ("abandon", number, None):
                raise Abandoned
        if time.monotonic() - last >= _OFTEN or done >= total:
            last = time.monotonic()
            connection.send(("progress", number, {"done": done, "total": total, "what": what}))

    return report


class Worker:
    """The server's end.

    Args:
        settings: see ``vqspeech.web.tasks.Tasks``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None
        self._number = 0
        self._ended = True  # whether the last job has

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.is_alive()

    async def start(self) -> dict[str, Any]:
        """Start the process and wait until the model is loaded.

        Returns:
            What ``Tasks.describe`` says of the model.

        Raises:
            InputError: the model cannot be loaded.
        """
        self.stop()
        # Not copied from this process, whose threads and files it does not need.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(theirs, self.settings), daemon=True)
        process.start()
        theirs.close()
        self._connection, self._process = ours, process
        try:
            word, _, said = await self._receive()
        except (EOFError, OSError):
            self.stop()
            raise InputError("the process that loads the model has ended", hint="is there enough memory?") from None
        if word != "ready":
            self.stop()
            raise InputError(said["problem"], where=said["where"], hint=said["hint"])
        description: dict[str, Any] = said
        return description

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    async def run(
        self,
        kind: str,
        folder: str,
        options: dict[str, Any],
        progress: Callable[[dict[str, Any]], None],
        seconds: float,
    ) -> dict[str, Any]:
        """Do a job.

        Args:
            kind: see ``Order``.
            folder: of its files.
            options: of the task.
            progress: called with each report.
            seconds: that it may take.

        Returns:
            What the task returned.

        Raises:
            Refused: what cannot be done, or took too long; or the process has died.
        """
        try:
            async with asyncio.timeout(seconds), self.job(kind, folder, options) as number:
                while True:
                    word, said = await self.hear(number)
                    if word == "progress":
                        progress(said)
                    elif word == "done":
                        result: dict[str, Any] = said
                        return result
                    else:
                        raise Refused(said)
        except TimeoutError:
            raise Refused(
                f"given up after {counted(seconds / 60, 'minute', form='g')} (try a shorter recording)"
            ) from None

    @asynccontextmanager
    async def job(self, kind: str, folder: str, options: dict[str, Any]) -> AsyncIterator[int]:
        """Begin a job; one that has not ended with the block is abandoned.

        Yields:
            Its number, for ``hear`` and ``tell``.

        Raises:
            Refused: the model cannot be loaded, or the process has died.
        """
        if not self.running:
            try:
                await self.start()
            except InputError as error:
                raise Refused(line_of(error)) from error
        self._number += 1
        number = self._number
        self._ended = False
        try:
            assert self._connection is not None
            self._connection.send(Order(number, kind, folder, options))
            yield number
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.stop()
            self._ended = True
            raise Refused("the process that computes has ended, perhaps for want of memory; try again") from None
        finally:
            if not self._ended:
                await self._abandon(number)

    async def hear(self, number: int) -> tuple[str, Any]:
        """The next word of a job and what goes with it; ``_LAST_WORDS`` end it.

        Raises:
            EOFError: the process has ended.
        """
        while True:
            word, of, said = await self._receive()
            if of == number:
                self._ended = word in _LAST_WORDS
                return word, said

    def send(self, number: int, word: str, said: Any) -> None:
        """Say something to a job; it must not be more than the pipe holds, or the server waits."""
        assert self._connection is not None
        self._connection.send((word, number, said))

    async def _abandon(self, number: int) -> None:
        """Wait until the worker has let go of a job; end it where it does not."""
        with contextlib.suppress(EOFError, OSError, TimeoutError):
            assert self._connection is not None
            self._connection.send(("abandon", number, None))
            async with asyncio.timeout(_GRACE):
                while True:
                    word, of, _ = await self._receive()
                    if of == number and word in _LAST_WORDS:
                        return
        self.stop()

    async def _receive(self) -> tuple[str, int, Any]:
        """The next message, waited for without stopping the server.

        Raises:
            EOFError: the process has ended.
        """
        assert self._connection is not None
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._connection.fileno(), readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._connection.fileno())
        message: tuple[str, int, Any] = self._connection.recv()
        return message
