"""Serve a page to try the model on: convert recordings, look at their codes, sample, adapt to a new voice.

vqspeech serve                                  then open the address that it prints
vqspeech serve --voices my-voices               keep new voices there
vqspeech serve --host 0.0.0.0 --token SECRET    for other machines, too: whoever has the token can use it

It answers this machine alone unless --host says otherwise. Uploads are decoded under limits and deleted when their job
ends. Connections are not encrypted: put a server with TLS before it where others could listen in.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path

from vqspeech import ranges
from vqspeech.cli.common.model import add_engine, add_model
from vqspeech.errors import InputError, MissingExtraError

#: Characters that a token has at least.
_SHORTEST_TOKEN = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="to listen at; default: 127.0.0.1")
    parser.add_argument("--port", type=ranges.PORT, default=8765, metavar="N", help="0 is any; default: 8765")
    parser.add_argument(
        "--token",
        metavar="SECRET",
        help="asked of every visitor; default: none on this machine alone, a new one with another --host",
    )
    parser.add_argument(
        "--voices", type=Path, metavar="DIR", help="folder of the voices made on the page; default: they are not kept"
    )
    add_model(parser)
    work = parser.add_argument_group("how it computes")
    add_engine(work, precision="int8")
    limits = parser.add_argument_group("what it refuses")
    limits.add_argument(
        "--max-megabytes", type=ranges.MEGABYTES, default=50, metavar="N", help="of an upload; default: 50"
    )
    limits.add_argument(
        "--max-minutes", type=ranges.MINUTES, default=10.0, metavar="M", help="of a recording; default: 10"
    )
    limits.add_argument(
        "--max-waiting", type=ranges.WORKERS, default=64, metavar="N", help="jobs in the queue; default: 64"
    )
    limits.add_argument(
        "--max-job-minutes", type=ranges.MINUTES, default=30.0, metavar="M", help="of computing per job; default: 30"
    )


def run(options: argparse.Namespace) -> None:
    """Serve until interrupted."""
    try:
        from vqspeech.web.server import serve
    except ImportError as error:
        raise MissingExtraError("starlette and uvicorn", extra="web", purpose="serve") from error
    from vqspeech.web.guard import is_loopback
    from vqspeech.web.limits import Limits

    token = _token(options.token, local=is_loopback(options.host))
    limits = Limits(
        upload_bytes=options.max_megabytes << 20,
        seconds=60 * options.max_minutes,
        waiting=options.max_waiting,
        job_seconds=60 * options.max_job_minutes,
    )
    names = ("engine", "precision", "threads", "device")
    settings = {
        **{name: getattr(options, name) for name in names},
        "model": None if options.model is None else str(options.model),
        "voices": None if options.voices is None else str(options.voices),
    }
    serve(settings, limits, host=options.host, port=options.port, token=token, say=_say)


def _token(given: str | None, *, local: bool) -> str | None:
    """What visitors must show, if anything.

    Raises:
        InputError: it is too easily guessed, or cannot stand in an address.
    """
    if given is None:
        if local:
            return None
        _say("everybody who can reach this address and has the token can use this machine to compute, and its voices;")
        _say("the connection is not encrypted: use a network that you trust, or a server with TLS before it")
        return secrets.token_urlsafe(18)
    if len(given) < _SHORTEST_TOKEN or not given.isascii() or not given.replace("-", "").replace("_", "").isalnum():
        raise InputError(
            "no good token", where="--token", hint=f"use {_SHORTEST_TOKEN} or more letters, digits, - and _"
        )
    return given


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
