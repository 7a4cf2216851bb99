"""Write down what the packaged model makes of the quickstart's sample, for tests/test_golden.py.

    .venv/bin/python tools/golden.py

Run it when the packaged model was replaced, or when its codes are meant to change, and look at the difference.
"""

from __future__ import annotations

import json
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
    """Codes of the sample's utterances, and nats per sample of the first seconds of each, by the packaged model."""
    model = vqspeech.load(engine="torch")
    utterances: dict[str, Any] = {}
    for utterance in DataDir.read(SAMPLE):
        path = ROOT / utterance.recording
        waveform = model.read(path if path.is_file() else SAMPLE / Path(utterance.recording).name)
        codes = model.encode_waveform(waveform)
        utterances[utterance.id] = {
            "codes": codes.tolist(),
            "frames": len(codes),
            "nll": round(likelihood(model, waveform, codes, model.speakers[0]), 5),
        }
    return {"checksum": model.checksum, "utterances": utterances}


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
