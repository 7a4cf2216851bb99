"""`vqspeech evaluate robustness`: a data directory and a model in, a table and robustness.json out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech.cli.main import main
from vqspeech.datadir import DataDir, Utterance


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """Three recordings of two speakers."""
    utterances = []
    for number, speaker in enumerate(("a", "b", "b")):
        file = tmp_path / f"{speaker}-{number}.wav"
        time = np.arange(9600) / 16_000
        buzz = np.sign(np.sin(2 * np.pi * (100 + 30 * number) * time)) * (1 + np.sin(2 * np.pi * 3 * time))
        soundfile.write(file, 0.1 * buzz, 16_000)
        utterances.append(Utterance(id=file.stem, speaker=speaker, recording=str(file)))
    DataDir(utterances).write(tmp_path / "data")
    return tmp_path / "data"


def test_a_table_and_a_file(tmp_path: Path, model: str, recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "robustness", "--data", str(recordings), "--model", model]
    assert main([*words, "--out", str(tmp_path / "report")]) == 0
    out = capsys.readouterr().out
    for row in ("white noise at 10 dB", "speed 1.1", "MP3 and back", "another recording", "3 recordings of 2 speakers"):
        assert row in out
    found = json.loads((tmp_path / "report" / "robustness.json").read_text())
    assert found["about"]["codebook_size"] == 128
    assert len(found["distortions"]) == 10
    # A model brings recordings to its level itself.
    assert found["distortions"]["level"]["frames_kept"] > 0.9
    assert found["distortions"]["speed_0.9"]["frames_kept"] is None
    for figures in found["distortions"].values():
        assert figures["recordings"] == 3
        assert figures["ued"] >= 0


def test_mfcc_kmeans_beside_it(
    tmp_path: Path, model: str, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "robustness", "--data", str(recordings), "--model", model, "--kmeans"]
    assert main([*words, "--out", str(tmp_path / "report")]) == 0
    assert "MFCC k-means" in capsys.readouterr().out
    found = json.loads((tmp_path / "report" / "robustness.json").read_text())
    beside = found["baselines"]["mfcc_kmeans"]["distortions"]
    assert beside.keys() == found["distortions"].keys()
    # Every cluster has a frame or so of these short recordings, and the first cepstrum is not normalised by level.
    assert beside["noise_10_db"]["frames_kept"] < 0.9
    assert beside["another_recording"]["ued"] > 0
    assert main(["results", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "RESULTS.md").read_text()
    assert "## Robustness" in page
    assert f"{100 * beside['noise_10_db']['ued']:.1f}" in page


def test_no_such_data(tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "robustness", "--data", str(tmp_path / "nowhere"), "--model", model]) == 2
    assert capsys.readouterr().err.count("\n") == 1
