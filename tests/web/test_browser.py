"""The page in Chromium, with a microphone that plays a file: what somebody does who opens it for the first time."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="the browser test needs Playwright: pip install 'vqspeech[browser]'"
)

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="the browser test needs Chromium: apt-get install chromium")
#: Milliseconds that a busy machine is given.
PATIENCE = 120_000


@pytest.fixture(scope="module")
def address(model: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server with the small model."""
    command = [sys.executable, "-m", "vqspeech", "serve", "--port", "0", "--model", model]
    command += ["--voices", str(tmp_path_factory.mktemp("voices"))]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert server.stderr is not None
        lines = []
        for line in server.stderr:
            lines.append(line)
            if found := re.search(r"http://\S+/", line):
                yield found[0]
                break
        else:
            pytest.fail("".join(lines))
    finally:
        server.terminate()
        assert server.wait(60) in (0, 130, -15)


@pytest.fixture(scope="module")
def browser(speech: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium, whose microphone says the sample again and again."""
    spoken = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    soundfile.write(spoken, *soundfile.read(io.BytesIO(speech)))
    arguments = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}",
        "--autoplay-policy=no-user-gesture-required",
    ]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """The page, just opened; nothing may be wrong in its scripts, and nothing forbidden by its policy."""
    complaints: list[str] = []
    opened = browser.new_page()
    opened.set_default_timeout(PATIENCE)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    opened.on("request", lambda sent: None if sent.url.startswith((address, "blob:")) else complaints.append(sent.url))
    opened.goto(address)
    yield opened
    opened.close()
    assert complaints == []


def until(page: Any, script: str) -> None:
    """Wait for a function of the page to be true; the page's policy lets Playwright not do so itself."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        time.sleep(0.1)


def painted(page: Any, canvas: str) -> bool:
    """Whether there is more than one colour on a canvas."""
    script = """canvas => {
        const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Set();
        for (let i = 0; i < data.length; i += 40) colours.add(`${data[i]} ${data[i + 1]} ${data[i + 2]}`);
        return colours.size > 20;
    }"""
    return bool(page.eval_on_selector(canvas, script))


def test_the_sample_is_there_and_is_converted_at_once(page: Any, tmp_path: Path, speech: bytes) -> None:
    page.get_by_text("sample.flac, 0:04").wait_for()
    until(page, "() => !document.querySelector('#convert-source .play').disabled")
    assert painted(page, "#convert-source canvas")
    page.get_by_role("button", name="Convert", exact=True).click()
    link = page.locator("#convert-result a")
    link.wait_for()
    assert painted(page, "#convert-result canvas")
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "sample-anna.wav"
    download.value.save_as(tmp_path / "made.wav")
    assert soundfile.info(tmp_path / "made.wav").frames == soundfile.info(io.BytesIO(speech)).frames


def test_a_file_is_opened_and_blended(page: Any, tmp_path: Path, speech: bytes) -> None:
    name = "../<b>my file</b>.ogg".replace("/", "_")
    soundfile.write(tmp_path / "x.ogg", *soundfile.read(io.BytesIO(speech)))
    (tmp_path / "x.ogg").rename(tmp_path / name)
    page.set_input_files("#convert-form input[type=file]", tmp_path / name)
    page.locator("#convert-form .chosen").get_by_text(name).wait_for()
    page.get_by_label("Blend several voices").first.check()
    page.locator("#convert-voice").get_by_label("bert").check()
    assert page.locator("#convert-voice .blend output").all_inner_texts() == ["50 %", "50 %"]
    page.get_by_role("button", name="Convert", exact=True).click()
    page.locator("#convert-result a").wait_for()
    assert page.locator("#convert-result .hint").inner_text().startswith("anna+bert, in ")


def test_what_is_no_audio_is_one_line_on_the_page(page: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("no audio")
    page.set_input_files("#convert-form input[type=file]", tmp_path / "notes.wav")
    page.locator("#convert-form .chosen").get_by_text("notes.wav").wait_for()
    page.get_by_role("button", name="Convert", exact=True).click()
    assert "not audio" in page.locator("#convert-form .notice.bad").inner_text()


def test_an_empty_file_leaves_the_recording_and_a_good_one_the_error(page: Any, tmp_path: Path, speech: bytes) -> None:
    page.get_by_text("sample.flac, 0:04").wait_for()
    for name, content in (("empty.wav", b""), ("good.flac", speech)):
        (tmp_path / name).write_bytes(content)
    page.set_input_files("#convert-form input[type=file]", tmp_path / "empty.wav")
    assert page.locator("#convert-form .notice.bad").inner_text() == "empty.wav: empty"
    assert page.locator("#convert-form .chosen").inner_text() == "sample.flac"
    page.set_input_files("#convert-form input[type=file]", tmp_path / "good.flac")
    page.locator("#convert-form .chosen").get_by_text("good.flac").wait_for()
    assert page.locator("#convert-form .notice.bad").count() == 0


def test_a_microphone_that_is_denied_leaves_the_recording(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))"
    )
    page.goto(address)
    page.get_by_text("sample.flac, 0:04").wait_for()
    page.locator("#convert-form").get_by_role("button", name="Record").click()
    page.get_by_text("the microphone was not allowed").wait_for()
    assert page.locator("#convert-form .chosen").inner_text() == "sample.flac"
    page.close()


def test_the_microphone_is_recorded(page: Any) -> None:
    page.locator("#convert-form").get_by_role("button", name="Record").click()
    page.get_by_text("recording 0:01").wait_for()
    page.locator("#convert-form").get_by_role("button", name="Stop").click()
    page.locator("#convert-form .chosen").get_by_text("recording").wait_for()
    assert painted(page, "#convert-source canvas")


#: Keeps the tracks of the microphone, which the browser opens when ``window.allow()`` is called.
ASKED = """
    window.tracks = [];
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => { window.allow = resolve; });
        const stream = await real(wanted);
        window.tracks.push(...stream.getTracks());
        return stream;
    };
"""
#: As when the microphone is unplugged.
UNPLUG = "() => window.tracks.forEach((track) => { track.stop(); track.dispatchEvent(new Event('ended')); })"


@pytest.fixture
def asking(page: Any) -> Any:
    """The page, in a browser that opens the microphone when ``window.allow()`` is called."""
    page.add_init_script(ASKED)
    page.reload()
    page.get_by_text("sample.flac, 0:04").wait_for()
    return page


def allow(page: Any) -> None:
    """Open the microphone, once the browser has been asked to."""
    until(page, "() => Boolean(window.allow)")
    page.evaluate("() => window.allow()")


@pytest.mark.parametrize(
    ("tab", "form", "name"), [("Convert", "#convert-form", "Record"), ("Live", "#live-form", "Start")]
)
def test_a_microphone_that_is_allowed_after_stop_is_closed(asking: Any, tab: str, form: str, name: str) -> None:
    page = asking
    page.get_by_role("tab", name=tab).click()
    page.locator(form).get_by_role("button", name=name).click()
    until(page, "() => Boolean(window.allow)")
    page.locator(form).get_by_role("button", name="Stop").click()
    again = page.locator(form).get_by_role("button", name=name)
    again.wait_for()  # it is not waited for
    assert again.is_enabled()
    allow(page)
    until(page, "() => window.tracks.length && window.tracks.every((track) => track.readyState === 'ended')")
    assert page.locator(f"{form} .notice").count() == 0


def test_a_recording_ends_with_the_microphone(asking: Any) -> None:
    page = asking
    page.locator("#convert-form").get_by_role("button", name="Record").click()
    allow(page)
    page.get_by_text("recording 0:01").wait_for()
    page.evaluate(UNPLUG)
    page.locator("#convert-form .notice").get_by_text("the microphone was disconnected").wait_for()
    assert page.locator("#convert-form .chosen").inner_text().startswith("recording ")


def test_a_live_session_ends_with_the_microphone(asking: Any) -> None:
    page = asking
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start speaking").click()
    allow(page)
    until(page, "() => document.querySelector('#live-state').textContent === 'speak'")
    page.evaluate(UNPLUG)
    page.locator("#live-problem").get_by_text("the microphone was disconnected").wait_for()
    until(page, "() => document.querySelector('#live-state').textContent === 'stopped'")


def test_live_speech_comes_back(page: Any) -> None:
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Start speaking").click()
    until(page, "() => document.querySelector('#live-state').textContent === 'speak'")
    until(page, "() => parseFloat(document.querySelector('#live-out').style.width) > 5")
    until(page, "() => /[0-9]+ ms/.test(document.querySelector('#live-latency').textContent)")
    assert re.fullmatch(r"\d+ %", page.locator("#live-load").inner_text())
    assert page.locator("#live-temperature").is_disabled()
    page.locator("#live-voice").get_by_label("bert").check()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped").wait_for()
    assert page.locator("#live-problem").inner_text() == ""
    assert page.locator("#live-temperature").is_enabled()


def test_a_live_session_that_the_server_ends_is_said(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(
        "const Real = WebSocket;"
        "window.WebSocket = class extends Real { constructor(url) { super(url); window.sent = this; } };"
    )
    page.goto(f"{address}#live")
    page.get_by_role("button", name="Start speaking").click()
    until(page, "() => document.querySelector('#live-state').textContent === 'speak'")
    page.evaluate("() => window.sent.close()")  # as when the server has gone: not asked for by the page
    page.get_by_text("the server has ended the connection").wait_for()
    page.close()


def test_codes_are_shown_and_heard_from_the_keyboard(page: Any) -> None:
    page.get_by_role("tab", name="Convert").focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Units").get_attribute("aria-selected") == "true"
    page.locator("#units-card").wait_for()
    assert re.match(r"\d+ codes, \d+ different", page.locator("#units-stats").inner_text())
    canvas = page.locator("#units-timeline canvas")
    canvas.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.locator("#units-detail").inner_text().startswith("code ")
    with page.expect_response(re.compile("/api/code")) as answer:
        page.keyboard.press("Enter")
    assert answer.value.ok


def test_tabs_and_players_obey_the_keyboard(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}#convert")
    page.get_by_role("tab", name="Convert").focus()
    selected = "() => document.querySelector('[role=tab][aria-selected=true]').id"
    tabs = page.get_by_role("tab")
    for key, index in {"End": -1, "ArrowRight": 0, "ArrowLeft": -1, "Home": 0}.items():
        page.keyboard.press(key)
        assert page.evaluate(selected) == tabs.nth(index).get_attribute("id"), key
    plot = page.get_by_role("slider", name=re.compile("^Position: ")).first
    until(page, "() => document.querySelector('[role=slider].plot').ariaDisabled === 'false'")
    plot.focus()
    for key, wanted in {"ArrowRight": 1.0, "ArrowLeft": 0.0, "End": None, "Home": 0.0}.items():
        page.keyboard.press(key)
        value = wanted if wanted is not None else float(plot.get_attribute("aria-valuemax") or -1)
        until(page, f"() => Math.abs(document.querySelector('[role=slider].plot').ariaValueNow - {value}) < 0.06")
    page.close()


def test_the_codes_have_axes(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.add_init_script(
        "window.written = []; const real = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {"
        "window.written.push(text); real.call(this, text, ...rest); };"
    )
    page.goto(f"{address}#units")
    page.locator("#units-card").wait_for()
    until(page, "() => ['8 kHz', '0', '0:01.0', '0:02.0'].every(text => window.written.includes(text))")
    page.close()


def test_it_fits_a_phone(browser: Any, address: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.get_by_text("sample.flac, 0:04").wait_for()
    for tab in ("convert", "live", "units", "voice"):
        page.locator(f"#tab-{tab}").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, tab
    page.close()
