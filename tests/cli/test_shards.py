"""Work shared among jobs: whatever --nj is, the joined result is the same to the byte as one job's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance
from vqspeech.evaluation import metrics
from vqspeech.evaluation.metrics.asr import WordErrors
from vqspeech.evaluation.metrics.cache import cached
from vqspeech.evaluation.metrics.f0 import Contour

SAMPLE = Path(__file__).parents[2] / "egs/quickstart/sample"
Waveform = NDArray[np.float32]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five utterances of three speakers, of different lengths."""
    generator = np.random.default_rng(0)
    utterances = []
    for number, speaker in enumerate(("anna", "anna", "bert", "bert", "carl")):
        path = tmp_path / f"{number}.flac"
        length = 1600 + 700 * number
        soundfile.write(path, 0.1 * generator.standard_normal(length), 16_000)
        utterances.append(
            Utterance(
                f"{speaker}-{number}", speaker, str(path), text=f"word {number}", gender="f", duration=length / 16e3
            )
        )
    DataDir(utterances).write(tmp_path / "data")
    return tmp_path / "data"


def by_jobs(number: int, data: Path, tmp_path: Path, job: Callable[[Path], None]) -> Path:
    """Run a job for each of ``number`` pieces; the folder of the pieces."""
    split = tmp_path / f"split{number}"
    assert main(["split", str(data), str(split), "--into", str(number)]) == 0
    for shard in range(1, number + 1):
        job(split / str(shard))
    return split


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_encoding(data: Path, model: str, tmp_path: Path) -> None:
    def encode(shard: Path) -> None:
        assert main(["encode", str(shard), "--model", model, "--out", str(shard / "codes.txt")]) == 0

    for number in (1, 2, 5):
        split = by_jobs(number, data, tmp_path, encode)
        assert main(["join", str(split), str(tmp_path / f"out{number}"), "codes.txt"]) == 0
    assert contents(tmp_path / "out1").keys() == {"codes.txt", "codes.json"}
    assert contents(tmp_path / "out2") == contents(tmp_path / "out1")
    assert contents(tmp_path / "out5") == contents(tmp_path / "out1")


def test_conversion(data: Path, model: str, tmp_path: Path) -> None:
    for number in (1, 3):
        out = tmp_path / f"out{number}"

        def convert(shard: Path, out: Path = out) -> None:
            assert main(["convert", "--src", str(shard), "--model", model, "--speaker", "bert", "--out", str(out)]) == 0

        by_jobs(number, data, tmp_path, convert)
    assert len(contents(tmp_path / "out1")) == 5
    assert contents(tmp_path / "out3") == contents(tmp_path / "out1")


def test_alignment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    texts = {u.id: u.text for u in DataDir.read(SAMPLE)}
    # The pieces differ in what was heard before an utterance, and nothing of one of them can be aligned.
    chosen = {"rms-001": texts["rms-001"], "rms-002": "...", "slt-001": texts["slt-001"]}
    DataDir(Utterance(one, one[:3], str(SAMPLE / f"{one}.flac"), text=text) for one, text in chosen.items()).write(data)

    def align(shard: Path) -> None:
        assert main(["align", str(shard), "--shard", "--jobs", "1"]) == 0

    for number in (1, 3):
        split = by_jobs(number, data, tmp_path, align)
        words = ["join", str(split), str(tmp_path / f"out{number}"), "phones.ctm", "words.ctm"]
        assert main([*words, "--optional", "align.failed"]) == 0
    assert contents(tmp_path / "out1").keys() == {"phones.ctm", "words.ctm", "align.failed"}
    assert contents(tmp_path / "out3") == contents(tmp_path / "out1")


class FakeMetrics:
    """Metrics that depend on the waveform alone, and that count their calls."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.name = "fake"

    def embed(self, waveform: Waveform) -> Waveform:
        self.asked.append("voice")
        spectrum = np.abs(np.fft.rfft(waveform, 64)).astype(np.float32)
        return spectrum / np.linalg.norm(spectrum)

    def transcribe(self, waveform: Waveform) -> str:
        self.asked.append("words")
        return f"word {int(1e6 * abs(float(waveform[0]))) % 7}"

    def errors(self, said: str, heard: str) -> WordErrors | None:
        return WordErrors(int(said != heard), 2)

    def score(self, waveform: Waveform) -> float:
        self.asked.append("quality")
        return 1 + float(np.abs(waveform).mean())

    def pitch(self, waveform: Waveform) -> Contour:
        self.asked.append("pitch")
        hertz = 100 + 50 * np.abs(waveform[::160].astype(np.float64))
        return Contour(hertz, np.arange(len(hertz)) / 100)

    def cepstra(self, first: Waveform, second: Waveform) -> float:
        self.asked.append("cepstra")
        return float(np.abs(first).sum() / np.abs(second).sum())

    def metrics(self, *_: Any, **__: Any) -> metrics.MetricSet:
        return metrics.MetricSet(similarity=self, words=self, quality=self, pitch=self.pitch, cepstra=self.cepstra)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> FakeMetrics:
    fakes = FakeMetrics()
    monkeypatch.setattr(metrics, "load", fakes.metrics)
    return fakes


def test_conversion_report(data: Path, model: str, tmp_path: Path, fakes: FakeMetrics) -> None:
    words = ["evaluate", "conversion", "--data", str(data), "--model", model, "--pairs", "4"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    once = len(fakes.asked)
    shared = [*words, "--out", str(tmp_path / "many")]
    for number in (2, 1):
        assert main([*shared, "--shard", f"{number}/2"]) == 0
        assert not (tmp_path / "many" / "RESULTS.json").exists()
    fakes.asked.clear()
    assert main(shared) == 0
    # What is left to do alone is next to nothing: real recordings that stand beside other pairs.
    assert len(fakes.asked) < once / 3
    whole, joined = contents(tmp_path / "one"), contents(tmp_path / "many")
    for name in (name for name in whole if not name.startswith("scores/")):
        assert joined[name] == whole[name], name


def test_more_shares_than_pairs(data: Path, model: str, tmp_path: Path, fakes: FakeMetrics) -> None:
    words = [
        "evaluate",
        "conversion",
        "--data",
        str(data),
        "--model",
        model,
        "--pairs",
        "2",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*words, "--shard", "3/3"]) == 0
    assert fakes.asked == []


@pytest.mark.parametrize("share", ["0/3", "4/3", "a/b", "2"])
def test_shares_that_make_no_sense(share: str, data: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "conversion", "--data", str(data), "--model", model, "--shard", share]) == 2
    assert "is not K/N" in capsys.readouterr().err


def test_cached_metrics_are_computed_once(tmp_path: Path, fakes: FakeMetrics) -> None:
    waveform = np.sin(np.arange(800, dtype=np.float32))
    other = (0.5 * waveform).astype(np.float32)

    def hear(job: str) -> list[Any]:
        asked = cached(fakes.metrics(), tmp_path, job=job, setting="en")
        assert asked.similarity
        assert asked.words
        assert asked.quality
        assert asked.pitch
        assert asked.cepstra
        contour = asked.pitch(waveform)
        return [
            asked.similarity.embed(waveform).tolist(),
            asked.words.transcribe(waveform),
            asked.quality.score(waveform),
            contour.hertz.tolist(),
            contour.times.tolist(),
            asked.cepstra(waveform, other),
            asked.similarity.name,
        ]

    first = hear("1")
    assert len(fakes.asked) == 5
    assert hear("2") == first
    assert len(fakes.asked) == 5
    # Another setting may hear other words; a line that was cut short is heard again.
    asked = cached(fakes.metrics(), tmp_path, job="3", setting="fr")
    assert asked.words
    asked.words.transcribe(waveform)
    assert fakes.asked[5:] == ["words"]
    (file,) = (path for path in tmp_path.glob("1.jsonl"))
    file.write_bytes(file.read_bytes()[:-9])
    assert hear("1") == first
    assert fakes.asked[6:] == ["cepstra"]
    assert hear("1") == first
    assert len(fakes.asked) == 7


def test_phoneme_report(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    info = codes.CodeInfo(16, 0.02, 0.01)
    data = DataDir.read(SAMPLE)
    lengths = {u.id: int(soundfile.info(SAMPLE / f"{u.id}.flac").duration / 0.02) for u in data}
    parts = {"test": sorted(lengths)[:2], "train": sorted(lengths)[2:]}
    for part, names in parts.items():
        rows = {name: generator.integers(0, 16, lengths[name]) for name in names}
        codes.write(tmp_path / f"{part}.txt", codes.Codes(info, rows))
    words = [
        "evaluate",
        "phonemes",
        "--codes",
        str(tmp_path / "test.txt"),
        "--train-codes",
        str(tmp_path / "train.txt"),
    ]
    words += ["--phones", str(SAMPLE / "phones.ctm"), "--data", str(SAMPLE)]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    shared = [*words, "--mfccs", str(tmp_path / "mfccs"), "--out", str(tmp_path / "many")]
    for number in (3, 1):
        assert main([*shared, "--shard", f"{number}/3"]) == 0
        assert main([*shared, "--shard", f"{number}/3"]) == 0
    assert not (tmp_path / "many").exists()
    # One job did not come to its end: the report computes what is missing.
    assert len(list((tmp_path / "mfccs").glob("*.npy"))) == 2
    assert main(shared) == 0
    assert contents(tmp_path / "one").keys() == {"RESULTS.json", "report.html"}
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


def test_shares_of_mfccs_need_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "phonemes", "--codes", "a", "--phones", "b", "--data", "c", "--shard", "1/2"]) == 2
    assert "--shard needs --mfccs" in capsys.readouterr().err
