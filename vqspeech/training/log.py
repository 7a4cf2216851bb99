"""Logging of a training run: lines on the terminal and in ``train.log``, curves for TensorBoard."""

from __future__ import annotations

import math
import sys
import threading
import time
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from vqspeech.files import naming


class Log:
    """The log of a run, in its folder.

    Args:
        folder: the experiment.
        active: whether this process logs at all.
        step: the step from which the run goes on; later points of TensorBoard's curves are dropped.
    """

    def __init__(self, folder: Path, active: bool, step: int) -> None:
        self.folder = folder
        self.active = active
        self.step = step
        self.file: IO[str] | None = None
        self.curves: Any = None
        self.bar: Any = None
        self._threads_say = threading.excepthook

    def __enter__(self) -> Log:
        if self.active:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.file = (self.folder / "train.log").open("a", encoding="utf-8")
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                self.line("no TensorBoard curves: pip install 'vqspeech[train]'")
            else:
                self._threads_say, threading.excepthook = threading.excepthook, self._of_thread
                with naming(self.folder / "tensorboard"):
                    self.curves = SummaryWriter(str(self.folder / "tensorboard"), purge_step=self.step)
        return self

    def _of_thread(self, failed: threading.ExceptHookArgs) -> None:
        """Say nothing of a thread of TensorBoard's that cannot write: the next curve raises its error."""
        if not isinstance(failed.exc_value, OSError):
            self._threads_say(failed)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.curves is not None:
            threading.excepthook = self._threads_say
        with naming(self.folder / "train.log"), self.file or nullcontext():
            if self.curves is not None:
                with naming(self.folder / "tensorboard"):
                    self.curves.close()

    def line(self, text: str) -> None:
        """Say ``text`` on stderr and in the log."""
        if self.file is not None:
            if self.bar is not None:
                self.bar.clear()
            print(text, file=sys.stderr, flush=True)  # noqa: T201
            if self.bar is not None:
                self.bar.refresh()
            with naming(self.folder / "train.log"):
                self.file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
                self.file.flush()

    def advance(self, step: int, steps: int) -> None:
        """Move the progress bar, which is shown where stderr is a terminal."""
        if self.bar is None:
            if not self.active or not sys.stderr.isatty():
                return
            from tqdm import tqdm

            self.bar = tqdm(total=steps, initial=self.step, unit="step", dynamic_ncols=True, leave=False)
        self.bar.update(step - self.bar.n)

    def progress(
        self, step: int, steps: int, numbers: dict[str, float], *, speed: float, unit: str, seconds_left: float
    ) -> None:
        """Say how training goes, at how many ``unit`` per second."""
        listed = "  ".join(f"{name} {value:.3f}" for name, value in numbers.items() if name != "perplexity")
        if "perplexity" in numbers:
            listed += f"  perplexity {numbers['perplexity']:.0f}"
        left = timedelta(seconds=round(seconds_left))
        self.line(f"step {step}/{steps}  {listed}  {speed / 1000:.3g}k {unit}/s  {left} left")
        self._draw("train", step, {**numbers, f"{unit}_a_second": speed})

    def evaluation(self, step: int, measures: dict[str, float]) -> None:
        """Say what was measured on held-out speech; what is NaN was not measured."""
        measures = {name: value for name, value in measures.items() if not math.isnan(value)}
        listed = "  ".join(
            f"{name.replace('_', ' ')} {value:.3f}" if isinstance(value, float) else f"{name} {value}"
            for name, value in measures.items()
        )
        self.line(f"step {step}  held out: {listed}")
        self._draw("held_out", step, measures)

    def _draw(self, group: str, step: int, numbers: dict[str, float]) -> None:
        if self.curves is not None:
            with naming(self.folder / "tensorboard"):
                for name, value in numbers.items():
                    self.curves.add_scalar(f"{group}/{name}", value, step)
