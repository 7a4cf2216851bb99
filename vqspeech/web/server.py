"""Running the application with uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from vqspeech.errors import InputError
from vqspeech.web.app import Service, make_app
from vqspeech.web.limits import Limits
from vqspeech.web.worker import Settings

#: Seconds that jobs are given when the server is interrupted.
_GRACE = 2
#: Open connections at most, beyond the jobs.
_CONNECTIONS = 128
#: Connections that wait to be accepted.
_BACKLOG = 256
#: Bytes of a message of a WebSocket at most.
_MESSAGE = 1 << 18


def serve(
    settings: Settings, limits: Limits, *, host: str, port: int, token: str | None, say: Callable[[str], None]
) -> None:
    """Serve until interrupted.

    Args:
        settings: of the workers, see ``vqspeech.web.tasks.Tasks``.
        limits: what is refused.
        host: to listen at.
        port: 0 is any that is free.
        token: asked of visitors, see ``vqspeech.web.guard``.
        say: called with the address of the page.

    Raises:
        InputError: the model cannot be loaded, or the address cannot be listened at.
    """
    with _listening(host, port) as listener:
        asyncio.run(_serve(settings, limits, listener, host, token, say))


async def _serve(
    settings: Settings,
    limits: Limits,
    listener: socket.socket,
    host: str,
    token: str | None,
    say: Callable[[str], None],
) -> None:
    service = Service(settings, limits)
    try:
        say("loading the model")
        await service.start()
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else "")
        say(f"open {address}   (Ctrl-C ends it)")
        config = uvicorn.Config(
            make_app(service, token),
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=limits.waiting + _CONNECTIONS,
            timeout_graceful_shutdown=_GRACE,
            ws_max_size=_MESSAGE,
            ws_per_message_deflate=False,
        )
        await uvicorn.Server(config).serve([listener])
    finally:
        service.stop()


def _listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address.

    Raises:
        InputError: there is no such address, or it is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"no such address: {host}", where="--host", hint="127.0.0.1 is this machine alone") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)  # whoever comes before the server is ready waits
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen at {host}, port {port}: {error.strerror}", hint="name another --port, or 0 for any"
        ) from error
    return listener
