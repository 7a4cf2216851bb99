"""Write down what the packaged models make of the quickstart's sample, for tests/test_golden.py.

    .venv/bin/python tools/golden.py

Run it when a packaged model was replaced, or when its codes are meant to change, and look at the difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import vqspeech
from vqspeech.datadir import DataDir

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "egs" / "quickstart" / "sample"
GOLDEN = ROOT / "tests" / "golden.json"
#: Codes of each utterance whose likelihood is computed.
FRAMES = 250


def measured() -> dict[str, Any]:
    """Codes of the sample's utterances by the packaged models, and nats per sample of the first seconds of each."""
    model = vqspeech.load(engine="torch")
    utterances: dict[str, Any] = {}
    for name, path in recordings():
        waveform = model.read(path)
        codes = model.encode_waveform(waveform)
        utterances[name] = {
            "codes": codes.tolist(),
            "frames": len(codes),
            "nll": round(likelihood(model, waveform, codes, model.speakers[0]), 5),
        }
    units = vqspeech.load("units", engine="torch")
    unit_codes = {name: units.encode(path).tolist() for name, path in recordings()}
    return {
        "checksum": model.checksum,
        "utterances": utterances,
        "units": {"checksum": units.checksum, "utterances": unit_codes},
    }


def recordings() -> Iterator[tuple[str, Path]]:
    """Ids and files of the sample's utterances."""
    for utterance in DataDir.read(SAMPLE):
        path = ROOT / utterance.recording
        yield utterance.id, path if path.is_file() else SAMPLE / Path(utterance.recording).name


def likelihood(model: vqspeech.Model, waveform: NDArray[np.float32], codes: NDArray[np.int32], speaker: str) -> float:
    """Nats per sample of the beginning of a recording given its codes and a voice, under teacher forcing."""
    network = model.network
    frames = min(FRAMES, len(codes))
    length = frames * network.config.code_hop
    targets = np.zeros((1, length + 1), np.float32)
    targets[0, 1 : 1 + min(length, len(waveform))] = waveform[:length]
    with torch.no_grad():
        vectors = network.quantizer.lookup(torch.from_numpy(codes[None, :frames].astype(np.int64)))
        voice = network.voice({model.speakers.index(speaker): 1.0})
        conditioning = voice.conditioning(voice.frames(vectors))
        return float(network.conditioned_nll(torch.from_numpy(targets), conditioning).mean())


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(measured()) + "\n", encoding="utf-8")
    print(GOLDEN)
