"""The application: what the page asks for, and who does it."""

from __future__ import annotations

import contextlib
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
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from vqspeech import __version__, ranges
from vqspeech.pitch import INTONATIONS
from vqspeech.web import options
from vqspeech.web.decoding import Decoder
from vqspeech.web.guard import Guard
from vqspeech.web.jobs import UPLOAD, Desk, JobEndpoint, Work
from vqspeech.web.lanes import Lane, Notify
from vqspeech.web.limits import Limits
from vqspeech.web.problems import INTERNAL, Refused
from vqspeech.web.worker import Settings

STATIC = Path(__file__).parent / "static"
#: Names of a job's files that tasks read and write, see ``vqspeech.web.tasks``.
SOURCE, RESULT = "source.f32", "result.wav"


class Service:
    """Everything behind the page.

    Args:
        settings: of the workers, see ``vqspeech.web.tasks.Tasks``.
        limits: what is refused.
    """

    def __init__(self, settings: Settings, limits: Limits) -> None:
        self.settings = settings
        self.limits = limits
        self.desk = Desk(limits)
        self.lane = Lane(settings, limits.job_seconds, keep=True)
        self.model: dict[str, Any] = {}
        self.decoder: Decoder | None = None

    async def start(self) -> None:
        """Load the model.

        Raises:
            InputError: it cannot be loaded.
        """
        self.model = await self.lane.worker.start()
        self.decoder = Decoder(self.limits, self.model["sample_rate"])
        await self.decoder.warm_up()

    def stop(self) -> None:
        """End all processes and remove all files."""
        self.lane.worker.stop()
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

        async def work(folder: Path, notify: Notify) -> tuple[dict[str, Any], Path]:
            await self.decoded(folder, notify)
            return await self.lane.run("convert", folder, task, notify), folder / RESULT

        return work

    async def info(self, _: Request) -> Response:
        """What the page shows of the model and the limits."""
        return JSONResponse(
            {
                **self.model,
                "voices": [{"name": name, "own": False} for name in self.model["speakers"]],
                "version": __version__,
                "align": find_spec("pocketsphinx") is not None,
                "intonations": INTONATIONS,
                "megabytes": self.limits.upload_bytes / (1 << 20),
                "seconds": self.limits.seconds,
            }
        )

    async def status(self, _: Request) -> Response:
        """How busy it is."""
        return JSONResponse({"waiting": self.lane.length})

    def routes(self) -> list[BaseRoute]:
        """What is answered."""
        return [
            Route("/", _index),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/info", self.info),
            Route("/api/status", self.status),
            Route("/api/convert", JobEndpoint(self.desk, self.convert, upload=True), methods=["POST"]),
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
