"""``vqspeech.model.prior``: of either kind it looks at the past alone, and remembers it exactly."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_priors import CODES, NETWORKS, make_prior
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.model.prior import Prior
from vqspeech.model.prior.config import PriorConfig, TransformerConfig

kinds = pytest.mark.parametrize("kind", sorted(NETWORKS))


def some_codes(time: int = 30, seed: int = 0) -> Tensor:
    return torch.randint(CODES, (2, time), generator=torch.Generator().manual_seed(seed))


def logits_of(prior: Prior, codes: Tensor) -> Tensor:
    with torch.no_grad():
        return prior(prior.previous(codes), torch.tensor([0, 1]))


@kinds
def test_integers_in_logits_out(kind: str) -> None:
    assert logits_of(make_prior(kind), some_codes(9)).shape == (2, 9, CODES)


@kinds
def test_before_training_all_codes_are_alike(kind: str) -> None:
    prior = Prior(PriorConfig(codes=CODES, made_by=None, bigrams=True, network=NETWORKS[kind]), ("ann", "bob"))
    assert torch.equal(logits_of(prior, some_codes()), torch.zeros(2, 30, CODES))


def test_a_sequence_is_told_to_begin() -> None:
    prior = make_prior()
    assert prior.previous(torch.tensor([[3, 1, 2]])).tolist() == [[CODES, 3, 1]]
    beginning = prior(torch.tensor([[CODES]]), torch.tensor([0]))
    for code in range(CODES):
        assert not torch.allclose(beginning, prior(torch.tensor([[code]]), torch.tensor([0])))


@kinds
@pytest.mark.parametrize("changed", [0, 7, 28])
def test_a_code_changes_no_prediction_of_itself_or_earlier_ones(kind: str, changed: int) -> None:
    prior, codes = make_prior(kind), some_codes()
    other = codes.clone()
    other[:, changed] = (other[:, changed] + 1) % CODES
    before, after = logits_of(prior, codes), logits_of(prior, other)
    torch.testing.assert_close(before[:, : changed + 1], after[:, : changed + 1])
    assert not torch.allclose(before[:, changed + 1], after[:, changed + 1])


@kinds
def test_nothing_further_away_than_its_memory_is_felt(kind: str) -> None:
    prior, codes = make_prior(kind), some_codes(40)
    memory = prior.config.network.memory
    other = codes.clone()
    other[:, 2] = (other[:, 2] + 1) % CODES
    before, after = logits_of(prior, codes), logits_of(prior, other)
    felt = (before - after).abs().amax((0, 2)) > 1e-6
    # Code 2 is input at place 3; the last prediction to feel it is that of place 2 + memory.
    assert felt[3]
    assert felt[2 + memory]
    assert not felt[3 + memory :].any()


@kinds
@given(cuts=st.lists(st.integers(1, 12), min_size=1, max_size=30))
def test_piece_by_piece_it_says_what_it_says_at_once(kind: str, cuts: list[int]) -> None:
    prior, codes = make_prior(kind), some_codes(40)
    previous, who = prior.previous(codes), torch.tensor([0, 1])
    cache, pieces, first = prior.cache(), [], 0
    with torch.no_grad():
        while first < 40:
            step = cuts.pop(0) if cuts else 1
            pieces.append(prior(previous[:, first : first + step], who, cache))
            first += step
    torch.testing.assert_close(torch.cat(pieces, 1), logits_of(prior, codes), rtol=1e-4, atol=1e-5)


@kinds
def test_the_memory_of_a_cache_is_bounded(kind: str) -> None:
    prior, cache = make_prior(kind), None
    cache = prior.cache()
    sizes = []
    with torch.no_grad():
        for _ in range(60):
            prior(torch.zeros(1, 1, dtype=torch.long), torch.tensor([0]), cache)
            sizes.append(sum(tensor.numel() for layer in cache.layers for tensor in layer))
    assert sizes[-1] == sizes[-20]


def test_attention_is_that_of_the_formula() -> None:
    """One layer without a feed-forward half, against softmax(q k / sqrt(d)) v written out."""
    torch.manual_seed(0)
    config = TransformerConfig(layers=1, width=8, heads=2, feed_forward=4, window=3, dropout=0.0)
    prior = Prior(PriorConfig(codes=CODES, made_by=None, bigrams=False, network=config)).eval()
    layer = prior.network.layers[0]
    torch.nn.init.normal_(layer.attended.weight)
    x = torch.randn(1, 6, 8)

    def norm(vector: Tensor) -> Tensor:
        return vector / (vector.square().mean(-1, keepdim=True) + torch.finfo(torch.float32).eps).sqrt()

    def turned(vector: Tensor, place: int) -> Tensor:
        """Pairs of channels as complex numbers, turned by place times their speed."""
        pairs = torch.complex(*norm(vector).chunk(2, -1))
        speeds = 10_000.0 ** -(torch.arange(2) / 2)
        turned = pairs * torch.polar(torch.ones(2), place * speeds)
        return torch.cat([turned.real, turned.imag])

    stream = norm(x[0])
    expected = torch.zeros(6, 8)
    for place in range(6):
        heads = []
        for head in range(2):
            q, k, v = (layer.attend.weight[n * 8 + head * 4 : n * 8 + head * 4 + 4] for n in range(3))
            seen = range(max(0, place - 2), place + 1)
            scores = torch.stack(
                [turned(q @ norm(stream[place]), place) @ turned(k @ norm(stream[t]), t) / 2 for t in seen]
            )
            heads.append(sum(w * (v @ norm(stream[t])) for w, t in zip(scores.softmax(0), seen, strict=True)))
        expected[place] = norm(stream[place] + layer.attended.weight @ torch.cat(heads))
    torch.testing.assert_close(prior.network(x, None)[0], expected, rtol=1e-4, atol=1e-5)


@kinds
def test_who_speaks_matters_unless_nobody_is_told(kind: str) -> None:
    prior, codes = make_prior(kind), some_codes()[:1].expand(3, -1)
    previous = prior.previous(codes)
    with torch.no_grad():
        ann, bob, nobody = prior(previous, torch.tensor([0, 1, prior.unconditional]))
    assert not torch.allclose(ann, bob)
    assert not torch.allclose(ann, nobody)


def test_it_may_know_nobody() -> None:
    prior = make_prior(speakers=())
    assert prior.unconditional == 0
    assert prior(torch.zeros(1, 3, dtype=torch.long), torch.tensor([0])).shape == (1, 3, CODES)


def test_the_table_of_bigrams_is_added_to_what_the_network_says() -> None:
    prior = make_prior()
    codes = some_codes()
    whole = logits_of(prior, codes)
    table, prior.bigrams = prior.bigrams, None
    torch.testing.assert_close(whole, logits_of(prior, codes) + table(prior.previous(codes)))


@kinds
def test_dropout_is_for_training_only(kind: str) -> None:
    prior, codes = make_prior(kind), some_codes()
    for module in prior.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    assert torch.equal(logits_of(prior, codes), logits_of(prior, codes))
    prior.train()
    assert not torch.equal(logits_of(prior, codes), logits_of(prior, codes))


def test_heads_must_share_the_width() -> None:
    config = TransformerConfig(layers=1, width=9, heads=3, feed_forward=4, window=3, dropout=0.0)
    with pytest.raises(InputError, match=r"network\.width") as caught:
        config.check("x.yaml")
    assert caught.value.where == "x.yaml"
    assert caught.value.hint
