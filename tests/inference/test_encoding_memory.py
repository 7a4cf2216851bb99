"""Memory of encoding a long recording: some copies of its waveform, and a block of activations, not all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RATE, MINUTES, BLOCK_SECONDS = 16000, 4, 5
#: Copies of the waveform in float32 that are in memory at once: read and joined, filled up, pre-emphasised.
COPIES = 5
#: Float32 values per sample of what else is kept of the whole recording: 20 mel bands per 32 samples as blocks, joined
#: and normalised, and vectors of 32 values per 64 samples as blocks and joined.
FEATURES = 3 * 20 / 32 + 2 * 32 / 64
#: What a block's activations need, many times over: 48 channels of 4 kHz in float32, for the block with its context,
#: in each of a dozen tensors; and what the allocator keeps.
BLOCK_BYTES = 12 * 48 * 4000 * 4 * (BLOCK_SECONDS + 1) + (16 << 20)
SCRIPT = """
import re, sys
from pathlib import Path
import torch
from vqspeech import api
from vqspeech.inference import waveform_encoder
from vqspeech.model.checkpoint import save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import read_preset

def kilobytes(key):
    return int(re.search(key + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
folder, recording, block, *changes = sys.argv[1:]
network = VQVAE(read_preset("tiny", changes).model, ("a", "b"))
network.quantizer.start(torch.randn(2000, 32))
save_model(network, folder)
model = api.load(folder)
model.encode_waveform(torch.randn(RATE).numpy())  # what the first call loads and keeps
waveform_encoder._BLOCK_SECONDS = int(block)
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
before = kilobytes("VmRSS")
codes = model.encode(recording)
print(len(codes), 1024 * (kilobytes("VmHWM") - before))
""".replace("RATE", str(RATE))


LOG_MEL = [
    "model.encoder.front_end=log-mel",
    "model.encoder.strides=[2]",
    "model.encoder.mel_hop=32",
    "model.encoder.mel_bands=20",
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise of ``MINUTES`` minutes."""
    import numpy as np
    import soundfile

    path = tmp_path_factory.mktemp("long") / "long.flac"
    noise = (1000 * np.random.default_rng(0).standard_normal(60 * RATE)).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(MINUTES):
            file.write(noise)
    return path


def peak(recording: Path, folder: Path, block: int, *changes: str) -> tuple[int, int]:
    """Codes, and bytes that encoding added at its peak."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(recording), str(block), *changes]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    codes, added = map(int, done.stdout.split())
    return codes, added


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize(("changes", "hop"), [([], 64), (LOG_MEL, 64)], ids=["waveform", "log-mel"])
def test_a_long_recording_costs_copies_of_itself_and_a_block(
    recording: Path, tmp_path: Path, changes: list[str], hop: int
) -> None:
    samples = MINUTES * 60 * RATE
    codes, added = peak(recording, tmp_path / "model", BLOCK_SECONDS, *changes)
    assert codes == samples // hop
    # All activations at once would take 660 MB and more.
    assert added < 4 * (COPIES + FEATURES) * samples + BLOCK_BYTES
