"""Code sequences become waveforms: short ones by one stream, long ones in pieces, the same whatever runs beside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_vqvaes import CODES, make_network
from torch import Tensor

from vqspeech.generation import Engine, generate, make_engine
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.native_engine import MISSING
from vqspeech.generation.synthesis import find_chunks, synthesise
from vqspeech.generation.torch_engine import TorchEngine
from vqspeech.model.speaker_conditioning import SpeakerAdapter, Voice
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.adaptation import add_voice

RATE, HOP = 8000, 12

pytestmark = pytest.mark.usefixtures("brief_chunks")


def sequence(seconds: float, seed: int = 0) -> Tensor:
    return torch.randint(CODES, (round(seconds * RATE / HOP),), generator=torch.Generator().manual_seed(seed))


def spoken(
    network: VQVAE, sequences: Sequence[Tensor], *, engine: Engine | None = None, voice: int = 1, seed: int = 3
) -> list[NDArray[np.float32]]:
    plans = [ConditioningPlan(network, codes, network.voice({voice: 1.0})) for codes in sequences]
    return synthesise(network, plans, engine=engine or make_engine(network.decoder), seed=seed)


def by_one_stream(network: VQVAE, codes: Tensor, *, voice: int = 1, seed: int = 3) -> NDArray[np.float32]:
    with torch.no_grad():
        conditioning = network.frames(network.quantizer.lookup(codes[None]), torch.tensor([voice]))[0]
    classes = generate(network.decoder, [conditioning], hop=network.config.conditioner.hop, seed=seed)[0]
    return network.companding.waveform(torch.from_numpy(classes))


def test_a_short_sequence_is_one_stream() -> None:
    network = make_network(mel_bands=5)
    codes = sequence(0.08)
    assert np.array_equal(spoken(network, [codes])[0], by_one_stream(network, codes))


def test_a_model_without_a_mel_head_cuts_nothing() -> None:
    network = make_network(mel_bands=0)
    codes = sequence(0.3)
    assert len(find_chunks(ConditioningPlan(network, codes, network.voice({1: 1.0})))) == 1
    assert np.array_equal(spoken(network, [codes])[0], by_one_stream(network, codes))


def test_a_long_sequence_is_cut_and_begins_as_one_stream_does() -> None:
    network = make_network(mel_bands=5)
    codes = sequence(0.3)
    first, second, *_ = find_chunks(ConditioningPlan(network, codes, network.voice({1: 1.0})))
    seam = first.stop * HOP - round(0.002 * RATE)
    chunked, whole = spoken(network, [codes])[0], by_one_stream(network, codes)
    assert len(chunked) == len(whole) == len(codes) * HOP
    assert np.array_equal(chunked[:seam], whole[:seam])
    assert not np.array_equal(chunked[seam:], whole[seam:])
    assert second.begin < second.start


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_neither_neighbours_nor_threads_change_a_sample(threads: int) -> None:
    network = make_network(mel_bands=5)
    sequences = [sequence(seconds, seed) for seed, seconds in enumerate((0.3, 0.05, 0.21, 0.3))]
    together = spoken(network, sequences, engine=make_engine(network.decoder, threads=threads))
    for codes, waveform in zip(sequences, together, strict=True):
        assert np.array_equal(waveform, spoken(network, [codes])[0])


def test_however_many_streams_an_engine_likes_the_samples_are_the_same() -> None:
    network = make_network(mel_bands=5)
    codes = sequence(0.2)
    one, three = (spoken(network, [codes], engine=TorchEngine(network.decoder, width=width))[0] for width in (1, 3))
    np.testing.assert_allclose(one, three, atol=1e-6)


def test_each_sequence_has_its_voice() -> None:
    network = make_network(mel_bands=5)
    codes, voices = sequence(0.05), [network.voice({speaker: 1.0}) for speaker in (0, 2)]
    both = synthesise(
        network,
        [ConditioningPlan(network, codes, voice) for voice in voices],
        engine=make_engine(network.decoder),
        seed=3,
    )
    assert np.array_equal(both[0], by_one_stream(network, codes, voice=0))
    assert np.array_equal(both[1], by_one_stream(network, codes, voice=2))


def test_a_voice_with_a_network_of_its_own_speaks_beside_others() -> None:
    shared = make_network(mel_bands=5)
    network = add_voice(shared, "dora", SpeakerAdapter(shared.config), torch.zeros(9, shared.config.encoder.dimension))
    codes = sequence(0.3)
    blend = {1: 0.5, 3: 0.5}
    voices = [network.voice(shares) for shares in ({0: 1.0}, {3: 1.0}, blend)]
    engine = make_engine(network.decoder)
    plans = [ConditioningPlan(network, codes, voice) for voice in voices]
    together = synthesise(network, plans, engine=engine, seed=3)
    assert np.array_equal(together[0], spoken(shared, [codes], voice=0)[0])
    for plan, waveform in zip(plans, together, strict=True):
        assert np.array_equal(waveform, synthesise(network, [plan], engine=engine, seed=3)[0])
    assert not np.array_equal(together[1], together[2])


def test_frames_of_a_piece_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network(mel_bands=5)
    codes, voice = sequence(0.3), network.voice({0: 1.0})
    per_code = network.conditioner.frames_per_code
    kept = ConditioningPlan(network, codes, voice)
    whole = kept.frames(0, len(codes))
    with torch.no_grad():
        expected = network.frames(network.quantizer.lookup(codes[None]), torch.tensor([0]))[0]
    torch.testing.assert_close(whole, expected, rtol=0, atol=0)
    cuts = find_chunks(kept)
    monkeypatch.setattr("vqspeech.generation.conditioning._KEPT_SECONDS", 0)
    monkeypatch.setattr("vqspeech.generation.conditioning._BLOCK_SECONDS", 0.05)
    computed = ConditioningPlan(network, codes, voice)
    for begin, stop in ((0, 1), (3, 50), (100, len(codes)), (0, len(codes))):
        part = computed.frames(begin, stop)
        torch.testing.assert_close(part, whole[begin * per_code : stop * per_code], rtol=1e-4, atol=1e-5)
    assert find_chunks(computed) == cuts


def test_the_conditioning_of_an_utterance_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = make_network(mel_bands=5)
    plan = ConditioningPlan(network, sequence(0.3), network.voice({0: 1.0}))
    calls: list[int] = []
    compute = Voice.frames
    monkeypatch.setattr(Voice, "frames", lambda *given: (calls.append(1), compute(*given))[1])
    synthesise(network, [plan], engine=make_engine(network.decoder), post_filter=0.5)
    assert len(calls) == 1


def test_progress_reaches_what_is_to_be_drawn() -> None:
    network = make_network(mel_bands=5)
    seen: list[tuple[int, int]] = []
    sequences = [sequence(0.2), sequence(0.05)]
    synthesise(
        network,
        [ConditioningPlan(network, codes, network.voice({0: 1.0})) for codes in sequences],
        engine=make_engine(network.decoder),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1] > sum(len(codes) for codes in sequences) * HOP
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_nothing_to_say_is_nothing_said() -> None:
    network = make_network(mel_bands=5)
    assert spoken(network, []) == []
    assert len(spoken(network, [torch.zeros(0, dtype=torch.long)])[0]) == 0
