"""Damaged reports in the folder of an experiment: a page, or one line that names the file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from fuzz_limits import CASES, SEED, survives
from fuzz_mutation import mutants

from vqspeech.cli.results import run

#: Reports of each kind, as small as they get.
REPORTS = {
    "phonemes/RESULTS.json": {
        "about": {"notes": ["a note"], "title": "t", "utterances": 3, "frame_period": 0.01, "codebook_size": 8},
        "frames": 30, "accuracy": 0.5, "accuracy_same_part": 0.6, "pnmi": 0.4, "bitrate": 100.0,
        "paper": {"accuracy_same_part": 0.494, "most_likely_phone": 0.15}, "intervals": {"accuracy": [0.4, 0.6]},
        "baselines": {"most_likely_phone": {"accuracy_same_part": 0.1}}, "toplines": {},
    },
    "conversion/RESULTS.json": {
        "about": {"measure": "conversion", "pairs": 3}, "metrics": {"similarity": "x"},
        "mean": {"similarity_target": 0.8, "wer": 0.2}, "intervals": {"wer": [0.1, 0.3]},
        "baselines": {"source": {"wer": 0.1}}, "groups": {"same gender": {"wer": 0.2}},
    },
    "prior/RESULTS.json": {
        "about": {"compared_codes": 100}, "held_out": {"codes": 300, "seconds": 3.0}, "bits_per_code": 5.0,
        "codebook_bits": 9.0, "unigram_bits_per_code": 8.0, "intervals": {"prior": [4.0, 6.0]},
        "systems": {"samples": {"nearest": {"a": {"nearest": 0.3}}, "copied": 4.0}},
    },
    "other/RESULTS.json": {"figures": {"a": 1.5, "b": {"c": 2}}},
    "segmentation.json": {
        "codes": {"precision": 0.5, "recall": 0.4, "f1": 0.45, "intervals": {"f1": [0.4, 0.5]}}, "tolerance": 0.02,
        "baselines": {"x": {"precision": 0.1}},
    },
    "abx.json": {
        "within": {"error": 0.2, "interval": [0.1, 0.3], "triples": 9, "speakers": 2},
        "representations": {"mfcc": {"within": {"error": 0.1, "interval": None}}},
    },
    "speakers.json": {"accuracy": 0.3, "interval": [0.2, 0.4], "chance": 0.1, "utterances": 9, "speakers": 3},
    "robustness.json": {"distortions": {"noise": {"ued": 0.3, "interval": [0.2, 0.4], "frames_kept": 0.6}}},
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_reports(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    content = json.dumps(REPORTS[name]).encode()
    options = argparse.Namespace(experiment=tmp_path, out=None, title=None)
    for number, mutant in enumerate([content, *mutants(content, seed=SEED, count=CASES)]):
        path.write_bytes(mutant)
        survives(lambda: run(options), f"{name}, seed {SEED}, case {number}")


@pytest.mark.parametrize(("name", "content"), [
    ("config.yaml", b"training:\n  steps: 3\nmodel:\n  quantizer:\n    codes: 512\n"),
    ("train.log", b"step 10  held out: nll 5.6  code gap 0.1  perplexity 94.9  used 113\n"),
    ("scores.txt", b"a 1.5 10\nb 2.5 20\n"),
])  # fmt: skip
def test_logs(tmp_path: Path, name: str, content: bytes) -> None:
    options = argparse.Namespace(experiment=tmp_path, out=None, title=None)
    (tmp_path / "speakers.json").write_text('{"accuracy": 0.3, "chance": 0.1}')
    for number, mutant in enumerate([content, *mutants(content, seed=SEED, count=CASES)]):
        (tmp_path / name).write_bytes(mutant)
        survives(lambda: run(options), f"{name}, seed {SEED}, case {number}")
