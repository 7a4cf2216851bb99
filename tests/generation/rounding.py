"""How far the logits of a WaveNet may be from their exact values when they are computed in float32.

Each of the ``n`` operations of a sum of products rounds to within ``u = 2**-24`` of the partial sum it has reached, so

    fl(y) - y = sum over k of e_k s_k,   |e_k| <= u,   for the partial sums s_k of y = W x + b, in any order

(Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 4.2). Partial sums of products of either sign
stay within about ``r = sqrt(sum of (w_i x_i)^2)`` of the line from 0 to ``y``, and the ``e_k`` are as good as
independent and of mean zero (Higham and Mary 2020, "Sharper probabilistic backward error analysis for basic linear
algebra kernels with random data"), so that the sum is off by about

    sqrt(n) u (r + |y| + |b|)

at most. A float32 evaluation is thus a float64 evaluation in which each sum is changed by so much: ``rounded_logits``
changes each by the whole of it, with a random sign, and what becomes of the changes on the way through the layers is
computed and not estimated. The worst case of each sum, ``n u (|W| |x| + |b|)``, carried through in the same way allows
600 times the error that is met; carried through with absolute values it forbids nothing.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vqspeech.model.wavenet import WaveNet

UNIT = 2.0**-24
#: Of a gated unit: an approximation of tanh that is exact to 3e-7 in both factors, and the rounding of its evaluation.
GATED_UNIT = 2.0**-20
#: What the largest change of many logits is multiplied by: the model of a sum's error is one of its size alone.
MARGIN = 2.0


@torch.no_grad()
def rounded_logits(
    wavenet: WaveNet, previous: Tensor, layers: Tensor, current: Tensor | None = None, *, seed: int | None
) -> Tensor:
    """Logits in float64, with what rounding to float32 may change.

    Args:
        wavenet: with float32 weights, which are taken as exact.
        previous: ``(batch, time)`` classes, as for ``WaveNet.forward``.
        layers: ``(batch, frames, layers, 2 gate)`` float32, from ``WaveNet.condition``, taken as exact.
        current: of several bands, as for ``WaveNet.forward``.
        seed: of the signs; None for exact values.

    Returns:
        ``(batch, time, classes)`` float64, or ``(batch, time, bands, classes)``.
    """
    c = wavenet.config
    weights = {name: value.double() for name, value in wavenet.state_dict().items()}
    generator = torch.Generator().manual_seed(seed or 0)

    def changed(value: Tensor, bound: Tensor | float) -> Tensor:
        if seed is None:
            return value
        signs = torch.randint(2, value.shape, generator=generator) * 2 - 1
        return value + signs * bound

    def product(x: Tensor, weight: Tensor, addend: Tensor) -> Tensor:
        exact = F.linear(x, weight) + addend
        magnitude = F.linear(x**2, weight**2).sqrt() + exact.abs() + addend.abs()
        return changed(exact, math.sqrt(weight.shape[1] + 1) * UNIT * magnitude)

    time = previous.shape[1]
    conditioning = layers.double().repeat_interleave(time // layers.shape[1], 1)
    tables = weights["embedding.weight"].chunk(c.bands)
    embedded = [tables[band][previous.view(*previous.shape[:2], -1)[..., band]] for band in range(c.bands)]
    x = sum(embedded[1:], start=embedded[0])  # (batch, time, residual)
    if c.bands > 1:
        x = changed(x, c.bands * UNIT * sum(values.abs() for values in embedded))
    gated = []
    for layer, dilation in enumerate(c.dilations):
        taps = [F.pad(x, (0, 0, back * dilation, 0))[:, :time] for back in range(c.kernel - 1, -1, -1)]
        sums = product(torch.cat(taps, -1), weights[f"dilated.{layer}.weight"], conditioning[:, :, layer])
        a, b = sums.chunk(2, -1)
        gated.append(changed(torch.tanh(a) * torch.sigmoid(b), GATED_UNIT))
        residual = product(gated[-1], weights[f"residual.{layer}.weight"], weights[f"residual.{layer}.bias"])
        x = changed(x + residual, UNIT * (x + residual).abs())
    skip = F.relu(product(torch.cat(gated, -1), weights["skip.weight"], weights["skip.bias"]))
    hidden = product(skip, weights["hidden.weight"], weights["hidden.bias"]).chunk(c.bands, -1)
    outputs = zip(weights["output.weight"].chunk(c.bands), weights["output.bias"].chunk(c.bands), strict=True)
    logits = []
    for band, (weight, bias) in enumerate(outputs):
        total = hidden[band]
        for lower in range(band):
            assert current is not None
            total = total + wavenet.below_table(lower, band).double()[current[..., lower]]
            total = changed(total, UNIT * total.abs())
        logits.append(product(F.relu(total), weight, bias))
    return logits[0] if c.bands == 1 else torch.stack(logits, 2)


def fp32_error(
    wavenet: WaveNet, previous: Tensor, layers: Tensor, current: Tensor | None = None
) -> tuple[Tensor, float]:
    """The exact logits, and how far from them those computed in float32 may be."""
    exact = rounded_logits(wavenet, previous, layers, current, seed=None)
    changes = [rounded_logits(wavenet, previous, layers, current, seed=seed) - exact for seed in range(3)]
    return exact, MARGIN * float(torch.stack(changes).abs().max())
