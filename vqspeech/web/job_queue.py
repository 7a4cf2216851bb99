"""The queue before a worker: jobs take their turns, and each is sent the number of those before it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from vqspeech.web.worker import Settings, Worker

#: Called with an event for the page.
Notify: TypeAlias = Callable[[dict[str, Any]], None]
#: Seconds between two looks at one's place in the queue.
_LOOK = 0.5


class JobQueue:
    """One worker and those who wait for it.

    Args:
        settings: of the worker.
        seconds: that a job may take.
        keep: whether the worker stays when nobody waits; otherwise its memory is given back.
    """

    def __init__(self, settings: Settings, seconds: float, *, keep: bool) -> None:
        self.worker = Worker(settings)
        self.seconds = seconds
        self.keep = keep
        self._line: deque[object] = deque()
        self._turn = asyncio.Lock()

    @property
    def length(self) -> int:
        """Jobs that run or wait."""
        return len(self._line)

    async def run(self, kind: str, folder: Path, options: dict[str, Any], notify: Notify) -> dict[str, Any]:
        """Wait for a turn and do a job; cancelled, the job is abandoned.

        Args:
            kind: a task, see ``vqspeech.web.tasks``.
            folder: of its files.
            options: of the task.
            notify: called with events ``queued`` and ``progress``.

        Returns:
            What the task returned.

        Raises:
            Refused: as ``Worker.run``.
        """
        ticket = object()
        self._line.append(ticket)
        waiting = asyncio.ensure_future(self._turn.acquire())
        try:
            while not waiting.done():
                notify({"event": "queued", "ahead": self._line.index(ticket)})
                await asyncio.wait({waiting}, timeout=_LOOK)
            notify({"event": "started"})
            return await self.worker.run(
                kind, str(folder), options, lambda report: notify({"event": "progress", **report}), self.seconds
            )
        finally:
            self._line.remove(ticket)
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait({waiting})
            if not waiting.cancelled():
                if not self.keep and not self._line:
                    self.worker.stop()
                self._turn.release()
