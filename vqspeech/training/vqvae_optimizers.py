"""Optimisers of the VQ-VAE: Muon for the matrices, Adam for all else."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Adam, Optimizer

from vqspeech.model.residual import ModulatedBlock
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.config import TrainingConfig
from vqspeech.training.muon import Muon


def make_optimizers(model: VQVAE, training: TrainingConfig) -> list[Optimizer]:
    """Muon on the matrices that it is given a rate for, Adam on all else.

    Args:
        model: whose parameters that take a gradient are optimised.
        training: learning rates, and the precision that Muon computes in.
    """
    rates = training.optimizer
    groups = []
    if rates.muon_decoder:
        decoder = model.decoder
        matrices = [*decoder.dilated.parameters(), decoder.skip.weight, decoder.hidden.weight]
        matrices += [p for p in decoder.residual.parameters() if p.ndim == 2]
        groups.append({"params": matrices, "lr": rates.muon_decoder})
    if rates.muon_encoder:
        modules = [*model.encoder.modules(), *model.conditioner.modules()]
        convolutions = [m for m in modules if isinstance(m, nn.Conv1d) and m.weight.shape[1] > 1]
        blocks = [m for m in modules if isinstance(m, ModulatedBlock)]
        linear = [layer for block in blocks for layer in (block.dilated, block.out)]
        kernels = [m.weight for m in (*convolutions, *linear) if m.weight.requires_grad]
        groups.append({"params": kernels, "lr": rates.muon_encoder})
    taken = {id(p) for group in groups for p in group["params"]}  # type: ignore[attr-defined]
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in taken]
    optimizers: list[Optimizer] = [Adam(rest, lr=rates.adam, betas=(0.9, 0.99))]
    if groups:
        dtype = torch.bfloat16 if training.precision == "bf16" else torch.float32
        optimizers.append(Muon(groups, lr=1.0, dtype=dtype))
    return optimizers
