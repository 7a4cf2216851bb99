"""The application: what the page asks for, and who does it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from vqspeech import __version__, ranges
from vqspeech.errors import InputError
from vqspeech.files import path_in
from vqspeech.new_voice import LEAST_SECONDS, require_name
from vqspeech.pitch import INTONATIONS
from vqspeech.web import options
from vqspeech.web.decoding import Decoder
from vqspeech.web.guard import Guard
from vqspeech.web.job_queue import JobQueue, Notify
from vqspeech.web.jobs import UPLOAD, Desk, JobEndpoint, Work
from vqspeech.web.limits import Limits
from vqspeech.web.live import LiveDesk
from vqspeech.web.refusals import INTERNAL, Refused, line_of
from vqspeech.web.voices import own_voices
from vqspeech.web.worker import Settings, Worker

STATIC = Path(__file__).parent / "static"
#: Names of a job's files that tasks read and write, see ``vqspeech.web.tasks``.
SOURCE, RESULT = "source.f32", "result.wav"
#: Where new voices are that are not kept.
_VOICES = "voices"
#: Characters of the name of a new voice.
_LONGEST_NAME = 40


class Service:
    """Everything behind the page.

    Args:
        settings: of the workers, see ``vqspeech.web.tasks.Tasks``.
        limits: what is refused.
    """

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self.limits = limits
        self.desk = Desk(limits)
        # Without a folder of their own, new voices are gone with the server.
        self.voices = settings["voices"] or str(self.desk.root / _VOICES)
        self.settings = {**settings, "voices": self.voices}
        self.queue = JobQueue(self.settings, limits.job_seconds, keep=True)
        # A new voice takes minutes, in which others go on.
        self.adapting = JobQueue(self.settings, limits.job_seconds, keep=False)
        # Nobody who speaks waits for a job.
        self.speaking = Worker(self.settings)
        self.live_desk: LiveDesk | None = None
        self.model: dict[str, Any] = {}
        self.decoder: Decoder | None = None

    async def start(self) -> None:
        """Load the model.

        Raises:
            InputError: it cannot be loaded.
        """
        self.model = await self.queue.worker.start()
        self.decoder = Decoder(self.limits, self.model["sample_rate"])
        await self.decoder.warm_up()
        self.live_desk = LiveDesk(
            self.speaking,
            self.model["sample_rate"],
            seconds=self.limits.live_seconds,
            idle_seconds=self.limits.live_idle_seconds,
        )

    def stop(self) -> None:
        """End all processes and remove all files."""
        for worker in (self.queue.worker, self.adapting.worker, self.speaking):
            worker.stop()
        self.desk.close()

    async def decoded(self, folder: Path, notify: Notify) -> float:
        """Decode a job's upload to its source; returns seconds.

        Raises:
            Refused: it cannot be decoded.
        """
        assert self.decoder is not None
        notify({"event": "decoding"})
        seconds = await self.decoder.decode(folder / UPLOAD, folder / SOURCE)
        (folder / UPLOAD).unlink()
        return seconds

    def _job(self, queue: JobQueue, kind: str, task: dict[str, Any], *, upload: bool, wav: bool) -> Work:
        """A task of a worker, after its upload is decoded."""

        async def work(folder: Path, notify: Notify) -> tuple[dict[str, Any], Path | None]:
            if upload:
                await self.decoded(folder, notify)
            return await queue.run(kind, folder, task, notify), folder / RESULT if wav else None

        return work

    def convert(self, request: Request) -> Work:
        """Convert a recording to a voice."""
        query = request.query_params
        task = {
            "speaker": options.voice(query),
            "f0": options.choice(query, "f0", INTONATIONS, "source"),
            "f0_shift": options.number(query, "f0_shift", ranges.SEMITONES, 0.0),
            "seed": options.number(query, "seed", ranges.SEED, 0),
            "temperature": options.number(query, "temperature", ranges.TEMPERATURE, 1.0),
            "post_filter": options.number(query, "post_filter", ranges.SHARE, None),
        }
        return self._job(self.queue, "convert", task, upload=True, wav=True)

    def units(self, request: Request) -> Work:
        """The codes of a recording, and its phones where a text is given."""
        text = request.query_params.get("text", "")
        if len(text) > self.limits.text:
            raise Refused(f"the text is longer than {self.limits.text} characters")
        return self._job(self.queue, "units", {"text": text}, upload=True, wav=False)

    def code(self, request: Request) -> Work:
        """A single code, spoken for a moment."""
        query = request.query_params
        most = ranges.Whole(0, self.model["codes"] - 1)
        task = {"speaker": options.voice(query), "code": options.number(query, "code", most, 0)}
        return self._job(self.queue, "code", task, upload=False, wav=True)

    def _drawing(self, request: Request, *, goes_on: bool) -> Work:
        query = request.query_params
        task = {
            "speaker": options.voice(query),
            "seconds": options.number(query, "seconds", ranges.Real(0, self.limits.drawn_seconds, above=True), 5.0),
            "seed": options.number(query, "seed", ranges.SEED, 0),
            "temperature": options.number(query, "temperature", ranges.TEMPERATURE, 1.0),
            "top_p": options.number(query, "top_p", ranges.MASS, 1.0),
            "goes_on": goes_on,
        }
        return self._job(self.queue, "sample", task, upload=goes_on, wav=True)

    def sample(self, request: Request) -> Work:
        """Speech drawn from the prior."""
        return self._drawing(request, goes_on=False)

    def go_on(self, request: Request) -> Work:
        """A recording that the prior continues."""
        return self._drawing(request, goes_on=True)

    def adapt(self, request: Request) -> Work:
        """A new voice."""
        name = request.query_params.get("name", "").strip()
        if not name or len(name) > _LONGEST_NAME:
            raise Refused(f"give the voice a name of 1 to {_LONGEST_NAME} characters")
        try:
            require_name(name)
        except InputError as error:
            raise Refused(line_of(error)) from None
        if name in self.model["speakers"] or name in own_voices(self.voices):
            raise Refused(f"there is a voice {name!r} already (choose another name)")
        return self._job(self.adapting, "adapt", {"speaker": name}, upload=True, wav=False)

    async def forget(self, request: Request) -> Response:
        """Delete a new voice."""
        name = request.path_params["name"]
        if name not in own_voices(self.voices):
            raise Refused("there is no such voice", HTTPStatus.NOT_FOUND)
        await asyncio.to_thread(shutil.rmtree, path_in(self.voices, name))
        return JSONResponse({})

    async def live(self, socket: WebSocket) -> None:
        """Conversion while somebody speaks."""
        assert self.live_desk is not None
        await self.live_desk(socket)

    async def info(self, _: Request) -> Response:
        """What the page shows of the model and the limits."""
        return JSONResponse(
            {
                **self.model,
                "voices": [
                    *({"name": name, "own": False} for name in self.model["speakers"]),
                    *({"name": name, "own": True} for name in own_voices(self.voices)),
                ],
                "keeps": self.settings["voices"] != str(self.desk.root / _VOICES),
                "voice_seconds": LEAST_SECONDS,
                "drawn_seconds": self.limits.drawn_seconds,
                "version": __version__,
                "align": find_spec("pocketsphinx") is not None,
                "intonations": INTONATIONS,
                "megabytes": self.limits.upload_bytes / (1 << 20),
                "seconds": self.limits.seconds,
            }
        )

    async def status(self, _: Request) -> Response:
        """How busy it is."""
        return JSONResponse({"waiting": self.queue.length + self.adapting.length})

    def routes(self) -> list[BaseRoute]:
        """What is answered."""
        jobs = {
            "convert": (self.convert, True),
            "units": (self.units, True),
            "code": (self.code, False),
            "sample": (self.sample, False),
            "continue": (self.go_on, True),
            "voices": (self.adapt, True),
        }
        return [
            Route("/", _index),
            WebSocketRoute("/api/live", self.live),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/info", self.info),
            Route("/api/status", self.status),
            Route("/api/voices/{name}", self.forget, methods=["DELETE"]),
            *(
                Route(f"/api/{name}", JobEndpoint(self.desk, prepare, upload=upload), methods=["POST"])
                for name, (prepare, upload) in jobs.items()
            ),
        ]


def make_app(service: Service, token: str | None = None) -> Starlette:
    """The ASGI application of a service.

    Args:
        service: started and stopped with the application; one that was started before stays as it is.
        token: asked of every request, see ``vqspeech.web.guard``.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if not service.model:
            await service.start()
        try:
            yield
        finally:
            service.stop()

    app = Starlette(
        routes=service.routes(),
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={Refused: _refused, HTTPException: _http_error, Exception: _failed},
        lifespan=lifespan,
    )
    app.state.service = service
    return app


async def _index(_: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    # What was not received is not waited for.
    return JSONResponse({"error": error.message}, error.status, headers={"connection": "close"})


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    del error  # the server prints it
    return JSONResponse({"error": INTERNAL}, HTTPStatus.INTERNAL_SERVER_ERROR)
