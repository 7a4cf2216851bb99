"""``vqspeech.training.trainer``: killed and resumed it ends the same; it watches and keeps the best."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from equal_states import assert_same
from safetensors.numpy import save_file
from small_training import RATE, make_pack, make_preset, write_data
from torch import Tensor

from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.melspectrogram import cepstra, log_mel, normalized
from vqspeech.model.checkpoint import load_model
from vqspeech.training import trainer as training
from vqspeech.training import vqvae_task
from vqspeech.training.config import Preset, read_preset, write_preset
from vqspeech.training.pack import PITCH_HOP, write_pack
from vqspeech.training.trainer import Trainer, learning_rate_factor
from vqspeech.training.vqvae_metrics import HeldOut
from vqspeech.training.vqvae_task import CodesIgnoredError, VQVAETask

TRAIN, DEV = make_pack(copies=1), make_pack({"ann": [1500], "bob": [2000]})
fork = multiprocessing.get_context("fork")


def make_trainer(out: Path, preset: Preset | None = None) -> Trainer:
    preset = preset or make_preset()
    return Trainer(VQVAETask(preset, TRAIN, DEV), out, Devices.find("cpu", preset.training.precision))


def last(out: Path) -> dict[str, Any]:
    """The checkpoint that a run left, without how long it took."""
    state: dict[str, Any] = torch.load(out / "checkpoints" / "last.pt", weights_only=True)
    del state["seconds"]
    return state


def stop_at(trainer: Trainer, step: int) -> None:
    """Let a signal arrive in the middle of a step."""
    task_loss = trainer.task.loss

    def loss(*arguments: Any) -> Any:
        if trainer.step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return task_loss(*arguments)

    trainer.task.loss = loss  # type: ignore[method-assign]


def test_a_full_disk_stops_it_with_an_os_error_and_it_goes_on_later(
    tmp_path: Path, unbroken: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    trainer = make_trainer(tmp_path)
    stop_at(trainer, 3)
    with full_disk(), pytest.raises(OSError, match=str(tmp_path)):
        trainer.run()
    assert not (tmp_path / "checkpoints" / "last.pt").exists()
    make_trainer(tmp_path).run()
    assert_same(last(tmp_path), last(unbroken))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not interrupted."""
    out = tmp_path_factory.mktemp("unbroken")
    make_trainer(out).run()
    return out


def test_a_run_leaves_config_log_checkpoint_and_the_best_model(unbroken: Path) -> None:
    assert read_preset(unbroken / "config.yaml") == make_preset()
    log = (unbroken / "train.log").read_text()
    assert "step 12/12" in log
    for measure in ("nll", "code gap", "speaker gap", "mel", "perplexity", "used"):
        assert measure in log.splitlines()[-1]
    assert last(unbroken)["step"] == 12
    model = load_model(unbroken)
    assert model.speakers == TRAIN.speakers
    assert model.quantizer.started
    assert list((unbroken / "tensorboard").iterdir())


def test_every_part_has_learnt(unbroken: Path) -> None:
    fresh = VQVAETask(make_preset(), TRAIN, DEV).model.state_dict()
    trained = last(unbroken)["model"]
    still = {name for name in fresh if torch.equal(fresh[name], trained[name])}
    # Peaks and voices are measured later; what the last layer would hand on goes nowhere.
    measured = {"decoder.activation_peaks", "speaker_stats.means", "speaker_stats.unigrams", "speaker_stats.pitch"}
    assert still <= measured | {"decoder.residual.2.weight", "decoder.residual.2.bias"}


@pytest.mark.parametrize("step", [0, 2, 4, 7, 11])
def test_stopped_by_a_signal_and_resumed_it_ends_with_the_same_weights(
    unbroken: Path, tmp_path: Path, step: int
) -> None:
    """Before the codebook is placed, before the decoder joins, after, and at the last step."""
    trainer = make_trainer(tmp_path)
    stop_at(trainer, step)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert last(tmp_path)["step"] == step + 1
    torch.manual_seed(step)
    make_trainer(tmp_path).run()
    assert_same(last(tmp_path), last(unbroken))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_in_16_bits_too(tmp_path: Path, precision: str) -> None:
    preset = make_preset(f"training.precision={precision}")
    make_trainer(tmp_path / "a", preset).run()
    trainer = make_trainer(tmp_path / "b", preset)
    stop_at(trainer, 7)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    make_trainer(tmp_path / "b", preset).run()
    assert_same(last(tmp_path / "b"), last(tmp_path / "a"))


def start(target: Callable[..., Any], *arguments: Any) -> BaseProcess:
    process = fork.Process(target=target, args=arguments)
    process.start()
    return process


def test_a_decoder_of_several_bands_is_trained_measured_and_kept(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_preset("model.decoder.bands=4"))
    trainer.run()
    model = load_model(tmp_path)
    assert model.config.decoder.bands == 4
    assert (model.decoder.activation_peaks > 0).all()
    start = VQVAETask(make_preset("model.decoder.bands=4"), TRAIN, DEV).model.state_dict()
    learnt = model.state_dict()
    assert not torch.equal(learnt["decoder.below.weight"], start["decoder.below.weight"])
    assert not torch.equal(learnt["decoder.embedding.weight"], start["decoder.embedding.weight"])


def test_killed_again_and_again_at_any_moment_it_ends_with_the_same_weights(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(training, "EVALUATE_EVERY", 0.0)
    monkeypatch.setattr(training, "EVALUATE_SHARE", math.inf)
    kills = 0
    for patience in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, None):
        process = start(lambda: make_trainer(tmp_path).run())
        process.join(patience)
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert kills
    killed, whole = last(tmp_path), last(unbroken)
    for state in (killed, whole):
        # This run was evaluated more often.
        del state["best"], state["best_measures"], state["suspicions"]
        del state["average"]["module.decoder.activation_peaks"]
    assert_same(killed, whole)
    load_model(tmp_path)


def test_killed_while_it_writes_a_checkpoint_the_one_before_stays(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    stop_at(trainer, 4)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    before = (tmp_path / "checkpoints" / "last.pt").read_bytes()

    def killed() -> None:
        # Written, and not yet in its place.
        os.fsync = lambda _file: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
        make_trainer(tmp_path).run()

    process = start(killed)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert (tmp_path / "checkpoints" / "last.pt").read_bytes() == before


def command_line(out: Path, *changes: str) -> list[str]:
    """The words of a training run from files in ``out``'s parent."""
    here = out.parent
    if not (here / "train.pack").exists():
        data = write_data(here / "corpus")
        for name in ("train.pack", "dev.pack"):
            write_pack(data, here / name, sample_rate=RATE, rms=0.06)
        write_preset(make_preset(*changes), here / "preset.yaml")
    words = ["train", str(here / "preset.yaml"), "--data", str(here / "train.pack"), "--dev", str(here / "dev.pack")]
    return [*words, "--out", str(out), "--device", "cpu", "--threads", "1"]


def run_command(words: list[str], stderr: Path) -> None:
    """What ``vqspeech`` does, in a process of its own, its stderr into a file."""
    import sys

    from vqspeech.cli.main import main

    with stderr.open("w") as sys.stderr:
        os.dup2(sys.stderr.fileno(), 2)
        status = main(words)
    time.sleep(0.1)  # an interpreter's own end takes as long
    os._exit(status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_told_to_stop_the_command_saves_and_exits_with_130(tmp_path: Path, number: signal.Signals) -> None:
    words = command_line(tmp_path / "exp", "training.steps=100000")
    stderr = tmp_path / "stderr"
    process = start(run_command, words, stderr)
    log, deadline = tmp_path / "exp" / "train.log", time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    assert process.pid is not None
    # Slurm and torchrun send signals more than once.
    for another in (number, number, signal.SIGTERM):
        os.kill(process.pid, another)
        time.sleep(0.01)
    # And while the process ends, which is soon or late.
    while process.is_alive() and time.monotonic() < deadline:
        os.kill(process.pid, signal.SIGTERM)
        time.sleep(0.002)
    process.join(120)
    assert process.exitcode == 130
    said = stderr.read_text()
    assert "Traceback" not in said
    step = last(tmp_path / "exp")["step"]
    assert f"stopped at step {step}; the same command goes on from there" in said
    assert said.splitlines()[-1] == "vqspeech train: interrupted"


def test_a_signal_that_comes_after_a_stop_does_not_disturb_the_end_of_the_process(tmp_path: Path) -> None:
    def stopped_and_told_again() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        trainer = make_trainer(tmp_path)
        stop_at(trainer, 2)
        with pytest.raises(KeyboardInterrupt):
            trainer.run(ends_process=True)
        for again in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            os.kill(os.getpid(), again)
        time.sleep(0.1)
        os._exit(7)

    process = start(stopped_and_told_again)
    process.join(120)
    assert process.exitcode == 7


def refusal(out: Path, preset: Preset | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        make_trainer(out, preset).run()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def copy_of(unbroken: Path, out: Path) -> Path:
    (out / "checkpoints").mkdir(parents=True)
    (out / "config.yaml").write_bytes((unbroken / "config.yaml").read_bytes())
    (out / "checkpoints" / "last.pt").write_bytes((unbroken / "checkpoints" / "last.pt").read_bytes())
    return out


def test_a_run_that_is_done_is_only_evaluated_again(unbroken: Path, tmp_path: Path) -> None:
    out = copy_of(unbroken, tmp_path / "x")
    make_trainer(out).run()
    assert_same(last(out), last(unbroken))


def test_a_run_of_another_config_is_refused(unbroken: Path, tmp_path: Path) -> None:
    out = copy_of(unbroken, tmp_path / "x")
    error = refusal(out, make_preset("training.steps=13"))
    assert error.where == str(out / "config.yaml")
    assert_same(last(out), last(unbroken))


def test_a_run_of_other_speakers_is_refused(unbroken: Path, tmp_path: Path) -> None:
    out = copy_of(unbroken, tmp_path / "x")
    pack = replace(TRAIN, speakers=("ann", "bob", "dan"))
    trainer = Trainer(VQVAETask(make_preset(), pack, DEV), out, Devices.find("cpu", "fp32"))
    with pytest.raises(InputError, match="speakers") as caught:
        trainer.run()
    assert caught.value.where == str(out / "checkpoints" / "last.pt")


def altered(**changes: Any) -> Callable[[bytes], bytes]:
    def alter(content: bytes) -> bytes:
        state, target = torch.load(io.BytesIO(content), weights_only=True), io.BytesIO()
        torch.save(state | changes, target)
        return target.getvalue()

    return alter


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1000],
        lambda content: content[:5000],
        lambda content: b"something else altogether",
        altered(model={}),
        altered(optimizers=[]),
        altered(optimizers=[{}, {}]),
        altered(optimizers=[{"state": {}, "param_groups": []}] * 2),
        altered(step="many"),
        altered(usage=torch.zeros(3)),
        altered(best_measures=[1.0]),
        altered(best_measures={"mel": "low"}),
    ],
)
def test_a_damaged_checkpoint_is_named(unbroken: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    out = copy_of(unbroken, tmp_path / "x")
    checkpoint = out / "checkpoints" / "last.pt"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    error = refusal(out)
    assert error.where == str(checkpoint)
    assert "damaged" in error.problem


def test_a_pickle_that_would_run_code_is_not_loaded(unbroken: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "evil"),)

    out = copy_of(unbroken, tmp_path / "x")
    torch.save({"model": Evil()}, out / "checkpoints" / "last.pt")
    refusal(out)
    assert not (tmp_path / "evil").exists()


def test_the_auxiliary_head_can_learn_normalised_cepstra() -> None:
    preset = make_preset("model.conditioner.mel_bands=0", "model.conditioner.cepstra=5")
    task = VQVAETask(preset, make_pack(), make_pack())
    batch = task.train(0)
    target = task.mel(batch)
    assert target is not None
    bands = log_mel(batch.targets[:, 1:], sample_rate=RATE, hop=preset.model.conditioner.hop, bands=40)
    torch.testing.assert_close(target, normalized(cepstra(bands, 5)))
    head = task.model.conditioner.cepstral_head
    assert head is not None
    assert task.model.conditioner.mel_head is None
    _, terms = task.loss(task.model, batch, 0)
    frames = task.model.frames(task.model.quantize(batch.inputs).values, batch.speaker)
    torch.testing.assert_close(terms["mel"], (head(frames) - target).abs().mean())
    assert task.evaluate(task.model).mel > 0


def worse_from(monkeypatch: pytest.MonkeyPatch, trainer: Trainer, step: int) -> dict[int, HeldOut]:
    """Evaluate after each step, worse and worse from ``step`` on; also returns what is measured at each."""
    monkeypatch.setattr(training, "EVALUATE_EVERY", 0.0)
    monkeypatch.setattr(training, "EVALUATE_SHARE", math.inf)
    measured: dict[int, HeldOut] = {}

    def evaluate(_model: torch.nn.Module) -> HeldOut:
        mel = 1.0 + abs(trainer.step - step)
        nothing = math.nan  # as of a front end alone
        found = HeldOut(nothing, nothing, nothing, mel=mel, perplexity=3.0 + trainer.step, used=trainer.step)
        return measured.setdefault(trainer.step, found)

    trainer.task.evaluate = evaluate  # type: ignore[method-assign]
    return measured


def test_the_best_step_is_told_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(tmp_path / "whole")
    measured = worse_from(monkeypatch, trainer, 8)
    best = trainer.run()
    assert (best.step, best.score) == (8, 1.0)
    assert asdict(best.measures) == pytest.approx(asdict(measured[8]), nan_ok=True)
    assert best.summary(str) == "mel error 1.000, perplexity 11 (step 8)"
    assert last(tmp_path / "whole")["best_measures"] == {"mel": 1.0, "perplexity": 11.0, "used": 8}

    stopped = make_trainer(tmp_path / "stopped")
    worse_from(monkeypatch, stopped, 8)
    stop_at(stopped, 10)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    for _ in range(2):  # to its end, and again where nothing is left to do
        resumed = make_trainer(tmp_path / "stopped")
        worse_from(monkeypatch, resumed, 8)
        assert resumed.run().summary(str) == best.summary(str)
    assert_same(last(tmp_path / "stopped"), last(tmp_path / "whole"))


def without_measures(out: Path, *more: str) -> None:
    """Make a checkpoint one of an earlier version."""
    path = out / "checkpoints" / "last.pt"
    state = torch.load(path, weights_only=True)
    for name in ("best_measures", *more):
        del state[name]
    torch.save(state, path)


def test_of_an_earlier_versions_checkpoint_what_is_known_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(tmp_path)
    worse_from(monkeypatch, trainer, 8)
    trainer.run()
    for more, said in (((), "score 1.000 (step 8)"), (("best_step",), "score 1.000 (step unknown)")):
        without_measures(tmp_path, *more)
        resumed = make_trainer(tmp_path)
        worse_from(monkeypatch, resumed, 8)
        assert resumed.run().summary(str) == said


def test_an_earlier_versions_best_step_that_is_the_last_is_measured_again(unbroken: Path, tmp_path: Path) -> None:
    out = copy_of(unbroken, tmp_path / "x")
    without_measures(out)
    best = make_trainer(out).run()
    assert best.summary(str) == make_trainer(copy_of(unbroken, tmp_path / "y")).run().summary(str)
    assert "nats per sample" in best.summary(str)
    assert_same(last(out), last(unbroken))


def test_a_run_without_a_kept_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(tmp_path)
    monkeypatch.setattr(trainer.task, "ema_active", lambda _step: False)
    assert trainer.run().summary(str) == "no model was kept"


def test_codes_that_are_worth_nothing_end_the_run_with_a_plain_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "EVALUATE_EVERY", 0.0)
    monkeypatch.setattr(training, "EVALUATE_SHARE", math.inf)
    monkeypatch.setattr(vqvae_task, "PATIENCE", 2)
    monkeypatch.setattr(vqvae_task, "GRACE", 3)
    trainer = make_trainer(tmp_path, make_preset("training.least_code_gap=100.0"))
    with pytest.raises(CodesIgnoredError, match="ignores the codes") as caught:
        trainer.run()
    # The decoder joined at 5; grace ends at 8; two evaluations follow.
    assert trainer.step == 10
    assert "training.decode_from" in str(caught.value.hint)


def test_codes_that_are_worth_something_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EVALUATE_EVERY", 0.0)
    monkeypatch.setattr(training, "EVALUATE_SHARE", math.inf)
    monkeypatch.setattr(vqvae_task, "PATIENCE", 1)
    monkeypatch.setattr(vqvae_task, "GRACE", 0)
    make_trainer(tmp_path, make_preset("training.least_code_gap=-100.0")).run()


def break_weights(trainer: Trainer, step: int) -> None:
    task_loss = trainer.task.loss

    def loss(*arguments: Any) -> Any:
        if trainer.step == step:
            trainer.model.decoder.output.weight.data.fill_(math.nan)
        return task_loss(*arguments)

    trainer.task.loss = loss  # type: ignore[method-assign]


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    break_weights(trainer, 8)
    with pytest.raises(InputError, match="no longer a number") as caught:
        trainer.run()
    assert caught.value.where == str(tmp_path)
    assert "learning rate" in str(caught.value.hint)


def test_weights_that_are_no_numbers_never_replace_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    trainer = make_trainer(tmp_path)
    break_weights(trainer, 8)
    with pytest.raises(InputError, match="no longer a number"):
        trainer.run()
    assert last(tmp_path)["step"] == 8


def test_learning_rates_warm_up_stay_and_fall() -> None:
    preset = make_preset("training.optimizer.warm_up=10", "training.optimizer.decay_from=0.5")
    factors = [learning_rate_factor(step, 100, preset.training.optimizer) for step in range(101)]
    assert factors[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert set(factors[9:51]) == {1.0}
    assert factors[75] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(0.02)
    assert factors[100] == 0.01
    assert all(a >= b for a, b in itertools.pairwise(factors[9:]))
    flat = make_preset("training.optimizer.warm_up=0", "training.optimizer.decay_from=1.0").training.optimizer
    assert {learning_rate_factor(step, 100, flat) for step in range(100)} == {1.0}


def test_the_average_follows_the_weights_from_the_decoder_on(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_preset("training.average=0.5"))
    seen: list[Tensor] = []
    update = trainer.average.update_parameters

    def note(model: torch.nn.Module) -> None:
        seen.append(trainer.model.decoder.output.weight.detach().clone())
        update(model)

    trainer.average.update_parameters = note  # type: ignore[method-assign]
    trainer.run()
    assert len(seen) == 12 - 5
    expected = seen[0]
    for updates, weight in enumerate(seen[1:], 1):
        decay = min(0.5, (1 + updates) / (10 + updates))
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(trainer.average.module.decoder.output.weight.detach(), expected)
    kept = load_model(tmp_path).decoder.output.weight.detach()
    torch.testing.assert_close(kept, expected - expected.mean(0), rtol=1e-5, atol=1e-6)
    assert trainer.average.module.quantizer.started


@pytest.mark.parametrize("mode", [True, False])
def test_evaluation_leaves_weights_mode_and_random_state_as_they_were(tmp_path: Path, mode: bool) -> None:
    task = VQVAETask(make_preset(), TRAIN, DEV)
    task.prepare(3, torch.device("cpu"))
    model = task.model.train(mode)
    torch.manual_seed(5)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    measures = task.evaluate(model)
    assert task.evaluate(model) == measures
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training is mode
    assert_same(dict(model.state_dict()), before)


def test_optimisers_share_out_every_parameter_once() -> None:
    task = VQVAETask(make_preset(), TRAIN, DEV)
    given = [p for o in task.optimizers() for group in o.param_groups for p in group["params"]]
    assert len({id(p) for p in given}) == len(given)
    assert {id(p) for p in given} == {id(p) for p in task.model.parameters() if p.requires_grad}
    plain = make_preset("training.optimizer.muon_decoder=0", "training.optimizer.muon_encoder=0")
    assert len(VQVAETask(plain, TRAIN, DEV).optimizers()) == 1


def test_the_phases_join_when_they_are_told(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    seen: list[tuple[bool, bool]] = []
    task_loss = trainer.task.loss

    def loss(*arguments: Any) -> Any:
        result = task_loss(*arguments)
        seen.append((bool(trainer.model.quantizer.started), "nll" in result[1]))
        return result

    trainer.task.loss = loss  # type: ignore[method-assign]
    trainer.run()
    assert [started for started, _ in seen] == [step >= 3 for step in range(12)]
    assert [decoding for _, decoding in seen] == [step >= 5 for step in range(12)]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def distributed_run(rank: int, port: int, preset: Preset, out: Path, stop: int | None) -> None:
    """What one of two processes under torchrun does; leaves its model's tensors beside ``out``."""
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1")
    os.environ["MASTER_PORT"] = str(port)
    devices = Devices.find("cpu", preset.training.precision)
    # Clocks that never agree on when to save.
    training.SAVE_EVERY = 0.0 if rank == 0 else 1e9
    trainer = Trainer(VQVAETask(preset, TRAIN, DEV, rank), out, devices)
    if stop is not None and rank == 1:
        stop_at(trainer, stop)
    with contextlib.suppress(KeyboardInterrupt):
        trainer.run()
    tensors = {name: tensor.numpy() for name, tensor in trainer.model.state_dict().items()}
    save_file(tensors, out.parent / f"rank{rank}.safetensors")


@pytest.mark.parametrize(("update", "stop"), [("ema", None), ("ema", 7), ("loss", None)])
def test_two_processes_have_one_model_and_stop_together(tmp_path: Path, update: str, stop: int | None) -> None:
    try:
        port = free_port()
    except OSError as error:
        pytest.skip(f"cannot bind: {error}")
    preset = make_preset(f"model.quantizer.update={update}", "model.quantizer.restart_below=0.5")
    processes = [start(distributed_run, rank, port, preset, tmp_path / "exp", stop) for rank in range(2)]
    for process in processes:
        process.join(120)
    for process in processes:
        if process.is_alive():
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    from safetensors.torch import load_file

    first, second = (load_file(tmp_path / f"rank{rank}.safetensors") for rank in range(2))
    # DDP brings rank 1's buffers in line with rank 0's before each step, after which both were updated alike.
    assert_same(first, second)
    assert first["quantizer.started"]
    assert last(tmp_path / "exp")["step"] == (12 if stop is None else stop + 1)


def test_the_config_of_a_run_names_every_key(unbroken: Path) -> None:
    tree = yaml.safe_load((unbroken / "config.yaml").read_text())
    assert set(tree) == {"model", "training"}
    assert tree["training"]["steps"] == 12


FRONT_END = (
    "training.decode_from=1000",
    "model.encoder.front_end=log-mel",
    "model.encoder.mel_hop=16",
    "model.encoder.mel_bands=8",
    "model.encoder.strides=[4]",
    "model.encoder.block=modulated",
    "model.encoder.dilations=[1,-2]",
    "model.encoder.input_norm=true",
    "model.conditioner.block=modulated",
    "model.conditioner.pitch=true",
    "training.warp=0.5",
    "training.channel=0.5",
)


def test_a_front_end_is_trained_without_the_decoder_and_resumes_to_the_same_weights(tmp_path: Path) -> None:
    pitch = np.full(-(-len(make_pack().samples) // PITCH_HOP), 1200, np.int16)
    pack = replace(make_pack(), pitch=pitch)
    preset = make_preset(*FRONT_END)

    def trainer(out: Path) -> Trainer:
        return Trainer(VQVAETask(preset, pack, pack), out, Devices.find("cpu", "fp32"))

    run = trainer(tmp_path / "unbroken")
    decoder = {name: tensor.clone() for name, tensor in run.model.decoder.state_dict().items()}
    measures = run.run().measures
    assert measures is not None
    assert math.isnan(measures.nll)
    assert measures.score == measures.mel > 0
    assert_same(decoder, dict(run.model.decoder.state_dict()))
    other = trainer(tmp_path / "stopped")
    stop_at(other, 6)
    with pytest.raises(KeyboardInterrupt):
        other.run()
    trainer(tmp_path / "stopped").run()
    assert_same(last(tmp_path / "unbroken")["model"], last(tmp_path / "stopped")["model"])
    assert load_model(tmp_path / "stopped").speakers == pack.speakers
