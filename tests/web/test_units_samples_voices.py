"""Codes, samples and new voices through the page's own interface, beside those of the package."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")

import soundfile
from replies import error_of, leftovers, read_reply

import vqspeech
from vqspeech.codes import CodeInfo
from vqspeech.errors import InputError
from vqspeech.generation.code_sampling import sample_codes
from vqspeech.model.packaged import PRETRAINED
from vqspeech.model.prior.checkpoint import load_prior
from vqspeech.web.colours import code_colours
from vqspeech.web.tasks import Tasks
from vqspeech.web.voices import own_voices
from vqspeech.web.worker import Abandoned, Order

if TYPE_CHECKING:
    from starlette.testclient import TestClient


def buzz(seconds: float) -> bytes:
    """A WAV file of a buzz that comes and goes."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    wave = 0.05 * np.sign(np.sin(2 * np.pi * 140 * time)) * (1.1 + np.sin(2 * np.pi * 3 * time))
    file = io.BytesIO()
    soundfile.write(file, wave, 16_000, format="WAV")
    return file.getvalue()


def test_codes_are_those_of_the_package(client: TestClient, model: str, speech: bytes) -> None:
    events, wav = read_reply(client.post("/api/units", content=speech).content)
    waveform = soundfile.read(io.BytesIO(speech), dtype="float32")[0]
    loaded = vqspeech.load(model)
    info: CodeInfo = loaded.code_info
    assert wav is None
    assert events[-1]["codes"] == loaded.encode(waveform).tolist()
    assert events[-1]["period"] == info.frame_period
    assert "phones" not in events[-1]


def test_phones_are_shown_where_a_text_is_given(client: TestClient, speech: bytes) -> None:
    pytest.importorskip("pocketsphinx", reason="aligning needs vqspeech[align]")
    text = "A small machine can learn the sounds of speech from nothing but speech."
    found = read_reply(client.post("/api/units", params={"text": text}, content=speech).content)[0][-1]
    assert [word for _, _, word in found["words"]] == text.lower().rstrip(".").split()
    labels = [label for _, _, label in found["phones"] if label != "sil"]
    assert labels[1:5] == ["s", "m", "ao", "l"]
    assert found["phones"][-1][1] == pytest.approx(len(found["codes"]) * found["period"], abs=0.05)


def test_a_text_that_is_not_said_is_a_note(client: TestClient, tone: Callable[..., bytes]) -> None:
    pytest.importorskip("pocketsphinx", reason="aligning needs vqspeech[align]")
    found = read_reply(client.post("/api/units", params={"text": "..."}, content=tone(0.5)).content)[0][-1]
    assert found["note"] == "no phones: no words in its text"
    assert len(found["codes"]) > 0


def test_a_word_that_cannot_be_spelt_is_a_note(client: TestClient, tone: Callable[..., bytes]) -> None:
    pytest.importorskip("pocketsphinx", reason="aligning needs vqspeech[align]")
    found = read_reply(client.post("/api/units", params={"text": "да"}, content=tone(0.5)).content)[0][-1]
    assert found["note"] == "no phones: no pronunciation of 'да'"
    assert len(found["codes"]) > 0


def test_a_text_has_its_limit(client: TestClient, tone: Callable[..., bytes]) -> None:
    answer = client.post("/api/units", params={"text": "a" * 5001}, content=tone(0.5))
    assert error_of(answer) == "the text is longer than 5000 characters"


def test_a_code_is_heard_alone(client: TestClient, model: str) -> None:
    _, wav = read_reply(client.post("/api/code", params={"code": 5, "speaker": "bert"}).content)
    assert wav is not None
    found, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    assert len(found) / rate == pytest.approx(0.4, abs=0.02)
    loaded = vqspeech.load(model)
    wanted = loaded.decode([5] * round(len(found) / loaded.network.config.code_hop), "bert")
    np.testing.assert_array_equal(found, np.clip(np.rint(wanted * 32768.0), -32768, 32767))


@pytest.mark.parametrize("code", ["-1", "100000", "x", "1.5"])
def test_a_code_that_is_none_is_refused(client: TestClient, code: str) -> None:
    assert error_of(client.post("/api/code", params={"code": code, "speaker": "anna"})).startswith("code: ")


def test_what_takes_no_recording_takes_none(client: TestClient) -> None:
    answer = client.post("/api/code?code=1&speaker=anna", content=b"x" * 1000)
    assert error_of(answer) == "this takes no recording"


def test_a_model_without_a_prior_says_so(client: TestClient) -> None:
    assert client.get("/api/info").json()["prior"] is False
    said = error_of(client.post("/api/sample?speaker=anna"))
    assert said.startswith("there is no prior over the codes of this model")


@pytest.mark.parametrize("query", ["seconds=0", "seconds=31", "top_p=0", "seed=x", "temperature=-1"])
def test_drawing_has_its_ranges(client: TestClient, query: str) -> None:
    assert client.post(f"/api/sample?speaker=anna&{query}").status_code == 400


def in_process(settings: dict[str, Any], folder: Path, kind: str, **options: Any) -> dict[str, Any]:
    """A task, done here."""
    return Tasks(settings).run(Order(1, kind, str(folder), options), lambda done, total, what: None)


def test_samples_of_the_packaged_prior_are_those_of_the_package(settings: dict[str, Any], tmp_path: Path) -> None:
    packaged = {**settings, "model": None, "voices": str(tmp_path / "voices")}
    model = vqspeech.load()
    speaker = model.speakers[0]
    source = 0.05 * np.random.default_rng(0).normal(0, 1, 8000).astype(np.float32)
    source.tofile(tmp_path / "source.f32")
    options = {"speaker": speaker, "seconds": 0.5, "seed": 3, "temperature": 0.9, "top_p": 0.8}
    said = in_process(packaged, tmp_path, "sample", goes_on=True, **options)
    prompt = model.encode(source)
    drawn = sample_codes(
        load_prior(PRETRAINED),
        length=round(0.5 * model.network.config.code_rate),
        speaker=speaker,
        prompt=prompt,
        seed=3,
        temperature=0.9,
        top_p=0.8,
    )[0]
    wanted = model.decode(np.concatenate([prompt, drawn]), speaker, seed=3)
    found = soundfile.read(tmp_path / "result.wav", dtype="int16")[0]
    np.testing.assert_array_equal(found, np.clip(np.rint(wanted * 32768.0), -32768, 32767))
    assert said["prompt_seconds"] == len(prompt) / model.network.config.code_rate


def test_a_new_voice_is_one_of_the_voices(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Learnt, listed, used in a conversion and in a blend; its model has the voices of the first, too."""
    monkeypatch.setattr("vqspeech.web.tasks.STEPS", 2)
    own = {**settings, "voices": str(tmp_path / "voices")}
    job = tmp_path / "job"
    job.mkdir()
    soundfile.read(io.BytesIO(buzz(18)), dtype="float32")[0].tofile(job / "source.f32")
    tasks = Tasks(own)
    seen: list[tuple[int, int, str]] = []
    said = tasks.run(Order(1, "adapt", str(job), {"speaker": "me"}), lambda *report: seen.append(report))
    assert said["speaker"] == "me"
    assert (2, 2, "learning") in seen
    assert own_voices(own["voices"]) == ["me"]
    assert vqspeech.load(tmp_path / "voices" / "me").speakers == ("anna", "bert", "me")
    options = {"f0": "source", "f0_shift": 0.0, "seed": 0, "temperature": 1.0, "post_filter": None}
    np.zeros(8000, np.float32).tofile(job / "source.f32")
    for voice in ("me", "me:1,anna:1"):
        assert (
            tasks.run(Order(2, "convert", str(job), {"speaker": voice, **options}), lambda *_: None)["seconds"] == 0.5
        )
    with pytest.raises(InputError, match="there is a voice 'me' already"):
        tasks.run(Order(3, "adapt", str(job), {"speaker": "me"}), lambda *_: None)


def test_learning_that_is_given_up_leaves_nothing(settings: dict[str, Any], tmp_path: Path) -> None:
    soundfile.read(io.BytesIO(buzz(18)), dtype="float32")[0].tofile(tmp_path / "source.f32")

    def give_up(done: int, total: int, what: str) -> None:
        if what == "learning":
            raise Abandoned

    tasks = Tasks({**settings, "voices": str(tmp_path / "voices")})
    with pytest.raises(Abandoned):
        tasks.run(Order(1, "adapt", str(tmp_path), {"speaker": "me"}), give_up)
    assert not (tmp_path / "voices").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "give the voice a name"),
        ("x" * 41, "give the voice a name"),
        ("../x", "'../x' cannot be a speaker's name"),
        ("a/b", "'a/b' cannot be a speaker's name"),
        (".hidden", "'.hidden' cannot be a speaker's name"),
        ("a:1,b:2", "'a:1,b:2' cannot be a speaker's name"),
        ("a\x00", "'a\\x00' cannot be a speaker's name"),
        ("anna", "there is a voice 'anna' already"),
    ],
)
def test_a_name_is_checked_before_anything_is_learnt(client: TestClient, name: str, said: str) -> None:
    answer = client.post("/api/voices", params={"name": name}, content=b"x")
    assert answer.status_code == 400
    assert error_of(answer).startswith(said)


def test_too_little_speech_is_one_line(client: TestClient, tone: Callable[..., bytes]) -> None:
    answer = client.post("/api/voices?name=me", content=tone(2.0))
    assert error_of(answer).startswith("2.0 s of speech, too little to learn a voice from")
    assert leftovers(client) == []


def test_a_voice_can_be_deleted_and_nothing_else(settings: dict[str, Any], tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    from vqspeech.web.app import Service, make_app
    from vqspeech.web.limits import Limits

    voices = tmp_path / "voices"
    for name in ("me", ".part"):
        (voices / name).mkdir(parents=True)
        (voices / name / "model.safetensors").touch()
    (tmp_path / "other").mkdir()
    service = Service({**settings, "voices": str(voices)}, Limits())
    with TestClient(make_app(service), base_url="http://127.0.0.1:8765") as client:
        shown = client.get("/api/info").json()
        assert {"name": "me", "own": True} in shown["voices"]
        assert shown["keeps"] is True
        for name in ("..%2fother", "anna", ".part", "%2e%2e", "nobody"):
            assert client.delete(f"/api/voices/{name}").status_code in (404, 405)
        assert client.delete("/api/voices/me").status_code == 200
        assert not (voices / "me").exists()
        assert (voices / ".part").exists()
        assert (tmp_path / "other").exists()


def test_a_colour_for_each_code_near_codes_alike() -> None:
    torch.manual_seed(0)
    codebook = torch.randn(64, 8)
    codebook[1] = codebook[0] + 1e-4
    colours = code_colours(codebook)
    assert len(colours) == 64
    assert all(len(colour) == 7 and int(colour[1:], 16) >= 0 for colour in colours)
    parts = [np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) for colour in colours]
    distances = [np.abs(parts[0] - part).sum() for part in parts[1:]]
    assert distances[0] <= np.percentile(distances, 5)
    assert len(set(colours)) > 40
