"""What phones and browsers record: made here by PyAV, read by ``audio.read``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vqspeech import audio
from vqspeech.audio import media
from vqspeech.errors import InputError

av = pytest.importorskip("av", reason="PyAV (extra media) is not installed")

#: Ending, codec, rate, layout.
KINDS = [
    ("m4a", "aac", 44_100, "mono"),
    ("m4a", "aac", 48_000, "stereo"),
    ("webm", "libopus", 48_000, "mono"),
    ("mp4", "aac", 16_000, "mono"),
    ("mkv", "flac", 44_100, "stereo"),
    ("3gp", "aac", 22_050, "mono"),
]
SECONDS = 1.5


def sweep(rate: int) -> np.ndarray:
    """A tone that rises and swells, so that every moment is another."""
    time = np.arange(round(SECONDS * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (300 * time + 400 * time**2)) * (0.3 + np.abs(np.sin(3 * time)))).astype("f4")


def make(path: Path, codec: str, rate: int, layout: str, *, video: bool = False) -> Path:
    """A file with the sweep in it."""
    with av.open(str(path), "w") as container:
        pictures = None
        if video:
            pictures = container.add_stream("mpeg4", rate=10)
            pictures.width = pictures.height = 32
            pictures.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        if pictures is not None:
            for _ in range(15):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                container.mux(pictures.encode(picture))
            container.mux(pictures.encode(None))
        channels = 2 if layout == "stereo" else 1
        frame = av.AudioFrame.from_ndarray(np.tile(sweep(rate), (channels, 1)), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate, stream.codec_context.frame_size or 1024
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    count = min(len(a), len(b))
    return float(np.corrcoef(a[:count], b[:count])[0, 1])


@pytest.mark.parametrize(("ending", "codec", "rate", "layout"), KINDS)
def test_it_is_read_whole_and_in_time(tmp_path: Path, ending: str, codec: str, rate: int, layout: str) -> None:
    path = make(tmp_path / f"a.{ending}", codec, rate, layout)
    made = audio.read(path, rate=16_000)
    assert len(made) == pytest.approx(SECONDS * 16_000, abs=0.07 * 16_000)
    assert likeness(made, audio.resample(sweep(rate), rate, 16_000)) > 0.98
    assert audio.duration(path) == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize(("ending", "codec", "rate", "layout"), KINDS)
def test_a_part_of_it_is_that_part(tmp_path: Path, ending: str, codec: str, rate: int, layout: str) -> None:
    path = make(tmp_path / f"a.{ending}", codec, rate, layout)
    whole, part = audio.read(path, rate=rate), audio.read(path, rate=rate, start=0.9, end=1.3)
    assert len(part) == round(0.4 * rate)
    first = round(0.9 * rate)
    assert likeness(part, whole[first : first + len(part)]) > 0.999
    with pytest.raises(InputError, match=r"lasts|no samples"):
        audio.read(path, start=40)


def test_the_sound_of_a_video_is_read_and_a_stream_as_a_file(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", "aac", 44_100, "mono", video=True)
    made = audio.read(path)
    assert likeness(made, audio.resample(sweep(44_100), 44_100, 16_000)) > 0.98
    with path.open("rb") as file:
        assert np.array_equal(audio.read(file), made)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no sound"):
        audio.read(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 0\n",
    ],
)
def test_a_playlist_leads_nowhere(tmp_path: Path, text: str) -> None:
    other = make(tmp_path / "other.m4a", "aac", 44_100, "mono")
    (tmp_path / "list.m3u8").write_text(text.format(other))
    with pytest.raises(InputError, match="known format"):
        audio.read(tmp_path / "list.m3u8")


def test_too_long_or_too_slow_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "a.m4a", "aac", 44_100, "mono")
    with monkeypatch.context() as patched:
        patched.setattr(media, "PATIENCE", -1)
        with pytest.raises(InputError, match="too long to decode"):
            audio.read(path)
    with monkeypatch.context() as patched:
        patched.setattr(media, "SECONDS", 1)
        with pytest.raises(InputError, match="longer than"):
            audio.read(path)


def test_without_the_extra_a_line_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "a.m4a", "aac", 44_100, "mono")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"vqspeech\[media\]"):
        audio.read(path)
