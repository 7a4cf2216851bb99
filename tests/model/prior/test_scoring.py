"""``vqspeech.model.prior.scoring``: bits as the definition has them, whatever the lengths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from small_priors import CODES, NETWORKS, make_prior

from vqspeech.model.prior import scoring
from vqspeech.model.prior.scoring import code_bits


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_bits_are_minus_log2_of_each_code_given_all_before(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK", 4)
    monkeypatch.setattr(scoring, "_BATCH", 2)
    prior = make_prior(kind)
    rng = np.random.default_rng(0)
    sequences = [rng.integers(CODES, size=length).astype(np.int32) for length in (5, 0, 11, 1, 4)]
    speakers = [0, 1, 2, 1, 0]
    bits = code_bits(prior, sequences, speakers)
    for sequence, who, found in zip(sequences, speakers, bits, strict=True):
        assert found.shape == sequence.shape
        for place, code in enumerate(sequence):
            before = torch.tensor([[prior.start, *sequence[:place].tolist()]])
            with torch.no_grad():
                shares = prior(before, torch.tensor([who]))[0, -1].double().softmax(0)
            assert found[place] == pytest.approx(-np.log2(shares[int(code)].item()), rel=1e-4)


def test_nothing_scores_nothing() -> None:
    assert code_bits(make_prior(), [], []) == []
