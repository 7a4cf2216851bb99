from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_vqvaes import CODES, make_network

from vqspeech.errors import InputError
from vqspeech.generation import Generator, generate, make_engine
from vqspeech.model.vqvae import VQVAE


def all_at_once(network: VQVAE, codes: list[int], speaker: int, seed: int) -> np.ndarray:
    with torch.no_grad():
        frames = network.frames(network.quantizer.lookup(torch.tensor([codes])), torch.tensor([speaker]))[0]
    classes = generate(network.decoder, [frames], hop=network.config.conditioner.hop, seed=seed)[0]
    return network.companding.waveform(torch.from_numpy(classes))


@settings(deadline=None, max_examples=20)
@given(
    codes=st.lists(st.integers(0, CODES - 1), min_size=1, max_size=25),
    kernel=st.sampled_from([1, 3, 5]),
    dilations=st.sampled_from([(), (1,), (1, 2, 1, 2), (4, 1)]),
    seed=st.integers(0, 99),
)
def test_push_by_push_is_what_all_at_once_is(
    codes: list[int], kernel: int, dilations: tuple[int, ...], seed: int
) -> None:
    network = make_network(kernel, dilations)
    generator = Generator(network, 1, seed=seed)
    pieces = [generator.push(code) for code in codes] + [generator.finish()]
    assert np.array_equal(np.concatenate(pieces), all_at_once(network, codes, 1, seed))


def test_samples_come_as_soon_as_the_surroundings_are_known() -> None:
    network = make_network()
    generator = Generator(network, 0)
    lengths = [len(generator.push(code)) for code in range(12)]
    assert lengths == [0] * generator.delay + [network.config.code_hop] * (12 - generator.delay)
    assert len(generator.finish()) == generator.delay * network.config.code_hop
    assert generator.delay == network.conditioner.context


def test_without_look_ahead_nothing_waits() -> None:
    network = make_network(kernel=1, dilations=())
    assert len(Generator(network, 0).push(3)) == network.config.code_hop


def test_codes_may_come_in_any_pieces() -> None:
    network = make_network()
    codes = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]
    engine = make_engine(network.decoder)
    one, many = (Generator(network, 2, engine=engine) for _ in range(2))
    singly = [one.push(code) for code in codes] + [one.finish()]
    together = [many.push(*codes[:5]), many.push(*codes[5:]), many.finish()]
    assert np.array_equal(np.concatenate(singly), np.concatenate(together))


def test_a_voice_may_be_a_blend() -> None:
    network = make_network()
    codes = list(range(10))
    spoken = {}
    voices = {"index": 1, "its voice": network.voice({1: 1.0}), "blend": network.voice({1: 0.5, 0: 0.5})}
    for name, voice in voices.items():
        generator = Generator(network, voice)
        spoken[name] = np.concatenate([generator.push(*codes), generator.finish()])
    assert np.array_equal(spoken["index"], spoken["its voice"])
    assert not np.array_equal(spoken["index"], spoken["blend"])


def test_what_cannot_be_spoken_is_refused() -> None:
    network = make_network()
    generator = Generator(network, 0)
    with pytest.raises(InputError, match=r"code 20 .*from 0 to 19"):
        generator.push(20)
    with pytest.raises(InputError, match="no speaker 3"):
        Generator(network, 3)
    generator.finish()
    with pytest.raises(InputError, match="finished"):
        generator.push(1)
