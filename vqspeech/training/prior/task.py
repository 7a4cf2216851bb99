"""Training task of a prior: loss, optimisers, and metrics on held-out codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from vqspeech.errors import InputError
from vqspeech.model.prior import Prior
from vqspeech.model.prior.checkpoint import save_prior
from vqspeech.model.prior.config import PriorConfig
from vqspeech.model.prior.scoring import code_bits
from vqspeech.training.muon import Muon
from vqspeech.training.prior.config import PriorPreset, PriorTrainingConfig
from vqspeech.training.prior.dataset import IGNORED, CodeData, CodeWindows, CropBatch

#: Held-out codes that are scored each time, at most, in whole utterances.
HELD_OUT_CODES = 30_000
#: How many counts the frequencies of single codes weigh in those of pairs.
BIGRAM_PRIOR = 20.0


@dataclass(frozen=True)
class HeldOutBits:
    """Metrics on held-out codes, in evaluation mode.

    Attributes:
        bits: bits per code, ``-log2 p`` given the codes before it and the speaker.
        speaker_gap: bits per code without the speaker, minus ``bits``.
    """

    bits: float
    speaker_gap: float

    @property
    def score(self) -> float:
        """Bits decide which prior is the best."""
        return self.bits


class PriorTask:
    """Train a prior over codes.

    Args:
        preset: network and training.
        train: codes to learn from.
        dev: codes to evaluate on, of the same model; their speakers count among those of ``train``.
        rank: of this process.

    Raises:
        InputError: the two parts are codes of different models.
    """

    unit = "codes"

    def __init__(self, preset: PriorPreset, train: CodeData, dev: CodeData, rank: int = 0) -> None:
        if (train.codes, train.made_by) != (dev.codes, dev.made_by):
            raise InputError(
                "training and held-out codes were made by different models", hint="encode both with the same model"
            )
        self.preset = preset
        training = preset.training
        torch.manual_seed(training.seed)
        config = PriorConfig(codes=train.codes, made_by=train.made_by, bigrams=preset.bigrams, network=preset.network)
        self.model = Prior(config, train.names)
        if self.model.bigrams is not None:
            with torch.no_grad():
                self.model.bigrams.weight.copy_(_bigram_logits(train))
        self.train = CodeWindows(
            train,
            batch=training.batch,
            crop=training.crop,
            speaker_dropout=training.speaker_dropout,
            seed=training.seed,
            rank=rank,
        )
        self.dev = _some(dev, HELD_OUT_CODES)

    @property
    def config(self) -> PriorTrainingConfig:
        """How it is trained."""
        return self.preset.training

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speakers of the training codes."""
        return self.model.speakers

    def optimizers(self) -> list[Optimizer]:
        """Muon on the network's matrices if it is given a rate, Adam on all else."""
        rates = self.preset.training.optimizer
        matrices = [p for p in self.model.network.parameters() if p.ndim == 2] if rates.muon else []
        taken = {id(p) for p in matrices}
        rest = [p for p in self.model.parameters() if id(p) not in taken]
        # Towards zero is towards chance for counted frequencies, so that they are not decayed.
        bigrams = self.model.bigrams
        still = [p for p in rest if p.ndim < 2 or (bigrams is not None and p is bigrams.weight)]
        kept = {id(p) for p in still}
        groups = [
            {"params": [p for p in rest if id(p) not in kept], "weight_decay": rates.weight_decay},
            {"params": still, "weight_decay": 0.0},
        ]
        optimizers: list[Optimizer] = [AdamW(groups, lr=rates.adam, betas=(0.9, 0.99))]
        if matrices:
            optimizers.append(Muon(matrices, lr=rates.muon, weight_decay=rates.weight_decay))
        return optimizers

    def compile(self) -> None:
        """Compile the network."""
        self.model.network.compile()

    def prepare(self, step: int, device: torch.device) -> None:
        """Nothing to prepare."""

    def ema_active(self, _step: int) -> bool:
        """Always."""
        return True

    def units(self, _step: int) -> int:
        """Codes per crop."""
        return self.config.crop

    def loss(self, module: nn.Module, batch: CropBatch, _step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean negative log-likelihood of the codes of a batch, in nats; logged in bits."""
        logits = module(batch.previous, batch.speaker)  # (batch, time, codes)
        each = logits.float().flatten(0, 1)  # (batch x time, codes)
        nll = F.cross_entropy(each, batch.target.flatten(), ignore_index=IGNORED)
        return nll, {"bits": nll.detach() / math.log(2)}

    def progress_metrics(self) -> dict[str, float]:
        """None."""
        return {}

    def evaluate(self, model: Prior) -> HeldOutBits:
        """Measure ``model`` on the held-out utterances."""
        training = model.training
        model.eval()
        given = np.concatenate(code_bits(model, self.dev.sequences, self.dev.speakers)).mean()
        withheld = given
        if model.speakers:
            unconditional = [model.unconditional] * len(self.dev.sequences)
            withheld = np.concatenate(code_bits(model, self.dev.sequences, unconditional)).mean()
        model.train(training)
        return HeldOutBits(bits=float(given), speaker_gap=float(withheld - given))

    def early_stop(self, measures: HeldOutBits, step: int, out: Path) -> None:
        """Never."""

    def save_best(self, model: Prior, folder: Path) -> None:
        """Write a prior directory."""
        save_prior(model, folder)

    def finalise(self, folder: Path) -> None:
        """Nothing to complete."""

    def state(self) -> dict[str, Any]:
        """Checksum of the model that made the codes."""
        return {"made_by": self.model.config.made_by}

    def restore(self, state: dict[str, Any]) -> None:
        """Check that the codes are of the same model; raises InputError."""
        if state["made_by"] != self.model.config.made_by:
            raise InputError("a checkpoint of a prior over another model's codes", hint="use another --out")


def _bigram_logits(data: CodeData) -> Tensor:
    """Log-probability of each code after each other and at the start, ``(codes + 1, codes)``.

    Counts are interpolated with the frequencies of single codes, these with equal ones.
    """
    codes = data.codes
    counts = np.zeros((codes + 1, codes))
    for sequence in data.sequences:
        np.add.at(counts, (np.concatenate([[codes], sequence[:-1]]), sequence), 1)
    single = counts.sum(0) + 1
    single /= single.sum()
    rows = (counts + BIGRAM_PRIOR * single) / (counts.sum(1, keepdims=True) + BIGRAM_PRIOR)
    return torch.from_numpy(np.log(rows)).float()


def _some(data: CodeData, most: int) -> CodeData:
    """Whole sequences spread over ``data``, about ``most`` codes; all where there are not so many."""
    total = sum(len(sequence) for sequence in data.sequences)
    count = max(1, min(len(data.sequences), len(data.sequences) * most // total))
    chosen = np.linspace(0, len(data.sequences) - 1, count).round().astype(int)
    return CodeData(
        tuple(data.sequences[i] for i in chosen),
        tuple(data.speakers[i] for i in chosen),
        data.names,
        data.codes,
        data.made_by,
    )
