"""Damaged files of every kind that the package reads."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzz_limits import CASES, SEED, survives
from fuzz_mutation import mutants

from vqspeech import alignment, audio, codes
from vqspeech.datadir import DataDir, Utterance, validate
from vqspeech.npy import read_npy
from vqspeech.training.config import read_preset

Reader = Callable[[Path], object]

#: Formats of libsndfile, and what a file of each begins from.
AUDIO = (
    ("wav", "PCM_16"), ("wav", "PCM_U8"), ("wav", "FLOAT"), ("wav", "ULAW"), ("wav", "IMA_ADPCM"), ("flac", "PCM_16"),
    ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III"), ("aiff", "PCM_24"), ("au", "PCM_16"), ("w64", "DOUBLE"),
    ("rf64", "PCM_16"), ("caf", "ALAC_16"), ("voc", "PCM_16"), ("nist", "PCM_16"),
)  # fmt: skip
CTM = b"u1 1 0.00 0.10 sil\nu1 1 0.10 0.20 ah\nu2 1 0.00 0.30 t 0.9\n;; a comment\n"
TEXTGRID = b"""File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.3
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.3
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = "sil"
        intervals [2]:
            xmin = 0.1
            xmax = 0.3
            text = "AH0"
"""
PHN = b"0 1600 h#\n1600 3200 sh\n3200 4800 iy\n"
LAB = b"#\n0.1 121 sil\n0.2 121 ah\n0.3 121 t\n"
CODES = b"u1 1 2 3 3\nu2 4 5\nu3\n"
CODES_JSON = b'{"codebook_size": 512, "frame_period": 0.01, "offset": 0.005, "model": "m", "checksum": null}\n'


def file_of(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def npy(array: np.ndarray) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()


def recording(kind: str, subtype: str) -> bytes:
    written = io.BytesIO()
    tone = 0.1 * np.sin(np.arange(2400) / 5)
    soundfile.write(written, tone, 16_000, format=kind.upper(), subtype=subtype)
    return written.getvalue()


def archive(folder: Path, name: str) -> Reader:
    """A reader of codes, the other of its two files being sound."""
    file_of(folder, "codes.txt", CODES)
    file_of(folder, "codes.json", CODES_JSON)

    def read(path: Path) -> object:
        shutil.copy(path, folder / name)
        return codes.read(folder / "codes.txt")

    return read


def tables(path: Path) -> object:
    validate(path.parent)
    return DataDir.read(path.parent)


def foreign(path: Path) -> object:
    return codes.import_units(path, frame_period=0.02)


def damaged_alike(folder: Path, name: str, content: bytes, read: Reader) -> None:
    """Every mutant of a file gives a result or one line, and the sound file a result."""
    path = file_of(folder, name, content)
    assert survives(lambda: read(path), "sound")
    for number, mutant in enumerate(mutants(content, seed=SEED, count=CASES)):
        path.write_bytes(mutant)
        survives(lambda: read(path), f"{name}, seed {SEED}, case {number}")


@pytest.mark.parametrize(("kind", "subtype"), AUDIO)
def test_audio(tmp_path: Path, kind: str, subtype: str) -> None:
    try:
        content = recording(kind, subtype)
    except (soundfile.LibsndfileError, ValueError) as error:
        pytest.skip(f"this libsndfile writes no {kind} of {subtype}: {error}")
    damaged_alike(tmp_path, f"a.{kind}", content, audio.read)
    damaged_alike(tmp_path, f"a.{kind}", content, audio.duration)


@pytest.mark.parametrize(("kind", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("mkv", "flac"), ("adts", "aac")])
def test_media(tmp_path: Path, kind: str, codec: str) -> None:
    av = pytest.importorskip("av", reason="PyAV (extra media) is not installed")
    buffer, layout = io.BytesIO(), "mono"
    with av.open(buffer, "w", format={"mkv": "matroska"}.get(kind, kind)) as container:
        stream = container.add_stream(codec, rate=48_000)
        stream.layout = layout
        samples = 0.1 * np.random.default_rng(0).standard_normal((1, 9600)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = 48_000, 0
        encoder = stream.codec_context
        resampler = av.AudioResampler(encoder.format, layout, 48_000, encoder.frame_size or 1024)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    damaged_alike(tmp_path, f"a.{kind}", buffer.getvalue(), audio.read)
    damaged_alike(tmp_path, f"a.{kind}", buffer.getvalue(), lambda path: audio.read(path, start=0.1))


@pytest.mark.parametrize(
    ("name", "content"), [("a.ctm", CTM), ("u1.TextGrid", TEXTGRID), ("u1.phn", PHN), ("u1.lab", LAB)]
)
def test_alignments(tmp_path: Path, name: str, content: bytes) -> None:
    def used(path: Path) -> object:
        found = alignment.read(path)
        alignment.faults(found)
        return [alignment.boundaries(row) for row in found.values()]

    damaged_alike(tmp_path, name, content, used)


def test_phone_maps(tmp_path: Path) -> None:
    damaged_alike(tmp_path, "map.txt", b";; IPA\nah AH\nt T\n", alignment.read_phone_map)


@pytest.mark.parametrize(("name", "content"), [("codes.txt", CODES), ("codes.json", CODES_JSON)])
def test_archives_of_codes(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / "whole").mkdir()
    damaged_alike(tmp_path, name, content, archive(tmp_path / "whole", name))


def test_units_of_others(tmp_path: Path) -> None:
    file_of(tmp_path, "units.tsv", b"/root\na.wav\t100\nb.wav\t200\n")
    damaged_alike(tmp_path, "units.km", b"1 2 3\n4 5 6\n", foreign)
    file_of(tmp_path, "units.km", b"1 2 3\n4 5 6\n")
    damaged_alike(
        tmp_path, "units.tsv", b"/root\na.wav\t100\nb.wav\t200\n", lambda path: foreign(path.with_suffix(".km"))
    )
    damaged_alike(tmp_path, "units.txt", b"a|1 2 3\nb|4 5\n", foreign)
    discophon, slamkit = (
        b'{"file": "a", "units": [1, 2, 3]}\n{"file": "b", "units": [4, 5]}\n',
        b'{"units": [1, 2], "duration": [3, 1], "file_name": "x/a.wav"}\n',
    )
    damaged_alike(tmp_path, "units.jsonl", discophon, foreign)
    damaged_alike(tmp_path, "features.jsonl", slamkit, foreign)
    (tmp_path / "mapped.npy").write_bytes(npy(np.array([1, 2, 3, 4], np.uint16)))
    damaged_alike(tmp_path, "mapped.npy.index", b"a 0 3\nb 3 1\n", lambda path: foreign(path.with_suffix("")))


@pytest.mark.parametrize(
    "array", [np.arange(5), np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((1, 4), np.uint8)], ids=str
)
def test_arrays(tmp_path: Path, array: np.ndarray) -> None:
    damaged_alike(tmp_path, "a.npy", npy(array), read_npy)
    folder = tmp_path / "units"
    folder.mkdir()
    if array.ndim == 1:
        damaged_alike(folder, "a.npy", npy(array), lambda path: foreign(path.parent))


@pytest.mark.parametrize("what", ["strings", "objects", "structs", "dates", "scalars"])
def test_arrays_of_other_things(tmp_path: Path, what: str) -> None:
    array = {
        "strings": np.array(["a", "b"]), "objects": np.array([1, None], object),
        "structs": np.zeros(2, [("a", "i4")]), "dates": np.zeros(2, "datetime64[s]"), "scalars": np.array(3),
    }[what]  # fmt: skip
    path = file_of(tmp_path, "a.npy", npy(array))
    survives(lambda: foreign(tmp_path), what)
    assert survives(lambda: read_npy(path), what) == (what == "scalars")


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "spk2utt", "segments", "text", "utt2dur", "phones.ctm"])
def test_data_directories(tmp_path: Path, name: str) -> None:
    wav = file_of(tmp_path, "a.wav", recording("wav", "PCM_16"))
    parts = [
        Utterance(f"s1-{n}", "s1", str(wav), 0.01 * n, 0.01 * n + 0.05, "some words", "f", recording_id="s1-tape")
        for n in range(3)
    ]
    folder = tmp_path / "data"
    DataDir(parts).write(folder)
    file_of(folder, "phones.ctm", b"s1-0 1 0.00 0.05 ah\ns1-1 1 0.00 0.05 t\n")
    damaged_alike(folder, name, (folder / name).read_bytes(), tables)


def test_presets(tmp_path: Path) -> None:
    import vqspeech

    content = (Path(vqspeech.__file__).parent / "presets" / "tiny.yaml").read_bytes()
    damaged_alike(tmp_path, "tiny.yaml", content, read_preset)
