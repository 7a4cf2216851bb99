"""An interrupted utterance goes on to the bit, and never with chunks of something else or damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_vqvaes import CODES, make_network

from vqspeech.generation import Engine, make_engine, sampler
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.native_engine import MISSING, NativeEngine, instruction_sets
from vqspeech.generation.partial_output import PartialOutput
from vqspeech.generation.synthesis import synthesise
from vqspeech.generation.torch_engine import TorchEngine
from vqspeech.model.vqvae import VQVAE

RATE, HOP = 8000, 12

pytestmark = pytest.mark.usefixtures("brief_chunks")


class StoppedError(Exception):
    """In the middle of generation."""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The streams of each batch that is drawn; after as many as ``batches[0]`` was set to, generation stops."""
    drawn = [1000]
    together = sampler._together

    def counted(engine: Engine, requests: list[sampler.StreamRequest], *given: Any) -> Any:
        if len(drawn) > drawn[0]:
            raise StoppedError
        drawn.append(len(requests))
        return together(engine, requests, *given)

    monkeypatch.setattr(sampler, "_together", counted)
    return drawn


def plan_of(network: VQVAE, *, codes: int = 0, voice: int = 1, pitch: float | None = None) -> ConditioningPlan:
    generator = torch.Generator().manual_seed(codes)
    sequence = torch.randint(CODES, (round(RATE / HOP),), generator=generator)
    contour = None if pitch is None else torch.full((3 * len(sequence), 3), pitch)
    return ConditioningPlan(network, sequence, network.voice({voice: 1.0}), contour)


def spoken(
    plan: ConditioningPlan, engine: Engine, output: PartialOutput | None = None, **named: Any
) -> NDArray[np.float32]:
    named = {"seed": 3, **named}
    return synthesise(plan.network, [plan], engine=engine, partial_outputs=[output], **named)[0]


def interrupted(plan: ConditioningPlan, engine: Engine, path: Path, batches: list[int], after: int = 2) -> None:
    batches[:] = [after]
    with pytest.raises(StoppedError):
        spoken(plan, engine, PartialOutput(path))
    batches[:] = [1000]


def engines() -> list[Any]:
    native = [
        pytest.param(precision, id=precision, marks=[] if instruction_sets(precision) else pytest.mark.skip)
        for precision in ("fp32", "bf16", "int8")
    ]
    return [pytest.param("torch", id="torch"), *([] if MISSING else native)]


def engine_of(network: VQVAE, name: str, threads: int = 1) -> Engine:
    if name == "torch":
        return TorchEngine(network.decoder, width=8)
    return NativeEngine(network.decoder, precision=name, threads=threads)  # type: ignore[arg-type]


def measured(bands: int) -> VQVAE:
    network = make_network(mel_bands=5, bands=bands)
    network.decoder.activation_peaks.fill_(4.0)
    return network


@pytest.mark.parametrize("bands", [1, 4])
@pytest.mark.parametrize("name", engines())
def test_an_interrupted_utterance_goes_on_to_the_bit(name: str, bands: int, tmp_path: Path, batches: list[int]) -> None:
    network = measured(bands)
    plan, engine = plan_of(network), engine_of(network, name)
    whole = spoken(plan, engine, post_filter=0.5)
    all_batches = batches[1:]
    assert len(all_batches) > 2
    path = tmp_path / "x.partial"
    interrupted(plan, engine, path, batches)

    output = PartialOutput(path)
    assert np.array_equal(spoken(plan, engine, output, post_filter=0.5), whole)
    assert batches[1:] == all_batches[2:]
    assert output.resumed == sum(all_batches[:2])
    assert output.chunks == sum(all_batches) == len(output.filled)
    # Finished by now, nothing is drawn.
    batches[:] = [0]
    assert np.array_equal(spoken(plan, engine, PartialOutput(path), post_filter=0.5), whole)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_other_threads_take_what_is_there(tmp_path: Path, batches: list[int]) -> None:
    network = make_network(mel_bands=5)
    plan, path = plan_of(network), tmp_path / "x.partial"
    whole = spoken(plan, engine_of(network, "fp32"))
    streams = sum(batches[1:])
    interrupted(plan, engine_of(network, "fp32"), path, batches)
    assert np.array_equal(spoken(plan, engine_of(network, "fp32", threads=2), PartialOutput(path)), whole)
    assert batches[1:] == [streams - 16]


def other_weight(network: VQVAE) -> None:
    with torch.no_grad():
        network.decoder.output.bias[0] += 1e-3


def other_conditioner(network: VQVAE) -> None:
    with torch.no_grad():
        next(network.conditioner.parameters()).view(-1)[0] += 1e-3


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, {"seed": 4}),
        ({}, {"temperature": 0.9}),
        ({"codes": 1}, {}),
        ({"voice": 2}, {}),
        ({"pitch": 0.5}, {}),
        ({"alter": other_weight}, {}),
        ({"alter": other_conditioner}, {}),
    ],
)
def test_chunks_of_something_else_are_not_used(
    changed: dict[str, Any], named: dict[str, Any], tmp_path: Path, batches: list[int]
) -> None:
    network, path = make_network(mel_bands=5), tmp_path / "x.partial"
    interrupted(plan_of(network), make_engine(network.decoder, threads=1), path, batches)
    alter: Callable[[VQVAE], None] = changed.pop("alter", lambda _: None)
    alter(network)
    plan, engine = plan_of(network, **changed), make_engine(network.decoder)
    output = PartialOutput(path)
    made = spoken(plan, engine, output, **named)
    assert output.resumed == 0
    assert np.array_equal(made, spoken(plan, engine, **named))


def test_another_engine_draws_anew(tmp_path: Path, batches: list[int]) -> None:
    network, path = make_network(mel_bands=5), tmp_path / "x.partial"
    plan = plan_of(network)
    interrupted(plan, TorchEngine(network.decoder, width=8), path, batches)
    for engine in (TorchEngine(network.decoder, width=7), make_engine(network.decoder)):
        output = PartialOutput(path)
        spoken(plan, engine, output)
        assert output.resumed == 0 or engine.name == "torch"  # without a compiled engine it is the first again


@pytest.mark.parametrize("place", [0.0, 0.1, 0.3, 0.6, 0.9, 1.0])
def test_a_damaged_chunk_is_made_anew_and_no_other(place: float, tmp_path: Path, batches: list[int]) -> None:
    network, path = make_network(mel_bands=5), tmp_path / "x.partial"
    plan, engine = plan_of(network), make_engine(network.decoder)
    whole = spoken(plan, engine, PartialOutput(path))
    stored = bytearray(path.read_bytes())
    stored[round(place * (len(stored) - 1))] ^= 1
    path.write_bytes(stored)
    batches[:] = [1000]
    output = PartialOutput(path)
    assert np.array_equal(spoken(plan, engine, output), whole)
    assert output.resumed == output.chunks - 1
    assert len(batches) == 2


@pytest.mark.parametrize("share", [0.0, 0.2, 0.55, 0.999])
def test_what_is_cut_off_is_made_anew(share: float, tmp_path: Path) -> None:
    network, path = make_network(mel_bands=5), tmp_path / "x.partial"
    plan, engine = plan_of(network), make_engine(network.decoder)
    whole = spoken(plan, engine, PartialOutput(path))
    stored = path.read_bytes()
    path.write_bytes(stored[: int(share * len(stored))])
    output = PartialOutput(path)
    assert np.array_equal(spoken(plan, engine, output), whole)
    assert output.resumed < output.chunks
    assert (output.resumed > 0) == (share > 0.1)
    assert path.read_bytes() == stored


def test_a_file_of_something_else_is_begun_anew(tmp_path: Path) -> None:
    network, path = make_network(mel_bands=5), tmp_path / "x.partial"
    plan, engine = plan_of(network), make_engine(network.decoder)
    path.write_bytes(b"no chunks at all " * 10_000)
    assert np.array_equal(spoken(plan, engine, PartialOutput(path)), spoken(plan, engine))
    assert path.stat().st_size < 20_000


def test_progress_counts_what_is_to_be_drawn(tmp_path: Path, batches: list[int]) -> None:
    network, path = make_network(mel_bands=5), tmp_path / "x.partial"
    plan, engine = plan_of(network), make_engine(network.decoder)
    seen: list[tuple[int, int]] = []
    spoken(plan, engine, progress=lambda done, total: seen.append((done, total)))
    interrupted(plan, engine, path, batches, after=1)
    left: list[tuple[int, int]] = []
    spoken(plan, engine, PartialOutput(path), progress=lambda done, total: left.append((done, total)))
    assert left[-1][0] == left[-1][1] < seen[-1][1]
