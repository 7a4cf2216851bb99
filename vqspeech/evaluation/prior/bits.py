"""What held-out codes cost: a prior's bits beside those of n-gram models of the same codes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vqspeech.counts import counted
from vqspeech.errors import InputError
from vqspeech.evaluation.bootstrap import Intervals, interval, resampling
from vqspeech.evaluation.prior.ngrams import NGrams

Codes = NDArray[np.int32]

_NAMES = {1: "unigram", 2: "bigram", 3: "trigram"}


@dataclass(frozen=True, slots=True)
class Bits:
    """Bits per code of each model, on the same codes.

    Attributes:
        codebook: ``log2 K``: bits per code of the uniform distribution.
        ngrams: order -> bits per code.
        prior: bits per code; None where no prior was given.
        intervals: by speaker, of ``prior``, of each n-gram model by its name (``trigram``), and of what the prior saves
            against it (``trigram - prior``).
        codes: how many were scored.
        utterances: in how many utterances.
        speakers: of how many speakers.
        train_codes: how many the n-grams were counted on.
        code_rate: codes per second.
    """

    codebook: float
    ngrams: dict[int, float]
    prior: float | None
    intervals: Intervals
    codes: int
    utterances: int
    speakers: int
    train_codes: int
    code_rate: float


def ngram_name(order: int) -> str:
    """``3`` -> ``trigram``, ``4`` -> ``4-gram``."""
    return _NAMES.get(order, f"{order}-gram")


def measure(
    held_out: Mapping[str, Codes],
    speakers: Sequence[str],
    ngrams: NGrams,
    *,
    prior: Mapping[str, float] | None = None,
    train_codes: int,
    code_rate: float,
    seed: int = 0,
) -> Bits:
    """Compare a prior with n-gram models.

    Args:
        held_out: utterance -> codes, none of which the models were trained on.
        speakers: who spoke each.
        ngrams: fitted to the training codes.
        prior: utterance -> what all its codes cost the prior, in bits; as ``read_scores`` gives it.
        train_codes: how many codes the n-grams were counted on.
        code_rate: codes per second.
        seed: of the bootstrap.
    """
    lengths = np.array([len(codes) for codes in held_out.values()], np.float64)
    costs = {
        ngram_name(order): np.array([bits.sum() for bits in ngrams.bits(held_out.values(), order=order)])
        for order in range(1, ngrams.order + 1)
    }
    if prior is not None:
        own = np.array([prior[name] for name in held_out])
        costs |= {f"{name} - prior": cost - own for name, cost in costs.items()}
        costs["prior"] = own
    total = max(lengths.sum(), 1.0)
    draws = resampling(speakers, seed=seed)
    bounds = {}
    if draws.unit:
        for name, cost in costs.items():
            drawn = draws.share(cost, lengths)
            bounds[name] = interval(float(cost.sum() / total), drawn, lowest=-np.inf, highest=np.inf)
    return Bits(
        codebook=float(np.log2(ngrams.codebook_size)),
        ngrams={order: float(costs[ngram_name(order)].sum() / total) for order in range(1, ngrams.order + 1)},
        prior=float(costs["prior"].sum() / total) if prior is not None else None,
        intervals=Intervals(draws.unit, draws.units, bounds=bounds),
        codes=int(lengths.sum()),
        utterances=len(held_out),
        speakers=len(set(speakers)),
        train_codes=train_codes,
        code_rate=code_rate,
    )


def read_scores(path: str | os.PathLike[str], held_out: Mapping[str, Codes]) -> dict[str, float]:
    """Read what ``vqspeech score`` writes: one line per utterance, ``utt-id bits codes``.

    Args:
        path: the file.
        held_out: the codes that were scored.

    Returns:
        Utterance -> bits of all its codes.

    Raises:
        InputError: a line is malformed, an utterance occurs twice or has another number of codes than it was scored
            with, or one has no score.
        OSError: the file cannot be read.
    """
    found: dict[str, float] = {}
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            words = line.split()
            try:
                name, bits, codes = words[0], float(words[1]), int(words[2])
                if len(words) != 3 or not 0 <= bits < np.inf:
                    raise ValueError
            except (ValueError, IndexError):
                raise InputError(
                    f"not a score: {line.strip()[:60]!r}",
                    where=path,
                    line=number,
                    hint="a line is: utterance-id bits codes",
                ) from None
            if name in found:
                raise InputError(f"utterance {name} occurs twice", where=path, line=number, hint="keep one of them")
            if name in held_out and len(held_out[name]) != codes:
                raise InputError(
                    f"utterance {name} was scored with {counted(codes, 'code')}, and has {len(held_out[name])}",
                    where=path,
                    line=number,
                    hint="score the same codes: vqspeech score --codes",
                )
            found[name] = bits
    missing = [name for name in held_out if name not in found]
    if missing:
        raise InputError(
            f"no score of {counted(len(missing), 'utterance')}, e.g. {missing[0]}",
            where=path,
            hint="score the same codes: vqspeech score --codes",
        )
    return {name: found[name] for name in held_out}
