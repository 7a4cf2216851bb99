"""Training on several devices: as if one process had the joined batch, whoever is killed and however many go on."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from small_training import make_pack, make_preset, write_data

from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.model.quantizer import Quantizer
from vqspeech.training import pack_cache
from vqspeech.training.trainer import Trainer
from vqspeech.training.vqvae_task import VQVAETask

fork = multiprocessing.get_context("fork")
TRAIN, DEV = make_pack(copies=1), make_pack({"ann": [1500], "bob": [2000]})


def side_by_side(count: int, work: Callable[..., Any], *arguments: Any, seconds: float = 120.0) -> list[int | None]:
    """Call ``work(rank, count, ...)`` in processes that find each other as torchrun's do; their exit statuses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = int(listener.getsockname()[1])

    def enter(rank: int) -> None:
        torch.set_num_threads(1)
        os.environ.update(RANK=str(rank), WORLD_SIZE=str(count), LOCAL_RANK=str(rank))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
        work(rank, count, *arguments)

    processes = [fork.Process(target=enter, args=(rank,)) for rank in range(count)]
    for process in processes:
        process.start()
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def joined_batches() -> list[torch.Tensor]:
    """Vectors of six steps, ``(batch, dimension, time)``."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(8, 4, 30, generator=generator) for _ in range(6)]


def quantizer_after(batches: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state of a quantiser that has seen batches."""
    config = make_preset("model.quantizer.update=ema", "model.quantizer.restart_below=0.0").model.quantizer
    torch.manual_seed(2)
    quantizer = Quantizer(config, 4)
    quantizer.start(torch.randn(500, 4))
    quantizer.train()
    for batch in batches:
        quantizer(batch)
    return dict(quantizer.state_dict())


@pytest.mark.parametrize("count", [2, 4])
def test_the_codebook_is_that_of_one_process_on_the_joined_batch(tmp_path: Path, count: int) -> None:
    def work(rank: int, count: int) -> None:
        dist.init_process_group("gloo")
        # Every process is given its own part of each batch.
        save_file(quantizer_after([batch.chunk(count)[rank] for batch in joined_batches()]), tmp_path / str(rank))

    assert side_by_side(count, work) == [0] * count
    whole = quantizer_after(joined_batches())
    part_alone = quantizer_after([batch.chunk(count)[0] for batch in joined_batches()])
    assert not torch.allclose(part_alone["codebook"], whole["codebook"], atol=1e-3)
    for rank in range(count):
        for name, tensor in load_file(tmp_path / str(rank)).items():
            torch.testing.assert_close(tensor, whole[name], atol=1e-6, rtol=1e-5, msg=f"{name} of {rank}")


def train(rank: int, _count: int, out: Path, stop: int | None, before: int | None = None) -> None:
    """A run of one process, stopped in a step; leaves its weights beside ``out``."""
    preset = make_preset("model.quantizer.update=ema", "model.quantizer.restart_below=0.5")
    trainer = Trainer(VQVAETask(preset, TRAIN, DEV, rank), out, Devices.find("cpu", "fp32"))
    task_loss = trainer.task.loss

    def loss(module: Any, batch: Any, step: int) -> Any:
        assert before is None or step > before
        if step == stop and rank == _count - 1:
            trainer.stop_signal = 15
        return task_loss(module, batch, step)

    trainer.task.loss = loss  # type: ignore[method-assign]
    with contextlib.suppress(KeyboardInterrupt):
        trainer.run()
    save_file({name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}, out.parent / f"{rank}")


def test_resumed_by_more_and_by_fewer_processes(tmp_path: Path) -> None:
    before = None
    for count, stop in ((2, 4), (4, 8), (1, None)):
        assert side_by_side(count, train, tmp_path / "exp", stop, before) == [0] * count
        state = torch.load(tmp_path / "exp" / "checkpoints" / "last.pt", weights_only=True)
        assert state["step"] == (12 if stop is None else stop + 1)
        before = stop
        first = load_file(tmp_path / "0")
        for rank in range(count):
            # Held to each other, and what is in the checkpoint.
            for name, tensor in load_file(tmp_path / str(rank)).items():
                assert torch.equal(tensor, first[name]), name
        for name, tensor in state["model"].items():
            assert torch.equal(tensor, first[name]), name


AUDIO = make_preset().model.audio


def test_packing_takes_longer_than_a_collective_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, cache = write_data(tmp_path / "corpus"), tmp_path / "train.pack"
    write_pack = pack_cache.write_pack

    def slow(*given: Any, **named: Any) -> Any:
        time.sleep(4)
        return write_pack(*given, **{**named, "jobs": 1})

    monkeypatch.setattr(pack_cache, "write_pack", slow)

    def work(rank: int, _count: int) -> None:
        dist.init_process_group("gloo", timeout=timedelta(seconds=1.5))
        pack = pack_cache.cached_pack(data, cache, AUDIO)
        (tmp_path / f"seconds{rank}").write_text(str(pack.seconds))

    assert side_by_side(2, work) == [0, 0]
    assert (tmp_path / "seconds0").read_text() == (tmp_path / "seconds1").read_text()


def test_where_the_first_cannot_pack_nobody_waits(tmp_path: Path) -> None:
    data = write_data(tmp_path / "corpus")
    next((tmp_path / "corpus").glob("*.wav")).unlink()

    def work(rank: int, _count: int) -> None:
        dist.init_process_group("gloo")
        try:
            pack_cache.cached_pack(data, tmp_path / "train.pack", AUDIO)
        except InputError as error:
            (tmp_path / f"said{rank}").write_text(str(error))

    assert side_by_side(2, work, seconds=60) == [0, 0]
    assert "the first process could not prepare it" in (tmp_path / "said1").read_text()
    assert ".wav" in (tmp_path / "said0").read_text()
