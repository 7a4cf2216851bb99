"""Vector quantisation with a codebook that stays alive.

Straight-through quantisation and both codebook updates of van den Oord et al. 2017 (equation 3 and appendix A.1).
Nothing here is about speech: ``positions`` may be time, the rows and columns of an image, or any other axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.model.config import QuantizerConfig

#: Vectors whose distances from all codes are held at a time.
_AT_ONCE = 1 << 15


@dataclass(frozen=True)
class Quantized:
    """What came out of the codebook.

    Attributes:
        values: ``(batch, dimension, *positions)``, the chosen codebook vectors; their gradient goes to the input
            unchanged.
        codes: ``(batch, *positions)`` int64, which vectors they are.
        codebook_loss: scalar, ``||sg[z] - e||²`` per component; moves the codebook alone (zero with ``update: ema``).
        commitment_loss: scalar, ``||z - sg[e]||²`` per component; moves the encoder alone. Not yet times beta.
    """

    values: Tensor
    codes: Tensor
    codebook_loss: Tensor
    commitment_loss: Tensor


class Quantizer(nn.Module):
    """A codebook of K vectors.

    Until ``start`` has been given data it lets its input through unquantised, so that the encoder can first learn
    something worth clustering.

    Args:
        config: size and update rule.
        dimension: of each vector.
    """

    codebook: Tensor
    counts: Tensor
    sums: Tensor
    started: Tensor

    def __init__(self, config: QuantizerConfig, dimension: int) -> None:
        super().__init__()
        self.config = config
        self.dimension = dimension
        vectors = torch.randn(config.codes, dimension)
        self.codebook = nn.Parameter(vectors, requires_grad=config.update == "loss")
        # Moving averages of how often each code is chosen and of the sum of what chose it.
        self.register_buffer("counts", torch.ones(config.codes))
        self.register_buffer("sums", vectors.clone())
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def nearest(self, vectors: Tensor, penalty: Tensor | None = None) -> Tensor:
        """The code nearest to each vector in Euclidean distance.

        Args:
            vectors: ``(n, dimension)``.
            penalty: ``(codes,)``, added to the squared distances from each code.

        Returns:
            ``(n,)`` int64.
        """
        # |v - e|² = |v|² - 2 v·e + |e|², and |v|² is the same for every code.
        fixed = self.codebook.square().sum(1)  # (codes,)
        if penalty is not None:
            fixed = fixed + penalty
        tiles = vectors.split(_AT_ONCE)
        return torch.cat([torch.addmm(fixed, tile, self.codebook.t(), alpha=-2).argmin(1) for tile in tiles])

    def lookup(self, codes: Tensor) -> Tensor:
        """``(batch, *positions)`` codes -> ``(batch, dimension, *positions)`` codebook vectors."""
        return F.embedding(codes, self.codebook).movedim(-1, 1)

    def embed(self, codes: Tensor) -> Quantized:
        """Vectors of another system's codes, ``(batch, *positions)`` int64; their gradient moves the codebook."""
        zero = self.codebook.new_zeros(())
        return Quantized(self.lookup(codes), codes, zero, zero)

    def forward(self, z: Tensor) -> Quantized:
        """Quantise ``z``, ``(batch, dimension, *positions)``; training with ``update: ema`` also moves the codebook."""
        with torch.autocast(z.device.type, enabled=False):
            z = z.float()
            zero = z.new_zeros(())
            if not self.started:
                return Quantized(z, z.new_zeros(z.shape[0], *z.shape[2:], dtype=torch.long), zero, zero)
            vectors = z.detach().movedim(1, -1).reshape(-1, self.dimension)  # (batch * positions, dimension)
            with torch.no_grad():
                nearest = self.nearest(vectors)  # (batch * positions,)
            codes = nearest.view(z.shape[0], *z.shape[2:])  # (batch, *positions)
            chosen = self.lookup(codes)  # (batch, dimension, *positions)
            commitment_loss = F.mse_loss(z, chosen.detach())
            codebook_loss = F.mse_loss(chosen, z.detach()) if self.config.update == "loss" else zero
            if self.training:
                self._update(vectors, nearest)
            return Quantized(z + (chosen - z).detach(), codes, codebook_loss, commitment_loss)

    @torch.no_grad()
    def start(self, vectors: Tensor, iterations: int = 10) -> None:
        """Place the codebook by k-means on data, ``(n, dimension)``, and quantise from now on.

        In a distributed run every process must call it; all take the codebook of the first.
        """
        vectors = vectors.float()
        codes = self.config.codes
        self.codebook.data.copy_(_draw(vectors, codes))
        for _ in range(iterations):
            counts, sums = self._statistics(vectors, self.nearest(vectors))  # (codes,), (codes, dimension)
            used = counts > 0
            self.codebook.data[used] = sums[used] / counts[used, None]
            self.codebook.data[~used] = _draw(vectors, int((~used).sum()))
        if dist.is_initialized():
            # Each process drew its own first vectors.
            dist.broadcast(self.codebook.data, src=0)
        # As if the averages had long been fed batches in which every code is used alike.
        self.counts.fill_(1.0)
        self.sums.copy_(self.codebook)
        self.started.fill_(True)

    def _statistics(self, vectors: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """How often each code was chosen, ``(codes,)``, and the sum of what chose it, ``(codes, dimension)``."""
        counts = torch.bincount(codes, minlength=self.config.codes).to(vectors.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, codes, vectors)
        return counts, sums

    @torch.no_grad()
    def _update(self, vectors: Tensor, codes: Tensor) -> None:
        counts, sums = self._statistics(vectors, codes)  # (codes,), (codes, dimension)
        if dist.is_initialized():
            # One codebook for all processes: its averages are those of the whole batch.
            dist.all_reduce(counts)
            dist.all_reduce(sums)
        # In units of a code's mean_count share, so that the averages do not depend on the size of the batch.
        mean_count = counts.sum() / self.config.codes
        keep = self.config.decay
        self.counts.mul_(keep).add_(counts / mean_count, alpha=1 - keep)
        self.sums.mul_(keep).add_(sums / mean_count, alpha=1 - keep)
        if self.config.update == "ema":
            # A quotient of two nearly vanished numbers is meaningless: such a code stays where it is.
            alive = self.counts > 1e-5
            self.codebook.data[alive] = self.sums[alive] / self.counts[alive, None]
        dead = self.counts < self.config.restart_below  # (codes,) bool
        if dead.any():
            self._restart(dead, vectors)

    def _restart(self, dead: Tensor, vectors: Tensor) -> None:
        fresh = _draw(vectors, int(dead.sum()))  # (dead codes, dimension)
        if dist.is_initialized():
            dist.broadcast(fresh, src=0)
        # All three together: were the averages left alone, the next update would pull the code back to where it died.
        count = max(0.3, 2 * self.config.restart_below)
        self.codebook.data[dead] = fresh
        self.counts[dead] = count
        self.sums[dead] = fresh * count


def _draw(vectors: Tensor, n: int) -> Tensor:
    """``n`` rows of ``vectors`` at random, with repetition only if there are fewer."""
    if n <= len(vectors):
        return vectors[torch.randperm(len(vectors), device=vectors.device)[:n]]
    return vectors[torch.randint(len(vectors), (n,), device=vectors.device)]


def time_jitter(values: Tensor, probability: float) -> Tensor:
    """Let each frame take its left or right neighbour's vector with the given probability in all.

    Keeps the decoder from reading fine detail out of single codes (Chorowski et al. 2019, section III-C).

    Args:
        values: ``(batch, dimension, time)``.
        probability: half of it goes to each side.
    """
    batch, _, time = values.shape
    draw = torch.rand(batch, time, device=values.device)  # (batch, time)
    step = (draw > 1 - probability / 2).long() - (draw < probability / 2).long()
    source = (torch.arange(time, device=values.device) + step).clamp(0, time - 1)  # (batch, time)
    return values.gather(2, source[:, None].expand_as(values))


def perplexity(counts: Tensor) -> float:
    """``exp`` of the entropy of the code distribution: how many codes are in effect used, from 1 to K.

    Args:
        counts: ``(codes,)``, how often each was chosen.
    """
    shares = counts.double() / counts.sum().clamp_min(1)
    return float(torch.exp(torch.special.entr(shares).sum()))
