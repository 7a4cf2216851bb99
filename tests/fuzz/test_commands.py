"""Commands given damaged files: a status, one line for each fault, and nothing that was there before is lost."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzz_limits import CASES, SEED, Hang, limited
from fuzz_mutation import mutants
from small_models import make_model

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.model.checkpoint import save_model

#: A command costs more than a reader.
RUNS = max(4, CASES // 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model of three voices."""
    folder = tmp_path_factory.mktemp("model")
    save_model(make_model(), folder)
    return str(folder)


def contents(folder: Path) -> dict[Path, str]:
    return {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.rglob("*") if file.is_file()}


def status_of(words: list[str], case: object) -> int:
    """The exit status of a command, which must end by itself."""
    try:
        with limited():
            return main(words)
    except (Exception, Hang, SystemExit) as error:
        raise AssertionError(f"{type(error).__name__} ({str(error)[:200]}) in {case}") from error


def damaged_alike(
    file: Path,
    words: list[str],
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run a command over damage to ``file``; all outside of ``out`` stays as it is."""
    content = file.read_bytes()
    assert status_of(words, "sound") == 0, capsys.readouterr().err
    for number, mutant in enumerate(mutants(content, seed=SEED, count=RUNS)):
        file.write_bytes(mutant)
        capsys.readouterr()
        case = f"{words[0]}, {file.name}, seed {SEED}, case {number}"
        before = {
            path: digest for path, digest in contents(out.parent).items() if out not in path.parents and path != out
        }
        status = status_of(words, case)
        assert status in (0, 1, 2), case
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err, case
        # Both list what is wrong with a data directory as their result.
        told = shown.out + shown.err if words[0] in ("validate", "fix") else shown.err
        assert status == 0 or told.strip(), case
        after = contents(out.parent)
        assert before == {path: after.get(path) for path in before}, case
        strangers = {path for path in after if path not in before and out not in path.parents and path.stem != out.stem}
        assert not strangers, (case, strangers)


def corpus(folder: Path) -> Path:
    """A data directory of three short recordings, with phones."""
    sounds = folder / "sounds"
    sounds.mkdir(parents=True)
    parts = []
    for number in range(3):
        file = sounds / f"s{number % 2}-{number}.wav"
        soundfile.write(file, 0.1 * np.random.default_rng(number).standard_normal(1600), 16_000)
        parts.append(Utterance(file.stem, f"s{number % 2}", str(file), text="ah", duration=0.1))
    DataDir(parts).write(folder / "data")
    lines = [f"{u.id} 1 {0.05 * n:.2f} 0.05 {'ah' if n else 't'}\n" for u in DataDir(parts) for n in range(2)]
    (folder / "data" / "phones.ctm").write_text("".join(lines))
    return folder / "data"


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "text"])
@pytest.mark.parametrize("command", ["validate", "encode", "pack", "fix"])
def test_data_directories(
    tmp_path: Path, model: str, name: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = corpus(tmp_path / "in")
    out = tmp_path / "in" / "out"
    words = {
        "validate": [str(data)],
        "encode": [str(data), "--model", model, "--out", str(out / "codes.txt")],
        "pack": [str(data), str(out / "p.pack"), "--jobs", "1"],
        "fix": [str(data)],
    }[command]
    damaged_alike(data / name, [command, *words], data if command == "fix" else out, capsys)


@pytest.mark.parametrize("name", ["codes.txt", "codes.json"])
def test_decode(tmp_path: Path, model: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "in"
    place.mkdir()
    codes.write(place / "codes.txt", codes.Codes(codes.CodeInfo(8, 0.002, 0.001), {"u-1": [1, 2], "u-2": [3]}))
    words = ["decode", str(place / "codes.txt"), "--speaker", "ann", "--model", model, "--engine", "torch", "--force"]
    damaged_alike(place / name, [*words, "--out", str(place / "out")], place / "out", capsys)


def test_convert(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "in"
    place.mkdir()
    for name in ("a", "b"):
        soundfile.write(place / f"{name}.flac", np.zeros(160), 16_000)
    words = ["convert", "--src", str(place), "--speaker", "bob", "--model", model, "--engine", "torch", "--force"]
    damaged_alike(place / "b.flac", [*words, "--out", str(place / "out")], place / "out", capsys)


@pytest.mark.parametrize("measure", ["phonemes", "segmentation", "abx"])
@pytest.mark.parametrize("name", ["phones.ctm", "codes.txt"])
def test_evaluate(tmp_path: Path, measure: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    data = corpus(tmp_path / "in")
    rng = np.random.default_rng(0)
    made = {f"s{n % 2}-{n}": rng.integers(0, 8, 10).astype(np.int32) for n in range(3)}
    codes.write(data / "codes.txt", codes.Codes(codes.CodeInfo(8, 0.01, 0.005), made))
    words = ["evaluate", measure, "--codes", str(data / "codes.txt"), "--phones", str(data / "phones.ctm")]
    out = data / "out"
    damaged_alike(data / name, [*words, "--out", str(out)], out, capsys)
