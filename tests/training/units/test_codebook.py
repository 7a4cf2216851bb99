"""``vqspeech.training.units.codebook``: principal components, then k-means of what the model really gives."""

from __future__ import annotations

import numpy as np
import torch
from small_units import make_pack, small_preset

from vqspeech.model.vqvae import VQVAE
from vqspeech.training.units.codebook import place_codebook

PACK = make_pack({"ann": [2.0, 2.0], "bob": [2.0]})


def placed() -> VQVAE:
    torch.manual_seed(0)
    model = VQVAE(small_preset().model, ()).eval()
    place_codebook(model, PACK, vectors=200, seed=1)
    return model


def test_vectors_are_principal_components_and_codes_are_in_use() -> None:
    model = placed()
    found, codes = [], []
    for start, end in zip([0, *PACK.ends[:-1]], PACK.ends, strict=True):
        waveform = torch.from_numpy(PACK.samples[start : end - (end - start) % 320].astype(np.float32) / 32767)[None]
        with torch.no_grad():
            quantized = model.quantize(waveform)
            found.append(model.encoder(model.companding.preemphasise(waveform))[0].t())
        codes.append(quantized.codes[0])
    vectors = torch.cat(found)
    assert len(torch.cat(codes).unique()) == 6
    covariance = torch.cov(vectors.t())
    spread = covariance.diag()
    assert abs(spread[0].item() - 1) < 0.1
    assert (spread[:-1] >= spread[1:] - 0.02).all()
    assert (covariance - torch.diag(spread)).abs().max() < 0.1


def test_the_same_seed_places_the_same_codebook() -> None:
    first, again = placed(), placed()
    assert first.quantizer.codebook.equal(again.quantizer.codebook)
    assert bool(first.quantizer.started)


def told_while_placing(vectors: int) -> list[tuple[int, int]]:
    model = VQVAE(small_preset().model, ()).eval()
    told: list[tuple[int, int]] = []
    place_codebook(model, PACK, vectors=vectors, seed=1, progress=lambda done, total: told.append((done, total)))
    return told


def test_progress_tells_the_vectors_gathered() -> None:
    told = told_while_placing(200)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) > 1
    assert told[-1] == (200, 200)


def test_progress_comes_to_its_end_where_the_speech_is_too_short() -> None:
    done, total = told_while_placing(100_000)[-1]
    assert 200 < done == total < 100_000
