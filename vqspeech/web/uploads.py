"""Receiving an upload: to a file, and no more of it than is allowed."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path

from starlette.requests import Request

from vqspeech.web.limits import Limits
from vqspeech.web.refusals import Refused


async def receive(request: Request, target: Path, limits: Limits) -> int:
    """Write the body of a request to ``target``; returns its bytes.

    The body is the recording itself, without a form around it: there is no name of a file to be misled by.

    Raises:
        Refused: it is empty, too large, or too slow to come.
        starlette.requests.ClientDisconnect: the client has left.
    """
    too_large = Refused(
        f"larger than {limits.upload_bytes / (1 << 20):.3g} MB (cut it into parts, or send FLAC, Opus or MP3)",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > limits.upload_bytes:
        raise too_large
    size = 0
    try:
        async with asyncio.timeout(limits.upload_seconds):
            with target.open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limits.upload_bytes:
                        raise too_large
                    file.write(chunk)
    except TimeoutError:
        raise Refused("the recording came too slowly", HTTPStatus.REQUEST_TIMEOUT) from None
    if not size:
        raise Refused("the recording is empty")
    return size
