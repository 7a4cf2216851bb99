"""Reading what a job answers, apart from the code that writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_reply(body: bytes) -> tuple[list[dict[str, Any]], bytes | None]:
    """The events of a response, and the WAV file after them."""
    events: list[dict[str, Any]] = []
    while body:
        line, _, body = body.partition(b"\n")
        event = json.loads(line)
        if event["event"] == "audio":
            assert len(body) == event["bytes"]
            return events, body
        events.append(event)
    return events, None


def error_of(response: Any) -> str:
    """The one line that a job or a request ends with, where it fails."""
    if response.headers["content-type"] == "application/json":
        return str(response.json()["error"])
    events, wav = read_reply(response.content)
    assert wav is None
    assert events[-1]["event"] == "error"
    return str(events[-1]["message"])


def leftovers(client: Any) -> list[Path]:
    """Files of jobs that a running application has."""
    return list(client.app.state.service.desk.root.iterdir())
