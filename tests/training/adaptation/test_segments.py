"""Segments of recordings: which, and how likely in a voice."""

from __future__ import annotations

import pytest
import torch
from small_adaptation import make_fit

from vqspeech.errors import InputError
from vqspeech.model.vqvae import VQVAE


def test_the_speech_to_learn_from_and_the_held_out_speech_share_no_sample(network: VQVAE) -> None:
    fit = make_fit(network)
    learnt_to = fit.speech.train.stop - 1 + fit.speech.crop + fit.speech.context
    held_out_from = fit.speech.dev.start - fit.speech.context
    assert learnt_to <= held_out_from
    assert fit.speech.dev.stop - 1 + fit.speech.crop + fit.speech.context <= len(fit.speech.codes)


def test_nats_are_those_of_the_whole_model(network: VQVAE) -> None:
    fit = make_fit(network)
    start, hop = 40, 16
    speaker = network.voice({1: 1.0})
    with torch.no_grad():
        frames = network.frames(network.quantizer.lookup(fit.speech.codes[None]), torch.tensor([1]))
        per_code = network.conditioner.frames_per_code
        crop = frames[:, start * per_code : (start + fit.speech.crop) * per_code]
        targets = fit.speech.samples[None, start * hop : (start + fit.speech.crop) * hop + 1]
        whole = network.nll(targets, crop, (0, crop.shape[1]))[:, fit.speech.skip :]
        torch.testing.assert_close(fit.speech.nll(speaker, [start], fit.speech.frames(speaker, [start])), whole)


def test_too_little_speech_is_refused(network: VQVAE) -> None:
    with pytest.raises(InputError, match=r"2\.0 s of speech.*at the very least"):
        make_fit(network, seconds=2)
