"""``vqspeech.training.speaker_stats``: statistics per speaker, computed from packed speech."""

from __future__ import annotations

import numpy as np
import torch
from small_training import RATE, make_pack, make_preset

from vqspeech.model.vqvae import VQVAE
from vqspeech.training.speaker_stats import compute_speaker_stats


def make_model() -> VQVAE:
    torch.manual_seed(0)
    model = VQVAE(make_preset().model, ("ann", "bob", "cyd")).eval()
    model.quantizer.start(torch.randn(200, 4))
    return model


def test_statistics_are_those_of_the_codes_of_a_speaker_s_packed_speech() -> None:
    model, pack = make_model(), make_pack({"ann": [3 * RATE], "bob": [64, 64, 1000], "cyd": [2 * RATE]})
    compute_speaker_stats(model, pack)
    for speaker in range(3):
        first, end = pack.speaker_range(speaker)
        samples = np.pad(pack.samples[first:end], (0, -(end - first) % model.config.code_hop)).astype(np.float32)
        codes = model.quantize(torch.from_numpy(samples)[None] / 32767).codes[0]
        counts = torch.bincount(codes, minlength=8) + 1.0
        torch.testing.assert_close(model.speaker_stats.blended({speaker: 1.0}).unigram, counts / counts.sum())


def test_silence_of_the_training_speech_moves_no_mean() -> None:
    """Sources are compared over speech alone, so targets are, too."""
    model, pack = make_model(), make_pack({"ann": [8 * RATE], "bob": [900], "cyd": [900]})
    compute_speaker_stats(model, pack)
    means = model.speaker_stats.means.clone()
    silent = make_pack({"ann": [8 * RATE], "bob": [900], "cyd": [900]})
    silent.samples[4 * RATE : 8 * RATE] = 0
    silence = model.encoder(torch.zeros(1, RATE))[0].t().mean(0)
    compute_speaker_stats(model, silent)
    speech = model.speaker_stats.means[0]
    assert (speech - means[0]).norm() < 0.1 * (silence - means[0]).norm()


def test_of_a_long_speaker_parts_from_begin_to_end_count() -> None:
    model, pack = make_model(), make_pack({"ann": [200 * RATE], "bob": [900], "cyd": [900]})
    compute_speaker_stats(model, pack)
    before = model.speaker_stats.means[0].clone()
    for part in (slice(0, 4 * RATE), slice(196 * RATE, 200 * RATE)):
        changed = make_pack({"ann": [200 * RATE], "bob": [900], "cyd": [900]})
        changed.samples[part] = 0
        compute_speaker_stats(model, changed)
        assert not torch.equal(model.speaker_stats.means[0], before)


def test_a_speaker_of_less_than_a_code_has_statistics_too() -> None:
    model = make_model()
    compute_speaker_stats(model, make_pack({"ann": [5], "bob": [900], "cyd": [64]}))
    assert model.speaker_stats.computed(range(3))
    assert model.speaker_stats.means.isfinite().all()
