"""``vqspeech.training.speaker_stats``: a voice's habits are those of its codes in the speech that was packed."""

from __future__ import annotations

import numpy as np
import torch
from small_training import RATE, make_pack, make_preset

from vqspeech.model.vqvae import VQVAE
from vqspeech.training.speaker_stats import measure_voices


def make_model() -> VQVAE:
    torch.manual_seed(0)
    model = VQVAE(make_preset().model, ("ann", "bob", "cyd")).eval()
    model.quantizer.start(torch.randn(200, 4))
    return model


def test_habits_are_those_of_the_codes_of_a_speaker_s_packed_speech() -> None:
    model, pack = make_model(), make_pack({"ann": [3 * RATE], "bob": [64, 64, 1000], "cyd": [2 * RATE]})
    measure_voices(model, pack)
    for speaker in range(3):
        first, end = pack.speaker_range(speaker)
        samples = np.pad(pack.samples[first:end], (0, -(end - first) % model.config.code_hop)).astype(np.float32)
        codes = model.quantize(torch.from_numpy(samples)[None] / 32767).codes[0]
        counts = torch.bincount(codes, minlength=8) + 1.0
        torch.testing.assert_close(model.matching.habits({speaker: 1.0}).shares, counts / counts.sum())


def test_of_a_long_speaker_pieces_from_begin_to_end_are_heard() -> None:
    model, pack = make_model(), make_pack({"ann": [200 * RATE], "bob": [900], "cyd": [900]})
    measure_voices(model, pack)
    before = model.matching.means[0].clone()
    for part in (slice(0, 4 * RATE), slice(196 * RATE, 200 * RATE)):
        changed = make_pack({"ann": [200 * RATE], "bob": [900], "cyd": [900]})
        changed.samples[part] = 0
        measure_voices(model, changed)
        assert not torch.equal(model.matching.means[0], before)


def test_a_speaker_of_less_than_a_code_has_habits_too() -> None:
    model = make_model()
    measure_voices(model, make_pack({"ann": [5], "bob": [900], "cyd": [64]}))
    assert model.matching.known(range(3))
    assert model.matching.means.isfinite().all()
