"""Conversion while somebody speaks, through the WebSocket of the page, beside the package's own stream."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")

import soundfile
from starlette.websockets import WebSocket, WebSocketDisconnect

import vqspeech
from vqspeech.web.live import LiveDesk, pcm
from vqspeech.web.worker import Worker

if TYPE_CHECKING:
    from starlette.testclient import TestClient, WebSocketTestSession

LIVE = "ws://127.0.0.1:8765/api/live"


def until(socket: WebSocketTestSession, *events: str) -> tuple[dict[str, Any], bytes]:
    """The first message with one of the events, and the sound that came before it."""
    sound = b""
    while True:
        message = socket.receive()
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message["code"])
        if message.get("bytes"):
            sound += message["bytes"]
        elif (said := json.loads(message["text"]))["event"] in events:
            return said, sound


def test_what_is_heard_is_the_packages_stream(client: TestClient, model: str, speech: bytes) -> None:
    waveform = soundfile.read(io.BytesIO(speech), dtype="float32")[0][16_000:40_000]
    options = {"speaker": "bert", "f0_shift": 1.0, "seed": 4, "temperature": 0.7}
    sound = b""
    with client.websocket_connect(LIVE) as socket:
        socket.send_text(json.dumps(options))
        begun, _ = until(socket, "begun")
        for start in range(0, len(waveform), 1111):
            if start == 1111 * 9:
                socket.send_text(json.dumps({"event": "voice", "speaker": "anna:1,bert:1"}))
            socket.send_bytes(pcm(waveform[start : start + 1111]))
            said, made = until(socket, "load")
            sound += made
            assert said["dropped"] == 0
        socket.send_text(json.dumps({"event": "end"}))
        done, made = until(socket, "done")
        sound += made
    stream = vqspeech.load(model).stream(**options)  # type: ignore[arg-type]
    rounded = np.rint(waveform * 32768) / 32768
    wanted = [stream.push(rounded[: 1111 * 9].astype(np.float32))]
    stream.speaker = "anna:1,bert:1"
    wanted += [stream.push(rounded[1111 * 9 :].astype(np.float32)), stream.finish()]
    assert sound == pcm(np.concatenate(wanted))
    assert begun["latency"] == stream.latency
    assert done["seconds"] == done["made"] == len(waveform) / 16_000


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("no JSON", "that is no message of the page"),
        ("[1]", "that is no message of the page"),
        ("[" * 9999, "that is no message of the page"),
        ("{}", "choose a voice"),
        ('{"speaker": "anna", "f0_shift": 99}', "f0 shift: '99' is not"),
        ('{"speaker": "anna", "seed": {}}', "seed: '{}' is not"),
        ('{"speaker": "nobody"}', "no speaker 'nobody'"),
    ],
)
def test_a_session_that_cannot_begin_is_one_line(client: TestClient, first: str, said: str) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_text(first)
        error, _ = until(socket, "error")
        assert error["message"].startswith(said)
        with pytest.raises(WebSocketDisconnect):
            until(socket, "nothing")


def test_one_speaks_at_a_time_and_another_after_that(client: TestClient) -> None:
    for _ in range(2):
        with client.websocket_connect(LIVE) as socket:
            socket.send_text('{"speaker": "anna"}')
            until(socket, "begun")
            with client.websocket_connect(LIVE) as second:
                assert until(second, "error")[0]["message"] == "somebody is live already; one at a time"
            socket.send_bytes(bytes(320))
            until(socket, "load")
            # and leaves without a word


def test_a_voice_that_is_not_there_changes_nothing(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_text('{"speaker": "anna"}')
        until(socket, "begun")
        socket.send_text('{"event": "voice", "speaker": "nobody"}')
        assert until(socket, "problem")[0]["message"].startswith("no speaker 'nobody'")
        socket.send_bytes(bytes(320))
        until(socket, "load")


def test_what_cannot_be_kept_up_with_is_dropped(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_text('{"speaker": "anna"}')
        until(socket, "begun")
        for _ in range(6):
            socket.send_bytes(bytes(2 * 16_000))  # six seconds at once
        socket.send_text('{"event": "end"}')
        done, _ = until(socket, "done")
        assert 1 <= done["seconds"] <= 4


def test_half_a_sample_ends_the_session(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_text('{"speaker": "anna"}')
        until(socket, "begun")
        socket.send_bytes(bytes(321))
        assert until(socket, "error")[0]["message"] == "half a sample came"


class Deaf(Worker):
    """A worker that begins a session and answers nothing more."""

    def __init__(self) -> None:
        super().__init__({})
        self.pushed = 0
        self.voices: list[str] = []

    @asynccontextmanager
    async def job(self, kind: str, folder: str, options: dict[str, Any]) -> AsyncIterator[int]:
        del kind, folder, options
        self.words = ["begun"]
        yield 1

    async def hear(self, number: int) -> tuple[str, Any]:
        del number
        if not self.words:
            await asyncio.Event().wait()
        return self.words.pop(), {"latency": 0.0}

    def send(self, number: int, word: str, said: Any) -> None:
        del number
        self.pushed += word == "push"
        self.voices += [said] if word == "voice" else []


class Flood(WebSocket):
    """A client that sends a thousand single samples and voices, then leaves."""

    def __init__(self) -> None:
        super().__init__({"type": "websocket"}, self._next, self._send)
        self.messages: list[dict[str, Any]] = [{"type": "websocket.connect"}, {"text": '{"speaker": "anna"}'}]
        self.messages += [{"bytes": bytes(2)}, {"text": '{"event": "voice", "speaker": "bert"}'}] * 1000
        self.messages += [{"type": "websocket.disconnect", "code": 1000}]

    async def _next(self) -> dict[str, Any]:
        return {"type": "websocket.receive", **self.messages.pop(0)}

    async def _send(self, message: Any) -> None:
        del message


def test_little_waits_in_the_pipe_however_short_its_blocks_are() -> None:
    worker = Deaf()
    asyncio.run(LiveDesk(worker, 16_000, seconds=10, idle_seconds=10)(Flood()))
    assert worker.pushed == 64
    assert worker.voices == ["bert"]


def test_of_many_voices_the_last_is_taken(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_text('{"speaker": "anna"}')
        until(socket, "begun")
        for name in ("nobody", *["anna", "bert"] * 50, "last"):
            socket.send_text(json.dumps({"event": "voice", "speaker": name}))
        assert until(socket, "problem")[0]["message"].startswith("no speaker 'nobody'")
        assert until(socket, "problem")[0]["message"].startswith("no speaker 'last'")


def test_whoever_says_nothing_does_not_keep_others_waiting(
    serving: Callable[..., AbstractContextManager[TestClient]],
) -> None:
    with serving(live_idle_seconds=0.5) as client:
        for first in (None, '{"speaker": "anna"}'):
            with client.websocket_connect(LIVE) as socket:
                if first:
                    socket.send_text(first)
                assert until(socket, "error")[0]["message"] == "ended: no sound came for 0.5 seconds; start again"


def test_a_session_has_its_end_in_one_line(serving: Callable[..., AbstractContextManager[TestClient]]) -> None:
    with serving(live_seconds=0.6) as client, client.websocket_connect(LIVE) as socket:
        assert until(socket, "error")[0]["message"] == "a live session ends after 0.01 minutes; start again"


def test_samples_are_no_beginning(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as socket:
        socket.send_bytes(bytes(320))
        assert until(socket, "error")[0]["message"] == "that is no message of the page"
