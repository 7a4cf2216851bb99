"""Conversion while somebody speaks: a WebSocket on one side, a worker with a stream on the other.

The page sends its options as JSON, then 16-bit samples; it gets JSON of what happens, and 16-bit samples. What the
worker cannot keep up with is dropped and counted, so that nothing piles up on the way to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from vqspeech import ranges
from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.pitch import INTONATIONS
from vqspeech.web import options
from vqspeech.web.refusals import Refused, line_of
from vqspeech.web.worker import Abandoned, Worker

if TYPE_CHECKING:
    from vqspeech.api import Model

#: Seconds of sound on their way to the worker at most.
_AHEAD = 1.0
#: Blocks of sound on their way to the worker at most: each takes room in the pipe, however short it is.
_BLOCKS = 64
#: Full scale of 16-bit samples.
_PCM_16 = 32768
#: Share of the latest measurement in the load that is shown.
_SMOOTHING = 0.1
#: Characters of a message at most.
_LONGEST = 10_000


def pcm(waveform: NDArray[np.float32]) -> bytes:
    """``(samples,)`` in full scale 1 as 16-bit samples."""
    scaled = np.rint(waveform.astype(np.float64) * _PCM_16)
    return np.clip(scaled, -_PCM_16, _PCM_16 - 1).astype("<i2").tobytes()


def converse(model: Model, number: int, given: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """The worker's side of a session: takes ``push``, ``voice`` and ``end``.

    Each is answered, so that the server knows what is still in the pipe: with ``audio``, ``voiced`` or ``problem``.

    Args:
        model: what converts.
        number: of the job.
        given: of ``Model.stream``.
        connection: to the server.

    Returns:
        Seconds that were taken and given.

    Raises:
        Abandoned: the client has gone.
        InputError: there is no such voice.
    """
    from vqspeech.generation.postfilter import STRENGTH

    model.post_filter = STRENGTH  # whatever the last conversion had
    stream = model.stream(**given)
    connection.send(("begun", number, {"latency": stream.latency}))
    taken = made = 0
    load = 0.0
    while True:
        word, of, said = connection.recv()
        if of != number:
            continue
        if word == "abandon":
            raise Abandoned
        if word == "end":
            last = stream.finish()
            made += len(last)
            connection.send(("audio", number, {"pcm": pcm(last), "load": load, "taken": 0}))
            return {"seconds": taken / model.sample_rate, "made": made / model.sample_rate}
        if word == "voice":
            try:
                stream.speaker = said
            except InputError as error:
                connection.send(("problem", number, line_of(error)))
            else:
                connection.send(("voiced", number, None))
            continue
        samples = np.frombuffer(said, "<i2").astype(np.float32) / _PCM_16
        began = time.perf_counter()
        spoken = stream.push(samples)
        if len(samples):
            now = (time.perf_counter() - began) * model.sample_rate / len(samples)
            load += (now - load) * (_SMOOTHING if taken else 1)
        taken += len(samples)
        made += len(spoken)
        connection.send(("audio", number, {"pcm": pcm(spoken), "load": load, "taken": len(samples)}))


class LiveDesk:
    """The server's side: one session at a time.

    Args:
        worker: has the model.
        rate: of the sound, in Hz.
        seconds: that a session may last.
        idle_seconds: after which a session is ended in which nothing comes, so that others can speak.
    """

    def __init__(self, worker: Worker, rate: int, *, seconds: float, idle_seconds: float) -> None:
        self.worker = worker
        self.rate = rate
        self.seconds = seconds
        self.idle_seconds = idle_seconds
        self._busy = False

    async def __call__(self, socket: WebSocket) -> None:
        """Serve a WebSocket until it closes."""
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the second where it closes while we send
            try:
                if self._busy:
                    raise Refused("somebody is live already; one at a time")
                self._busy = True
                try:
                    async with asyncio.timeout(self.seconds):
                        first = await self._received(socket)
                        await self._session(socket, _begin(_text(first)))
                finally:
                    self._busy = False
            except Refused as refusal:
                await socket.send_json({"event": "error", "message": refusal.message})
            except TimeoutError:
                most = counted(self.seconds / 60, "minute", form="g")
                await socket.send_json({"event": "error", "message": f"a live session ends after {most}; start again"})
            await socket.close()

    async def _received(self, socket: WebSocket, sent: _Sent | None = None) -> Message:
        """The next message.

        Raises:
            Refused: none has come for a while, in which the model was not being loaded.
            WebSocketDisconnect: the client has left.
        """
        while True:
            waiting = asyncio.timeout(self.idle_seconds)
            try:
                async with waiting:
                    message = await socket.receive()
                break
            except TimeoutError:
                if not waiting.expired():
                    raise
                if sent is None or sent.begun:
                    idle = counted(self.idle_seconds, "second", form="g")
                    raise Refused(f"ended: no sound came for {idle}; start again") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect
        return message

    async def _session(self, socket: WebSocket, given: dict[str, Any]) -> None:
        await socket.send_json({"event": "loading"})
        async with self.worker.job("live", "", given) as number:
            sent = _Sent()
            down = asyncio.ensure_future(self._down(socket, number, sent))
            up = asyncio.ensure_future(self._up(socket, number, sent))
            try:
                await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
                if not up.done() or up.exception() is None:
                    await down  # which says what the matter is, or ends after the last sample
            finally:
                for task in (down, up):
                    task.cancel()
                await asyncio.wait({down, up})
            if not up.cancelled() and (error := up.exception()):
                raise error

    async def _up(self, socket: WebSocket, number: int, sent: _Sent) -> None:
        """From the page to the worker, until the page ends the session."""
        while True:
            message = await self._received(socket, sent)
            block: bytes = message.get("bytes") or b""
            if block:
                if len(block) % 2:
                    raise Refused("half a sample came")
                # Until the first answer the stream is not begun: the model may still be on its way.
                if sent.blocks == _BLOCKS or sent.ahead + len(block) // 2 > _AHEAD * self.rate:
                    sent.dropped += len(block) // 2
                    continue
                sent.ahead += len(block) // 2
                sent.blocks += 1
                self.worker.send(number, "push", block)
                continue
            said = _message(_text(message))
            if said.get("event") == "voice":
                self._change(number, sent, options.voice(said))
            elif said.get("event") == "end":
                self.worker.send(number, "end", None)
                return

    def _change(self, number: int, sent: _Sent, voice: str) -> None:
        """Ask the worker for another voice: at once, or the last one asked for when it has answered the one before."""
        if sent.changing:
            sent.next_voice = voice
            return
        sent.changing = True
        self.worker.send(number, "voice", voice)

    async def _down(self, socket: WebSocket, number: int, sent: _Sent) -> None:
        """From the worker to the page, until the stream has ended."""
        while True:
            word, said = await self.worker.hear(number)
            if word in ("voiced", "problem"):
                sent.changing = False
                if sent.next_voice is not None:
                    self._change(number, sent, sent.next_voice)
                    sent.next_voice = None
            if word == "begun":
                sent.begun = True
                await socket.send_json({"event": "begun", "latency": said["latency"], "rate": self.rate})
            elif word == "audio":
                sent.ahead -= said["taken"]
                sent.blocks -= 1
                await socket.send_json({"event": "load", "load": said["load"], "dropped": sent.dropped / self.rate})
                if said["pcm"]:
                    await socket.send_bytes(said["pcm"])
            elif word == "problem":
                await socket.send_json({"event": "problem", "message": said})
            elif word == "done":
                await socket.send_json({"event": "done", **said})
                return
            elif word != "voiced":
                raise Refused(str(said))


class _Sent:
    """What is on its way to the worker.

    Attributes:
        begun: whether the stream takes sound.
        ahead: samples that are not answered.
        blocks: in which they were sent.
        dropped: samples that were not sent.
        changing: whether a change of the voice is not answered.
        next_voice: asked for meanwhile.
    """

    def __init__(self) -> None:
        self.begun = False
        self.ahead = 0
        self.blocks = 0
        self.dropped = 0
        self.changing = False
        self.next_voice: str | None = None


def _text(message: Message) -> str:
    """What a message says; of one with samples, nothing."""
    return message.get("text") or ""


def _message(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text[:_LONGEST])
    except (ValueError, RecursionError):
        raise Refused("that is no message of the page") from None
    if not isinstance(said, dict):
        raise Refused("that is no message of the page")
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in said.items()}


def _begin(text: str) -> dict[str, Any]:
    given: Mapping[str, str] = _message(text)
    f0 = options.choice(given, "f0", INTONATIONS, "source")
    return {
        "speaker": options.voice(given),
        "f0": f0,
        "f0_shift": options.number(given, "f0_shift", ranges.SEMITONES, 0.0),
        "seed": options.number(given, "seed", ranges.SEED, 0),
        "temperature": options.number(given, "temperature", ranges.TEMPERATURE, 1.0),
    }
