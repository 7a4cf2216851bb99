"""What is refused: too much, too long, too slow, too many, and damaged; and who leaves."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")

import numpy as np
import soundfile
from replies import error_of, leftovers, read_reply
from starlette.requests import Request

from vqspeech.errors import InputError
from vqspeech.web import decoding
from vqspeech.web.decoding import Decoder, decode_in_place
from vqspeech.web.job_queue import Notify
from vqspeech.web.jobs import Desk, JobEndpoint
from vqspeech.web.limits import Limits
from vqspeech.web.refusals import Refused
from vqspeech.web.uploads import receive

if TYPE_CHECKING:
    from starlette.testclient import TestClient

Serving = Callable[..., AbstractContextManager["TestClient"]]
LIMITS = dataclasses.replace(Limits(), upload_bytes=1000, upload_seconds=0.3, seconds=2.0, waiting=3)


def request_of(*chunks: bytes, pause: float = 0.0, **headers: str) -> Request:
    """A request whose body comes in chunks, with a pause after each."""
    left = list(chunks)

    async def receive() -> dict[str, Any]:
        if not left:
            return {"type": "http.disconnect"}
        chunk = left.pop(0)
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": chunk, "more_body": bool(left)}

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": given}, receive)


def test_an_upload_arrives_as_it_was_sent(tmp_path: Path) -> None:
    assert asyncio.run(receive(request_of(b"abc", b"", b"de"), tmp_path / "x", LIMITS)) == 5
    assert (tmp_path / "x").read_bytes() == b"abcde"


@pytest.mark.parametrize("stated", [None, "5", "-1", "nonsense", "²"])
def test_an_upload_is_stopped_while_it_is_read(tmp_path: Path, stated: str | None) -> None:
    """Whatever its header says, no more than the limit is taken."""
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(300)

    source = body()

    async def endless() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(source), "more_body": True}

    headers = [] if stated is None else [(b"content-length", stated.encode("latin-1"))]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, endless)
    with pytest.raises(Refused, match="larger than") as refusal:
        asyncio.run(receive(request, tmp_path / "x", LIMITS))
    assert refusal.value.status == 413
    assert taken == 4
    assert (tmp_path / "x").stat().st_size <= 1000


@pytest.mark.parametrize("stated", ["1001", "9" * 4000])
def test_an_upload_that_says_it_is_too_large_is_not_read(tmp_path: Path, stated: str) -> None:
    with pytest.raises(Refused, match="larger than"):
        asyncio.run(receive(request_of(b"x", content_length=stated), tmp_path / "x", LIMITS))
    assert not (tmp_path / "x").exists()


def test_a_slow_upload_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too slowly") as refusal:
        asyncio.run(receive(request_of(*[b"x"] * 9, pause=0.1), tmp_path / "x", LIMITS))
    assert refusal.value.status == 408


def test_too_large_and_empty_are_refused_by_the_server(serving: Serving, tone: Callable[..., bytes]) -> None:
    with serving(upload_bytes=20_000, seconds=0.5) as client:
        too_large = client.post("/api/convert?speaker=anna", content=tone(1.0))
        assert too_large.status_code == 413
        assert error_of(too_large).startswith("larger than 0.0191 MB")
        assert error_of(client.post("/api/convert?speaker=anna")) == "the recording is empty"
        assert error_of(client.post("/api/convert?speaker=anna", content=tone(0.55))).startswith("longer than")
        assert read_reply(client.post("/api/convert?speaker=anna", content=tone(0.45)).content)[1]
        assert leftovers(client) == []


def test_length_is_limited_whatever_the_header_says(tmp_path: Path, tone: Callable[..., bytes]) -> None:
    long, out = tmp_path / "a.wav", tmp_path / "b"
    long.write_bytes(tone(3.0))
    with pytest.raises(InputError, match="longer than"):
        decode_in_place(str(long), str(out), 16_000, LIMITS)
    streamed = bytearray(tone(3.0))
    streamed[40:44] = b"\xff\xff\xff\xff"  # a length that is not known
    long.write_bytes(streamed)
    with pytest.raises(InputError, match="longer than"):
        decode_in_place(str(long), str(out), 16_000, LIMITS)
    assert not out.exists()


def decode(limits: Limits, *uploads: Path) -> list[float | str]:
    """What decoding processes say of uploads."""

    async def run() -> list[float | str]:
        decoder = Decoder(limits, 16_000)

        async def one(upload: Path) -> float | str:
            try:
                return await decoder.decode(upload, upload.with_suffix(".f32"))
            except Refused as refusal:
                return refusal.message

        return list(await asyncio.gather(*map(one, uploads)))

    return asyncio.run(run())


def test_a_decoding_process_gives_what_reading_gives(tmp_path: Path, speech: bytes) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(speech)
    (seconds,) = decode(Limits(), upload)
    wanted = soundfile.read(upload, dtype="float32")[0]
    np.testing.assert_array_equal(decoding.load_samples(upload.with_suffix(".f32")), wanted)
    assert seconds == len(wanted) / 16_000


def test_an_expanding_recording_meets_its_limits(tmp_path: Path) -> None:
    """Half an hour of silence is 100 kB of FLAC."""
    upload = tmp_path / "upload"
    soundfile.write(upload, np.zeros(30 * 60 * 16_000, np.int16), 16_000, format="FLAC")
    assert upload.stat().st_size < 1_000_000
    assert decode(Limits(), upload) == ["longer than 10 minutes (cut it into parts)"]
    few = dataclasses.replace(Limits(), seconds=10**6, decode_bytes=60 << 20)
    (said,) = decode(few, upload)
    assert str(said).startswith("the recording cannot be decoded")
    hurried = dataclasses.replace(Limits(), seconds=10**6, decode_seconds=0.01)
    (said,) = decode(hurried, upload)
    assert str(said).startswith("the recording cannot be decoded")


def mutations(sound: bytes, count: int) -> list[bytes]:
    """Damaged copies, the same every time."""
    rng = random.Random(16)
    made = []
    for _ in range(count):
        data = bytearray(sound)
        for _ in range(rng.choice([1, 3, 30, 300])):
            # Headers decide most, so they are hit most.
            place = rng.randrange(min(len(data), rng.choice([64, 4096, len(data)])))
            data[place] = rng.choice([0, 255, 127, 128, rng.randrange(256)])
        if rng.random() < 0.3:
            del data[rng.randrange(len(data)) :]
        made.append(bytes(data))
    return made


def test_damaged_uploads_are_one_line_or_a_recording(tmp_path: Path, speech: bytes, tone: Callable[..., bytes]) -> None:
    sounds = [speech, tone(0.5), tone(0.5, 44_100)]
    for kind in (("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"), ("W64", "PCM_16")):
        path = tmp_path / "sound"
        soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000, format=kind[0], subtype=kind[1])
        sounds.append(path.read_bytes())
    uploads = []
    for number, data in enumerate(data for sound in sounds for data in mutations(sound, 8)):
        path = tmp_path / f"upload-{number}"
        path.write_bytes(data)
        uploads.append(path)
    for said in decode(Limits(), *uploads):
        if isinstance(said, str):
            assert "\n" not in said
            assert "Traceback" not in said
            assert str(tmp_path) not in said
        else:
            assert said > 0


@pytest.mark.parametrize(
    "content", [b"#!/bin/sh\ntouch /tmp/x |", b"\x00" * 9999, b"RIFF", random.Random(0).randbytes(5000), b"<html>" * 99]
)
def test_what_is_no_audio_is_one_line(client: TestClient, content: bytes) -> None:
    said = error_of(client.post("/api/convert?speaker=anna", content=content))
    assert "\n" not in said
    assert "/tmp" not in said


class Asked:
    """A client of a ``JobEndpoint``, called as a server calls it: it may leave."""

    def __init__(self, endpoint: JobEndpoint, body: bytes = b"x") -> None:
        self.sent: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.body: list[bytes] = [body]
        self.task = asyncio.ensure_future(
            endpoint({"type": "http", "method": "POST", "path": "/", "headers": []}, self._receive, self._send)
        )

    async def _receive(self) -> dict[str, Any]:
        if self.body:
            return {"type": "http.request", "body": self.body.pop(), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)


def test_more_jobs_than_there_is_room_for_are_refused() -> None:
    async def run() -> None:
        desk, release = Desk(LIMITS), asyncio.Event()

        async def work(folder: Path, notify: Notify) -> tuple[dict[str, Any], None]:
            await release.wait()
            return {}, None

        endpoint = JobEndpoint(desk, lambda _: work, upload=True)
        clients = [Asked(endpoint) for _ in range(LIMITS.waiting)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="busy: 3 jobs wait already") as refusal:
            await Asked(endpoint).task
        assert refusal.value.status == 503
        release.set()
        await asyncio.gather(*(client.task for client in clients))
        assert desk.admitted == 0
        await Asked(endpoint).task
        desk.close()

    asyncio.run(run())


def test_a_client_that_leaves_takes_its_job_along() -> None:
    async def run() -> None:
        desk, ended = Desk(LIMITS), asyncio.Event()

        async def work(folder: Path, notify: Notify) -> tuple[dict[str, Any], None]:
            notify({"event": "started"})
            try:
                await asyncio.Event().wait()
            finally:
                assert folder.is_dir()
                ended.set()
            return {}, None

        client = Asked(JobEndpoint(desk, lambda _: work, upload=True))
        await asyncio.sleep(0.05)
        assert any(desk.root.iterdir())
        client.gone.set()
        await asyncio.wait_for(client.task, 5)
        assert ended.is_set()
        assert list(desk.root.iterdir()) == []
        assert desk.admitted == 0
        desk.close()

    asyncio.run(run())


def test_a_fault_of_ours_is_one_line_for_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> list[dict[str, Any]]:
        desk = Desk(LIMITS)

        async def work(folder: Path, notify: Notify) -> tuple[dict[str, Any], None]:
            raise ZeroDivisionError(str(folder))

        client = Asked(JobEndpoint(desk, lambda _: work, upload=True))
        await client.task
        desk.close()
        return client.sent

    sent = b"".join(message.get("body", b"") for message in asyncio.run(run()))
    assert read_reply(sent)[0] == [{"event": "error", "message": "the server failed at this; its terminal says how"}]
    assert "ZeroDivisionError" in capsys.readouterr().err
