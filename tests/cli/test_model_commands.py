"""``encode``, ``decode``, ``convert``, ``speakers`` and ``info`` as a user types them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.generation.postfilter import STRENGTH


def record(path: Path, *, seconds: float = 0.1, rate: int = 16_000, channels: int = 1) -> Path:
    shape = (max(1, round(seconds * rate)), channels)
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(shape), rate)
    return path


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_convert_writes_beside_the_source_at_16_khz_and_of_the_same_length(
    tmp_path: Path, model: str, rate: int, channels: int
) -> None:
    source = record(tmp_path / "a.wav", rate=rate, channels=channels)
    assert main(["convert", "--src", str(source), "--speaker", "anna", "--model", model]) == 0
    info = soundfile.info(tmp_path / "a-anna.wav")
    assert (info.samplerate, info.channels) == (16_000, 1)
    assert info.duration == pytest.approx(0.1, abs=0.001)


def test_convert_never_writes_over_a_file_unless_told_to(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", "--src", str(record(tmp_path / "a.wav")), "--speaker", "anna", "--model", model]
    target = tmp_path / "a-anna.wav"
    target.write_text("precious")
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_text() == "precious"
    assert main([*words, "--force"]) == 0
    assert soundfile.info(target).frames == 1600


def test_convert_never_writes_over_its_source(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = record(tmp_path / "a.wav")
    (tmp_path / "link.wav").symlink_to(source)
    before = source.read_bytes()
    for out in ("a.wav", "link.wav"):
        words = ["--src", str(source), "--speaker", "anna", "--model", model, "--out", str(tmp_path / out), "--force"]
        assert main(["convert", *words]) == 2
        assert "is the recording itself" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_convert_tells_the_real_time_factor_and_the_engine(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["convert", "--src", str(record(tmp_path / "a.wav")), "--speaker", "anna", "--model", model])
    assert "x real time" in capsys.readouterr().err


def test_a_folder_is_converted_with_its_bad_files_named(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    record(source / "good.wav")
    record(source / "fine.flac")
    (source / "bad.wav").write_bytes(b"this is no audio")
    (source / "notes.txt").write_text("not looked at")
    words = ["convert", "--src", str(source), "--speaker", "bert", "--out", str(tmp_path / "out"), "--model", model]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "bad.wav" in error
    assert "Traceback" not in error
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["fine-bert.wav", "good-bert.wav"]


def test_a_folder_goes_on_where_it_stopped(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "in"
    source.mkdir()
    record(source / "a.wav")
    record(source / "b.wav")
    out = tmp_path / "out"
    out.mkdir()
    (out / "a-anna.wav").write_text("made before")
    words = ["convert", "--src", str(source), "--speaker", "anna", "--out", str(out), "--model", model]
    assert main(words) == 0
    assert (out / "a-anna.wav").read_text() == "made before"
    assert (out / "b-anna.wav").is_file()
    assert "1 was there already" in capsys.readouterr().err


def test_two_recordings_of_one_name_are_refused_before_anything_is_written(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record(tmp_path / "a.wav")
    record(tmp_path / "a.flac")
    words = ["convert", "--src", str(tmp_path), "--speaker", "anna", "--out", str(tmp_path / "out"), "--model", model]
    assert main(words) == 2
    assert "written twice" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_data_directory_is_converted_utterance_by_utterance(tmp_path: Path, model: str) -> None:
    recording = str(record(tmp_path / "long.wav", seconds=0.5))
    DataDir(
        [
            Utterance(id="s-1", speaker="s", recording=recording, start=0.0, end=0.1, recording_id="r"),
            Utterance(id="s-2", speaker="s", recording=recording, start=0.2, end=0.4, recording_id="r"),
        ]
    ).write(tmp_path / "data")
    out = tmp_path / "out"
    words = ["convert", "--src", str(tmp_path / "data"), "--speaker", "anna", "--out", str(out), "--model", model]
    assert main(words) == 0
    assert soundfile.info(out / "s-1-anna.wav").frames == 1600
    assert soundfile.info(out / "s-2-anna.wav").frames == 3200


@pytest.mark.parametrize("seconds", [1 / 16_000, 0.001, 0.004])
def test_very_short_recordings_are_converted(tmp_path: Path, model: str, seconds: float) -> None:
    source = record(tmp_path / "a.wav", seconds=seconds)
    assert main(["convert", "--src", str(source), "--speaker", "anna", "--model", model]) == 0


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--speaker", "ana"], "nearest: anna"),
        (["--speaker", "anna", "--model", "/nowhere"], "packaged are default, units"),
        (["--speaker", "anna", "--model", "unit"], "unit: no model of this name"),
        (["--speaker", "anna", "--out", ""], "an empty path"),
        (["--speaker", "anna", "--src", ""], "write . for this folder"),
        (["--speaker", "anna", "--out", "/dev/full"], "/dev/full: "),
        (["--speaker", "anna", "--out", "/dev/null/b.wav"], "/dev/null: is not a folder"),
        (["--speaker", "anna", "--temperature", "-1"], "temperature"),
        (["--speaker", "anna", "--device", "abacus"], "no device"),
    ],
)
def test_faults_of_convert_are_one_line_and_exit_code_2(
    tmp_path: Path, model: str, words: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = record(tmp_path / "a.wav")
    assert main(["convert", "--src", str(source), "--model", model, *words]) == 2
    error = capsys.readouterr().err.strip()
    assert problem in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("content", [b"", b"RIFF", b"\0" * 100])
def test_a_broken_recording_is_named(
    tmp_path: Path, model: str, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert main(["convert", "--src", str(tmp_path / "a.wav"), "--speaker", "anna", "--model", model]) == 2
    assert "a.wav" in capsys.readouterr().err
    assert not (tmp_path / "a-anna.wav").exists()


def test_encode_prints_a_line_without_out(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", str(record(tmp_path / "a.wav")), "--model", model]) == 0
    name, *numbers = capsys.readouterr().out.split()
    assert name == "a"
    assert len(numbers) == 25


def test_decode_says_again_what_encode_wrote(tmp_path: Path, model: str) -> None:
    source = record(tmp_path / "a.wav")
    archive = tmp_path / "codes.txt"
    assert main(["encode", str(source), "--out", str(archive), "--model", model]) == 0
    assert codes.read(archive).info.codebook_size == 128
    out = tmp_path / "out.flac"
    assert main(["decode", str(archive), "--speaker", "anna", "--out", str(out), "--model", model]) == 0
    assert main(["convert", "--src", str(source), "--speaker", "anna", "--model", model]) == 0
    decoded, _ = soundfile.read(out, dtype="int16")
    converted, _ = soundfile.read(tmp_path / "a-anna.wav", dtype="int16")
    np.testing.assert_array_equal(decoded[: len(converted)], converted)


def test_encode_refuses_outputs_that_would_cost_something(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = record(tmp_path / "a.wav")
    before = source.read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    out = str(tmp_path / "c.txt")
    for words, problem in (
        (["--out", str(source)], "one of the recordings"),
        (["--out", out, "--pitch", str(source)], "one of the recordings"),
        (["--out", out, "--pitch", out], "one file"),
        (["--out", str(tmp_path)], "a folder"),
        (["--out", str(pipe)], "a pipe"),
    ):
        assert main(["encode", str(source), "--model", model, *words]) == 2
        assert problem in capsys.readouterr().err
    assert source.read_bytes() == before
    assert pipe.is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "pipe"}


def test_decode_names_what_is_wrong(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.txt").write_text("a 1 2 99999999999999999999999\n")
    words = ["--speaker", "anna", "--out", str(tmp_path / "o"), "--model", model]
    assert main(["decode", str(tmp_path / "c.txt"), "--frame-period", "0.004", *words]) == 2
    assert "'99999999999999999999999' is not a code" in capsys.readouterr().err
    assert main(["decode", str(tmp_path / "nothing.txt"), *words]) == 2
    assert "nothing.txt: no such file" in capsys.readouterr().err


def test_encode_writes_another_systems_format(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(record(tmp_path / "a.wav"))
    for form, name in (("discophon", "u.jsonl"), ("fairseq", "u.km")):
        assert main(["encode", source, "--out", str(tmp_path / name), "--format", form, "--model", model]) == 0
        units = codes.read_units(tmp_path / name)
        assert units.info == codes.read(tmp_path / "u.txt").info
        assert len(units.sequences["a"]) == 25
    capsys.readouterr()
    assert main(["encode", source, "--format", "npy", "--model", model]) == 2
    assert "--format without --out" in capsys.readouterr().err
    assert main(["encode", source, "--format", "npy", "--out", str(tmp_path / "x.txt"), "--model", model]) == 2
    assert "another suffix" in capsys.readouterr().err


def test_encode_with_a_duration_penalty(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(record(tmp_path / "a.wav"))
    changes = []
    for penalty in ("0", "0.5", "1e9"):
        assert main(["encode", source, "--model", model, "--duration-penalty", penalty]) == 0
        row = np.array(capsys.readouterr().out.split()[1:], int)
        changes.append(np.count_nonzero(np.diff(row)))
    assert changes[0] >= changes[1] >= changes[2] == 0
    assert changes[0] > 0
    assert main(["encode", source, "--model", model, "--duration-penalty", "-1"]) == 2


def test_decode_refuses_codes_of_another_model(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "codes.txt"
    info = codes.CodeInfo(128, 0.004, 0.002, "another", "0" * 64)
    codes.write(archive, codes.Codes(info, {"a": np.array([1, 2, 3], np.int32)}))
    words = ["decode", str(archive), "--speaker", "anna", "--out", str(tmp_path / "o.wav"), "--model", model]
    assert main(words) == 2
    assert "another model" in capsys.readouterr().err


def test_encode_goes_on_where_it_was_killed(tmp_path: Path, model: str) -> None:
    for name in ("a", "b"):
        record(tmp_path / f"{name}.wav")
    archive = tmp_path / "codes.txt"
    main(["encode", str(tmp_path), "--out", str(archive), "--model", model])
    whole = archive.read_bytes()
    # As a killed run leaves it: one line, and half of the next.
    archive.rename(tmp_path / "codes.txt.partial")
    (tmp_path / "codes.json").rename(tmp_path / "codes.json.partial")
    (tmp_path / "codes.txt.partial").write_bytes(whole[: len(whole) * 3 // 4])
    assert main(["encode", str(tmp_path), "--out", str(archive), "--model", model]) == 0
    assert archive.read_bytes() == whole


def test_speakers_lists_them_a_line_each(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speakers", "--model", model]) == 0
    assert capsys.readouterr().out == "anna\nbert\n"


@pytest.mark.parametrize("preset", ["tiny", "small", "paper-25hz"])
def test_info_describes_a_preset(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", preset]) == 0
    shown = capsys.readouterr().out
    assert "receptive field" in shown
    if preset == "paper-25hz":
        assert "25 Hz" in shown
        assert "175 bit/s" in shown


def test_info_describes_a_model(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", model]) == 0
    assert "anna, bert" in capsys.readouterr().out


def test_stdin_and_stdout(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    source = record(tmp_path / "a.wav")
    with source.open("rb") as given:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(given))
        assert main(["convert", "--src", "-", "--speaker", "anna", "--out", "-", "--model", model]) == 0
    waveform, rate = soundfile.read(io.BytesIO(capfdbinary.readouterr().out))
    assert (rate, len(waveform)) == (16_000, 1600)


def test_the_post_filter_is_on_unless_told_otherwise(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(record(tmp_path / "a.wav"))

    def converted(*words: str) -> bytes:
        target = tmp_path / "b.wav"
        given = ["--src", source, "--speaker", "anna", "--model", model, "--out", str(target), "--force"]
        assert main(["convert", *given, *words]) == 0
        return target.read_bytes()

    usual = converted()
    assert usual == converted("--post-filter", f"{STRENGTH:g}")
    assert usual != converted("--post-filter", "0")
    capsys.readouterr()
    assert main(["convert", "--src", source, "--speaker", "anna", "--model", model, "--post-filter", "2"]) == 2
    assert "argument --post-filter" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["convert", "--help"])
    assert f"expected of its codes, 0 to 1; default: {STRENGTH:g}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_a_decoder_of_several_bands_converts_and_decodes(engine: str, tmp_path: Path, multiband_model: str) -> None:
    source, options = record(tmp_path / "a.wav", seconds=0.2), ["--model", multiband_model, "--speaker", "anna"]
    assert main(["convert", "--src", str(source), "--engine", engine, *options]) == 0
    converted, rate = soundfile.read(tmp_path / "a-anna.wav")
    assert (len(converted), rate) == (3200, 16_000)
    assert converted.std() > 0
    assert main(["encode", str(source), "--model", multiband_model, "--out", str(tmp_path / "c.txt")]) == 0
    words = ["decode", str(tmp_path / "c.txt"), "--engine", engine, "--out", str(tmp_path / "out")]
    assert main([*words, *options]) == 0
    decoded, _ = soundfile.read(next((tmp_path / "out").glob("*.wav")))
    assert len(decoded) >= 3200
