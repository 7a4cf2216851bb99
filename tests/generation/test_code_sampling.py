"""``vqspeech.generation.code_sampling``: codes are drawn as the prior has them, cached or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_priors import CODES, NETWORKS, make_prior

from vqspeech.errors import InputError
from vqspeech.generation import code_sampling
from vqspeech.generation.code_sampling import draw, sample_codes
from vqspeech.generation.uniforms import Uniforms

kinds = pytest.mark.parametrize("kind", sorted(NETWORKS))


def drawn_plainly(logits: list[float], number: float, temperature: float, top_k: int | None, top_p: float) -> int:
    """``draw`` written out: throw the unlikely away, then walk down the rest."""
    weights = [(np.exp((logit - max(logits)) / temperature), code) for code, logit in enumerate(logits)]
    likeliest = sorted(weights, key=lambda weight: (-weight[0], weight[1]))[:top_k]
    total, kept, mass = sum(weight for weight, _ in likeliest), [], 0.0
    for weight, code in likeliest:
        if mass / total < top_p:
            kept.append((weight, code))
        mass += weight
    left = number * sum(weight for weight, _ in kept)
    for weight, code in kept:
        if left < weight:
            return code
        left -= weight
    return kept[-1][1]


@given(
    logits=st.lists(st.integers(-20, 20).map(lambda n: n / 4), min_size=1, max_size=9, unique=True),
    number=st.integers(0, 2**16 - 1).map(lambda n: (n + 0.37) / 2**16),
    temperature=st.sampled_from([0.3, 1.0, 2.0]),
    top_k=st.none() | st.integers(1, 12),
    top_p=st.sampled_from([0.05, 0.5, 0.93, 1.0]),
)
def test_a_code_is_drawn_as_the_plain_definition_has_it(
    logits: list[float], number: float, temperature: float, top_k: int | None, top_p: float
) -> None:
    found = draw(
        np.array([logits], np.float32),
        np.array([number], np.float32),
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
    )
    assert found.tolist() == [drawn_plainly(logits, float(np.float32(number)), temperature, top_k, top_p)]


def test_frequencies_are_those_of_the_softmax() -> None:
    logits = np.array([1.0, 0.0, 2.0, -1.0], np.float32)
    found = np.bincount(draw(np.tile(logits, (20000, 1)), Uniforms(1).draw(20000)), minlength=4) / 20000
    np.testing.assert_allclose(found, np.exp(logits) / np.exp(logits).sum(), atol=0.015)


def test_temperature_0_top_k_1_and_a_tiny_top_p_take_the_likeliest() -> None:
    rng = np.random.default_rng(0)
    logits, numbers = rng.standard_normal((50, 9)).astype(np.float32), Uniforms(0).draw(50)
    likeliest = logits.argmax(1).tolist()
    assert draw(logits, numbers, temperature=0).tolist() == likeliest
    assert draw(logits, numbers, top_k=1).tolist() == likeliest
    assert draw(logits, numbers, top_p=1e-9).tolist() == likeliest


@kinds
def test_cached_generation_is_what_uncached_is(kind: str) -> None:
    """With the whole past read anew for each code."""
    prior = make_prior(kind)
    codes = sample_codes(prior, length=25, count=3, speaker="bob", seed=4)
    for row in range(3):
        numbers = Uniforms(((row + 1) << 64) | 4).draw(25)
        past = [prior.start]
        for place in range(25):
            with torch.no_grad():
                logits = prior(torch.tensor([past]), torch.tensor([1]))[:, -1].numpy()
            past.append(int(draw(logits, numbers[place : place + 1])[0]))
        assert codes[row].tolist() == past[1:]


@kinds
def test_a_prompt_is_gone_on_from(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = make_prior(kind)
    whole = sample_codes(prior, length=20, temperature=0)[0]
    monkeypatch.setattr(code_sampling, "_BLOCK", 5)
    assert sample_codes(prior, length=8, temperature=0, prompt=whole[:12])[0].tolist() == whole[12:].tolist()


@kinds
def test_a_sample_is_the_same_however_many_are_drawn_with_it(kind: str) -> None:
    prior = make_prior(kind)
    many = sample_codes(prior, length=15, count=4, seed=9)
    assert sample_codes(prior, length=15, count=2, seed=9).tolist() == many[:2].tolist()
    assert sample_codes(prior, length=15, count=4, seed=10).tolist() != many.tolist()
    assert len({tuple(row) for row in many.tolist()}) == 4


def test_who_speaks_shows_and_a_stranger_is_nobody() -> None:
    prior = make_prior()
    ann, bob, zoe, nobody = (
        sample_codes(prior, length=40, speaker=who, seed=1).tolist() for who in ("ann", "bob", "zoe", None)
    )
    assert ann != bob
    assert zoe == nobody != ann


def test_shape_type_and_range() -> None:
    codes = sample_codes(make_prior(), length=12, count=5)
    assert (codes.shape, codes.dtype) == ((5, 12), np.int32)
    assert codes.min() >= 0
    assert codes.max() < CODES


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    sample_codes(make_prior(), length=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "options",
    [
        {"length": 0},
        {"count": 0},
        {"seed": -1},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"prompt": [CODES]},
        {"prompt": [-1]},
        {"prompt": [0.5]},
        {"prompt": [[1]]},
    ],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        sample_codes(make_prior(), **({"length": 5} | options))  # type: ignore[arg-type]
    assert caught.value.hint
    assert "\n" not in str(caught.value)
