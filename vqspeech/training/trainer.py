"""The training loop: steps, evaluation on held-out data, the best model, and exact resumption.

Everything random in a step is drawn from seed, step and rank, so a run that was killed and resumed from its last
checkpoint ends with the same weights as one that was not, to the bit on one CPU.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Generic, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vqspeech.counts import counted
from vqspeech.devices import Devices
from vqspeech.errors import InputError, decoding
from vqspeech.files import locked, save_checkpoint
from vqspeech.model.legacy import current_names
from vqspeech.slurm_step import requeue
from vqspeech.training.best import Best, checked_numbers, measures_of, numbers_of
from vqspeech.training.log import Log
from vqspeech.training.preset_file import read_preset_file, write_preset
from vqspeech.training.task import LRSchedule, MetricsT, NetworkT, TrainingTask

#: Seconds between two evaluations, two checkpoints, two lines of progress.
EVALUATE_EVERY, SAVE_EVERY, REPORT_EVERY = 60.0, 60.0, 10.0
#: Seconds after which a second Ctrl-C is another one: what starts processes passes on signals that these have got, too.
ONE_SIGNAL = 2.0
#: Share of the time that evaluations may take, the last one aside.
EVALUATE_SHARE = 0.05


def learning_rate_factor(step: int, steps: int, config: LRSchedule) -> float:
    """Warm-up, plateau, then a linear fall to a hundredth at the last step."""
    rise = min(1.0, (step + 1) / config.warm_up) if config.warm_up else 1.0
    start = config.decay_from * steps
    fall = (steps - step) / (steps - start) if step > start else 1.0
    return rise * max(0.01, fall)


@torch.no_grad()
def _average(averaged: Any, current: Any, updates: Tensor, *, decay: float) -> None:
    """Move the average of the weights; over few updates it is short, so that it never holds the first weights long."""
    decay = min(decay, (1 + int(updates)) / (10 + int(updates)))
    for mean, value in zip(averaged, current, strict=True):
        mean.lerp_(value, 1 - decay)


class Trainer(Generic[NetworkT, MetricsT]):
    """Run a task.

    Args:
        task: what to train.
        out: the experiment's folder; a run found there is resumed.
        devices: where.
    """

    def __init__(self, task: TrainingTask[NetworkT, MetricsT], out: Path, devices: Devices) -> None:
        self.task = task
        self.out = out
        self.devices = devices
        self.config = task.config
        self.model = task.model.to(devices.device)
        self.average = AveragedModel(self.model, multi_avg_fn=partial(_average, decay=self.config.average))
        self.optimizers = task.optimizers()
        self.rates = [[float(group["lr"]) for group in optimizer.param_groups] for optimizer in self.optimizers]
        # Small gradients would be 0 in fp16; in other precisions it does nothing.
        self.scaler = torch.amp.GradScaler(devices.device.type, enabled=devices.dtype == torch.float16)
        self.step = 0
        self.best = math.inf
        self.best_step: int | None = None
        #: Measures of the best step; empty where a checkpoint from before they were noted is resumed.
        self.best_numbers: dict[str, float] = {}
        self.seconds = 0.0
        self.stop_signal: int | None = None

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.out / "checkpoints" / "last.pt"

    def run(self, *, ends_process: bool = False) -> Best[MetricsT]:
        """Train to the last step.

        Args:
            ends_process: the process ends with a run that a signal has stopped: signals to stop that come later, as
                Slurm's do, are ignored from then on, so that they do not replace its exit status.

        Returns:
            The step and the measures of the model in ``checkpoints/best``, which need not be those of the last step.

        Raises:
            InputError: the folder holds another experiment, or a damaged checkpoint; or the task sees no point in
                going on.
            KeyboardInterrupt: stopped by a signal; the checkpoint is written.
        """
        with ExitStack() as stack:
            if self.devices.leads:
                stack.enter_context(locked(self.out / "checkpoints"))
            return self._run(ends_process=ends_process)

    def _run(self, *, ends_process: bool) -> Best[MetricsT]:
        self._resume()
        module = self.devices.share(self.model)
        if self.config.compile:
            self.task.compile()
        began = time.monotonic() - self.seconds
        evaluated = saved = reported = time.monotonic()
        reported_step, wait = self.step, EVALUATE_EVERY
        with Log(self.out, self.devices.leads, self.step) as log, self._signals(ends_process=ends_process):
            speakers = f"{counted(len(self.task.speakers), 'speaker')}; " if self.task.speakers else ""
            log.line(f"{self._size()}; {speakers}step {self.step} of {self.config.steps}")
            while self.step < self.config.steps and not self._stopping():
                terms = self._take_step(module)
                log.advance(self.step, self.config.steps)
                now = time.monotonic()
                if now - reported >= REPORT_EVERY or self.step == self.config.steps:
                    speed = (self.step - reported_step) * self.config.batch * self.devices.world / (now - reported)
                    self._report(log, terms, speed)
                    reported, reported_step = now, self.step
                if now - evaluated >= wait:
                    self._evaluate(log)
                    evaluated = time.monotonic()
                    wait = max(EVALUATE_EVERY, (evaluated - now) / EVALUATE_SHARE)
                if now - saved >= SAVE_EVERY:
                    self.seconds = now - began
                    self._save()
                    saved = now
            self.seconds = time.monotonic() - began
            if self.stop_signal is not None:
                self._save()
                log.line(f"stopped at step {self.step}; the same command goes on from there")
                if self.stop_signal == signal.SIGUSR1 and self.devices.leads and (said := requeue(os.environ)):
                    log.line(said)
                raise KeyboardInterrupt
            measures = self._evaluate(log)
            self._save()
            best = self.out / "checkpoints" / "best"
            if self.devices.leads and best.is_dir():
                self.task.finalise(best)
            known = measures_of(self.best_numbers, measures) if self.best_numbers else None
            return Best(self.best, self.best_step, known)

    def _stopping(self) -> bool:
        """Whether any process has a stop signal: all leave the loop after the same step, or one would wait for ever."""
        if self.devices.world > 1:
            signalled = torch.tensor(int(self.stop_signal or 0), device=self.devices.device)
            dist.all_reduce(signalled, dist.ReduceOp.MAX)
            self.stop_signal = int(signalled) or None
        return self.stop_signal is not None

    def _take_step(self, module: nn.Module) -> dict[str, Tensor]:
        # A number of its own for each step and rank: nothing random needs to be kept in a checkpoint.
        torch.manual_seed((self.config.seed * 1_000_003 + self.step) * 1_009 + self.devices.rank)
        factor = learning_rate_factor(self.step, self.config.steps, self.config.optimizer)
        for optimizer, rates in zip(self.optimizers, self.rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        self.task.prepare(self.step, self.devices.device)
        batch = self.task.train(self.step).to(self.devices.device)
        with self.devices.autocast():
            loss, terms = self.task.loss(module, batch, self.step)
        self._zero_gradients()
        self.scaler.scale(loss).backward()
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()
        if self.task.ema_active(self.step):
            self.average.update_parameters(self.model)
        self.step += 1
        return terms

    def _zero_gradients(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def _report(self, log: Log, terms: dict[str, Tensor], segments_a_second: float) -> None:
        numbers = {name: float(term) for name, term in terms.items()}
        if not all(math.isfinite(value) for value in numbers.values()):
            raise self._diverged()
        numbers |= self.task.progress_metrics()
        speed = segments_a_second * self.task.units(self.step)
        left = (self.config.steps - self.step) * self.config.batch * self.devices.world / max(segments_a_second, 1e-9)
        log.progress(self.step, self.config.steps, numbers, speed=speed, unit=self.task.unit, seconds_left=left)

    def _evaluate(self, log: Log) -> MetricsT:
        averaged = cast(NetworkT, self.average.module) if self.average.n_averaged > 0 else self.model
        with self.devices.autocast():
            measures = self.task.evaluate(averaged)
        log.evaluation(self.step, asdict(cast(Any, measures)))
        if self.average.n_averaged > 0 and self.devices.leads and measures.score < self.best:
            self.best, self.best_step, self.best_numbers = measures.score, self.step, numbers_of(measures)
            # The checkpoint first, which says so: killed in between, the resumed run writes the best model again.
            self._save()
            self.task.save_best(averaged, self.out / "checkpoints" / "best")
        elif self.best_step == self.step and measures.score == self.best:
            self.best_numbers = numbers_of(measures)  # evaluated again: not known if its checkpoint is an old one
        self.task.early_stop(measures, self.step, self.out)
        return measures

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "best": self.best,
            "best_step": self.best_step,
            "best_measures": self.best_numbers,
            "seconds": self.seconds,
            "speakers": list(self.task.speakers),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
            **self.task.state(),
        }

    def _diverged(self) -> InputError:
        return InputError(
            f"the loss is no longer a number at step {self.step}", where=self.out, hint="lower the learning rates"
        )

    def _save(self) -> None:
        if not self.devices.leads:
            return
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise self._diverged()
        save_checkpoint(self.last, self._state())

    def _resume(self) -> None:
        config = self.out / "config.yaml"
        if self.devices.leads:
            _same_or_new(config, self.task)
        if not self.last.exists():
            return
        with decoding("a damaged checkpoint", where=self.last, hint="remove it to begin again"):
            state = torch.load(self.last, map_location=self.devices.device, weights_only=True)
            if tuple(state["speakers"]) != self.task.speakers:
                raise InputError("a checkpoint of other speakers", where=self.last, hint="use another --out")
            self.model.load_state_dict(current_names(state["model"], where=str(self.last)))
            self.average.load_state_dict(current_names(state["average"]))
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.scaler.load_state_dict(state.get("scaler", {}))
            self.step, self.best = int(state["step"]), float(state["best"])
            self.seconds = float(state["seconds"])
            if not (self.step >= 0 and math.isfinite(self.seconds) and not math.isnan(self.best)):
                raise ValueError("its step, score or time makes no sense")
            self.best_step = state.get("best_step")
            self.best_numbers = checked_numbers(state.get("best_measures", {}))
            self.task.restore(state)
        if self.best_step == self.step and self.devices.leads:
            self.task.save_best(cast(NetworkT, self.average.module), self.out / "checkpoints" / "best")

    def _size(self) -> str:
        parts = {name: sum(p.numel() for p in part.parameters()) for name, part in self.model.named_children()}
        listed = ", ".join(f"{name} {count / 1e6:.2f} M" for name, count in parts.items() if count)
        return f"parameters: {listed}; {self.devices.device}, {self.config.precision}"

    @contextmanager
    def _signals(self, *, ends_process: bool) -> Iterator[None]:
        """Let the step in hand end before a signal to stop is obeyed; a second Ctrl-C ends at once.

        Any other second signal does not: Slurm sends SIGUSR1, SIGTERM and SIGTERM again while a checkpoint is written,
        and after it, while the process ends (``ends_process``): it ignores them then.
        """
        first = 0.0

        def note(number: int, _frame: FrameType | None) -> None:
            nonlocal first
            if self.stop_signal is None:
                self.stop_signal, first = number, time.monotonic()
            elif number == signal.SIGINT and time.monotonic() - first > ONE_SIGNAL:
                raise KeyboardInterrupt

        before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
        try:
            yield
        finally:
            for number, handler in before.items():
                ends = handler in (signal.SIG_DFL, signal.default_int_handler)
                ignored = ends_process and self.stop_signal is not None and ends
                signal.signal(number, signal.SIG_IGN if ignored else handler)


def _same_or_new(config: Path, task: TrainingTask[Any, Any]) -> None:
    """Keep the preset beside the run; refuse to go on with another."""
    if config.exists():
        if read_preset_file(config, type(task.preset)) != task.preset:
            raise InputError(
                "the run in this folder was begun with another config",
                where=config,
                hint="use another --out, or the same config to go on",
            )
    else:
        write_preset(task.preset, config)
