"""ABX by fastabx (Poli, Chemla and Dupoux 2025), where it is installed: the engine that the field compares by."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from vqspeech.errors import InputError
from vqspeech.evaluation.abx.tokens import Cells, Distance, Speaker, Tokens


def compare(
    tokens: Tokens,
    *,
    speaker: Speaker,
    codebook: NDArray[np.float32] | None,
    distance: Distance,  # noqa: ARG001
    max_size_group: int,
    max_x_across: int,
    seed: int,
) -> Cells:
    """Compare as :func:`dtw.compare` does, by fastabx and the angular distance. Arguments as of :func:`abx.evaluate`.

    Raises:
        InputError: fastabx is not installed.
    """
    try:
        import polars
        import torch
        from fastabx import Dataset, EmptyTaskError, InMemoryAccessor, Score, Subsampler, Task
    except ImportError as error:
        raise InputError(
            f"fastabx cannot be used: {error}", hint="pip install 'vqspeech[abx]' under Python 3.12 or later"
        ) from None
    if not len(tokens):
        return Cells.of([])
    ends = np.cumsum([len(sequence) for sequence in tokens.sequences]).tolist()
    places = dict(enumerate(zip([0, *ends[:-1]], ends, strict=True)))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    accessor = InMemoryAccessor(places, torch.from_numpy(_frames(tokens, codebook)), device)
    before, after = zip(*tokens.contexts, strict=True)
    columns = {"phone": tokens.phones, "before": before, "after": after, "speaker": tokens.speakers}
    try:
        task = Task(
            Dataset(polars.DataFrame(columns), accessor),
            on="phone",
            by=["before", "after", *(["speaker"] if speaker == "within" else [])],
            across=["speaker"] if speaker == "across" else None,
            subsampler=Subsampler(max_size_group, max_x_across if speaker == "across" else None, seed=seed),
        )
    except EmptyTaskError:
        return Cells.of([])
    codes_alone = tokens.codebook_size is not None and codebook is None
    with _quiet():
        scored = Score(task, "identical" if codes_alone else "angular").cells
    shown = scored.select("phone", "phone_b", "speaker", "score", "size").iter_rows()
    return Cells.of([((ours, other), name, error, triples) for ours, other, name, error, triples in shown])


def _frames(tokens: Tokens, codebook: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """All frames one after another, shape ``(frames, dimensions)``; codes without a codebook as one column."""
    frames = np.concatenate([np.asarray(sequence) for sequence in tokens.sequences])
    if tokens.codebook_size is None:
        return np.ascontiguousarray(frames, np.float32)
    if codebook is not None:
        return np.ascontiguousarray(codebook[frames], np.float32)
    return frames[:, None].astype(np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without fastabx's progress bar, which would run through the lines of the command's table."""
    before = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TQDM_DISABLE"]
        else:
            os.environ["TQDM_DISABLE"] = before
