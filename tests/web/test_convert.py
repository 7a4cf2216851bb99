"""Conversion through the page's own interface, beside that of the package."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")

import soundfile
from replies import error_of, leftovers, read_reply

import vqspeech

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def test_a_conversion_is_that_of_the_package(client: TestClient, model: str, speech: bytes) -> None:
    options = {"f0_shift": 2.0, "seed": 7, "temperature": 0.8}
    answer = client.post("/api/convert", params={"speaker": "bert", "post_filter": 0.25, **options}, content=speech)
    events, wav = read_reply(answer.content)
    assert wav is not None
    found, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    waveform = soundfile.read(io.BytesIO(speech), dtype="float32")[0]
    wanted = vqspeech.load(model, post_filter=0.25).convert(waveform, "bert", **options)  # type: ignore[arg-type]
    assert rate == 16_000
    np.testing.assert_array_equal(found, np.clip(np.rint(wanted * 32768.0), -32768, 32767))
    assert events[-1] == {"event": "done", "seconds": len(found) / rate}


def test_events_say_how_far_it_is(client: TestClient, speech: bytes) -> None:
    events, _ = read_reply(client.post("/api/convert?speaker=anna", content=speech).content)
    kinds = [event["event"] for event in events]
    assert kinds[0] == "decoding"
    assert kinds[-1] == "done"
    assert "progress" in kinds
    assert events[-2]["done"] == events[-2]["total"]


def test_a_blend_is_a_voice(client: TestClient, tone: Callable[..., bytes]) -> None:
    answer = client.post("/api/convert", params={"speaker": "anna:0.5,bert:1"}, content=tone(0.5))
    assert read_reply(answer.content)[1] is not None


def test_another_rate_is_resampled(client: TestClient, tone: Callable[..., bytes]) -> None:
    _, wav = read_reply(client.post("/api/convert?speaker=anna", content=tone(0.5, 44_100)).content)
    assert wav is not None
    assert soundfile.info(io.BytesIO(wav)).frames == 8000


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "choose a voice"),
        ("speaker=", "choose a voice"),
        ("speaker=" + "a:1," * 2000, "choose a voice"),
        ("speaker=anna&seed=-1", "seed: '-1' is not a whole number"),
        ("speaker=anna&seed=1e400", "seed:"),
        ("speaker=anna&temperature=nan", "temperature:"),
        ("speaker=anna&temperature=" + "9" * 5000, "temperature:"),
        ("speaker=anna&post_filter=2", "post filter:"),
        ("speaker=anna&f0_shift=100", "f0 shift:"),
        ("speaker=anna&f0=<script>", "f0: '<script>' is none of source, target, flat"),
    ],
)
def test_a_bad_option_is_one_line(client: TestClient, query: str, said: str, speech: bytes) -> None:
    answer = client.post(f"/api/convert?{query}", content=speech)
    assert answer.status_code == 400
    assert error_of(answer).startswith(said)
    assert "\n" not in error_of(answer)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("speaker=berta", "no speaker 'berta'; nearest: bert"),
        ("speaker=anna:0,bert:1", "'0' is no weight"),
        ("speaker=../../etc/passwd", "no speaker '../../etc/passwd'"),
        ("speaker=anna&f0=target&f0_shift=3", "an f0_shift of 3 semitones"),
    ],
)
def test_what_the_model_cannot_do_is_one_line(
    client: TestClient, query: str, said: str, tone: Callable[..., bytes]
) -> None:
    assert error_of(client.post(f"/api/convert?{query}", content=tone(0.5))).startswith(said)


def test_nothing_of_a_job_stays(client: TestClient, speech: bytes) -> None:
    client.post("/api/convert?speaker=anna", content=speech)
    client.post("/api/convert?speaker=anna", content=b"no audio")
    assert leftovers(client) == []
    assert client.get("/api/status").json() == {"waiting": 0}


def test_nothing_stays_when_the_server_ends(serving: Callable[..., AbstractContextManager[TestClient]]) -> None:
    with serving() as running:
        root = running.app.state.service.desk.root  # type: ignore[attr-defined]
        assert root.is_dir()
        assert root.stat().st_mode & 0o077 == 0
    assert not root.exists()


def test_the_page_learns_what_there_is(client: TestClient) -> None:
    info = client.get("/api/info").json()
    assert [voice["name"] for voice in info["voices"]] == ["anna", "bert"]
    assert info["pitch"] is True
    assert info["megabytes"] == 50


def test_a_worker_that_dies_is_replaced(client: TestClient, tone: Callable[..., bytes]) -> None:
    queue = client.app.state.service.queue  # type: ignore[attr-defined]
    queue.worker._process.kill()
    queue.worker._process.join()
    first = client.post("/api/convert?speaker=anna", content=tone(0.3))
    assert read_reply(first.content)[1] is not None


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/app.py", "/static/js/../../app.py"]
)
def test_only_the_pages_own_files_are_served(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_path_that_is_not_there_is_one_line(client: TestClient) -> None:
    assert client.get("/api/nothing").json() == {"error": "Not Found"}
    assert client.get("/api/convert").status_code == 405
