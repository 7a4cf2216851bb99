"""A job as an HTTP request: a recording comes in, events go out as they happen, and at the end what was made.

The response is lines of JSON, ``{"event": …}``; after a line ``{"event": "audio", "bytes": N}`` follow N bytes of WAV.
A client that leaves takes its job with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from vqspeech.web.job_queue import Notify
from vqspeech.web.limits import Limits
from vqspeech.web.refusals import INTERNAL, Refused
from vqspeech.web.uploads import receive as receive_upload

#: Takes the folder of the job (with ``upload``, if there is one) and where to send events; returns the last event and
#: the WAV file that goes with it, or None.
Work: TypeAlias = Callable[[Path, Notify], Awaitable[tuple[dict[str, Any], Path | None]]]
#: Name of the upload in the job's folder.
UPLOAD = "upload"
_BLOCK = 1 << 16
MEDIA_TYPE = "application/x-ndjson"


class Desk:
    """Admits jobs, as many as there is room for, and gives each a folder that is gone when it ends.

    Args:
        limits: how many.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.admitted = 0
        self.root = Path(tempfile.mkdtemp(prefix="vqspeech-serve-"))

    def close(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.root, ignore_errors=True)

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A place for a job.

        Raises:
            Refused: there are too many.
        """
        if self.admitted >= self.limits.waiting:
            raise Refused(f"busy: {self.admitted} jobs wait already; try again soon", HTTPStatus.SERVICE_UNAVAILABLE)
        self.admitted += 1
        folder = Path(tempfile.mkdtemp(dir=self.root))
        try:
            yield folder
        finally:
            self.admitted -= 1
            shutil.rmtree(folder, ignore_errors=True)


class JobEndpoint:
    """An ASGI endpoint for one kind of job.

    Args:
        desk: admits them.
        prepare: reads the request's options before anything is received; returns the work.
        upload: whether the body is a recording.
    """

    def __init__(self, desk: Desk, prepare: Callable[[Request], Work], *, upload: bool) -> None:
        self.desk = desk
        self.prepare = prepare
        self.upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive, work, answer."""
        request = Request(scope, receive)
        work = self.prepare(request)
        with self.desk.folder() as folder, contextlib.suppress(ClientDisconnect):
            if self.upload:
                await receive_upload(request, folder / UPLOAD, self.desk.limits)
            else:
                async for chunk in request.stream():
                    if chunk:
                        raise Refused("this takes no recording")
            await send(
                {
                    "type": "http.response.start",
                    "status": HTTPStatus.OK,
                    "headers": [(b"content-type", MEDIA_TYPE.encode())],
                }
            )
            answering = asyncio.ensure_future(_answer(work, folder, send))
            leaving = asyncio.ensure_future(_left(receive))
            try:
                await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (answering, leaving):
                    task.cancel()
                await asyncio.wait({answering, leaving})
            if not answering.cancelled() and (error := answering.exception()):
                raise error


async def _left(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(work: Work, folder: Path, send: Send) -> None:
    async for part in _parts(work, folder):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _parts(work: Work, folder: Path) -> AsyncIterator[bytes]:
    """The response, as it comes to be."""
    events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    working = asyncio.ensure_future(work(folder, events.put_nowait))
    working.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield _line(event)
        try:
            last, wav = await working
        except Refused as refusal:
            yield _line({"event": "error", "message": refusal.message})
            return
        except Exception:  # the page shows that it is ours, the terminal what it is
            traceback.print_exc()
            yield _line({"event": "error", "message": INTERNAL})
            return
        yield _line({"event": "done", **last})
        if wav is not None:
            yield _line({"event": "audio", "bytes": wav.stat().st_size})
            with wav.open("rb") as file:
                while block := file.read(_BLOCK):
                    yield block
    finally:
        working.cancel()
        await asyncio.wait({working})


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, ensure_ascii=False, allow_nan=False).encode() + b"\n"
