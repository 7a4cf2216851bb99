"""What is predicted: a cluster for every position of a pack, of cepstra or of an earlier model; made once and kept.

Positions lie on one grid over the whole pack, ``hop`` samples each from its first sample on, so that any segment that
begins on the grid has its targets. A position that two utterances share has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from vqspeech.codes.duration_penalty import penalised_codes
from vqspeech.errors import InputError, decoding
from vqspeech.files import atomic_open
from vqspeech.melspectrogram import cepstra, log_mel, normalized
from vqspeech.model.config import CEPSTRAL_BANDS, ModelConfig
from vqspeech.model.quantizer import Quantizer
from vqspeech.training.pack import Pack
from vqspeech.training.pack.tensors import map_tensors
from vqspeech.training.units.config import TargetsConfig, UnitsPreset

#: Called with utterances done and all of them.
Progress = Callable[[int, int], None]

#: Labels an utterance: ``(samples,)`` float32, a whole number of hops -> ``(hops,)`` integers.
Labeller = Callable[[NDArray[np.float32]], NDArray[np.int64]]
#: Frames to either side that a slope is fitted over.
_SLOPE = 2
#: Seconds at a time of an utterance that are labelled; no utterance is longer in the corpora that are known.
_LONGEST = 120


def label_pack(pack: Pack, hop: int, label: Labeller, progress: Progress | None = None) -> NDArray[np.int16]:
    """Label every position of a pack.

    Args:
        pack: the speech.
        hop: samples of a position.
        label: is given each utterance, from its first position on.
        progress: called with utterances done and all of them.

    Returns:
        ``(positions,)``; -1 where a position is in no utterance, or in two.
    """
    labels = np.full(len(pack.samples) // hop, -1, np.int16)
    pieces = list(_pieces(pack, hop))
    for done, (first, last) in enumerate(pieces, 1):
        waveform = pack.samples[first * hop : last * hop].astype(np.float32) / np.float32(32767)
        labels[first:last] = label(waveform)
        if progress is not None:
            progress(done, len(pieces))
    return labels


def cepstral_targets(
    cache: Path, packs: Mapping[str, Pack], preset: UnitsPreset, progress: Progress | None = None
) -> dict[str, NDArray[np.int16]]:
    """Clusters of cepstra for some packs, placed on the first of them: what the first iteration predicts.

    Args:
        cache: as for ``kept_targets``, likewise the rest.
        packs: by name.
        preset: how many clusters, of what.
        progress: called with utterances done and all of them, of each pack.

    Raises:
        InputError: as by ``kept_targets``.
    """
    training = preset.training
    told = msgspec.to_builtins(training.targets)
    del told["units"]  # of an earlier model
    if not training.targets.duration_penalty:
        del told["duration_penalty"]  # targets made before there was one are the same
    made_by = f"cepstra {told} {training.seed}"

    def labeller() -> Labeller:
        return CepstralClusters(training.targets, preset.model, next(iter(packs.values())), training.seed)

    return kept_targets(cache, packs, preset.model.code_hop, labeller, made_by=made_by, progress=progress)


def kept_targets(
    cache: Path,
    packs: Mapping[str, Pack],
    hop: int,
    labeller: Callable[[], Labeller],
    *,
    made_by: str,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.int16]]:
    """Targets for some packs, kept in a file so that a run that is resumed finds them.

    Args:
        cache: that file, safetensors.
        packs: by name.
        hop: samples of a position.
        labeller: makes what labels an utterance; called only where there is no file.
        made_by: what decides the labels.
        progress: called with utterances done and all of them, of each pack.

    Returns:
        The targets of each pack, ``(positions,)``, memory-mapped.

    Raises:
        InputError: the file is damaged, or of other speech or other clusters.
    """
    told = {"made_by": made_by} | {name: f"{len(pack.samples)} {len(pack.ends)}" for name, pack in packs.items()}
    if not cache.exists():
        label = labeller()
        made = {name: label_pack(pack, hop, label, progress) for name, pack in packs.items()}
        with atomic_open(cache, "wb") as file:
            file.write(save(made, told))
    with decoding("damaged targets", where=cache, hint="remove them, to have them made again"):
        found, targets = map_tensors(cache)
        targets = {name: targets[name] for name in packs}
    if found != told:
        raise InputError(
            "targets of other speech or of other clusters", where=cache, hint="use another --out, or remove them"
        )
    return targets


def _pieces(pack: Pack, hop: int) -> Iterator[tuple[int, int]]:
    """First position of each utterance and the one after its last; very long ones in parts."""
    start = 0
    most = _LONGEST * pack.sample_rate // hop
    for end in pack.ends[:].tolist():
        first, last = -(-start // hop), end // hop
        for part in range(first, last, most):
            yield part, min(part + most, last)
        start = end


class CepstralClusters:
    """K-means clusters of normalised cepstra with their slopes: what HuBERT's first iteration predicts.

    Args:
        config: how many clusters, of what.
        model: whose code rate and log-mel frames are used.
        pack: a random part of whose utterances the clusters are placed on.
        seed: of that draw.
    """

    def __init__(self, config: TargetsConfig, model: ModelConfig, pack: Pack, seed: int) -> None:
        self.config = config
        self.model = model
        pieces = list(_pieces(pack, model.code_hop))
        found, frames = [], 0
        for index in np.random.default_rng(seed).permutation(len(pieces)):
            first, last = pieces[index]
            waveform = pack.samples[first * model.code_hop : last * model.code_hop].astype(np.float32) / np.float32(
                32767
            )
            found.append(self.features(waveform))
            frames += len(found[-1])
            if frames >= config.frames:
                break
        self.centroids = kmeans(torch.cat(found)[: config.frames], config.clusters, seed=seed)

    @torch.no_grad()
    def features(self, waveform: NDArray[np.float32]) -> Tensor:
        """``(samples,)`` -> ``(hops, 3 cepstra)``, each column of about unit spread."""
        model = self.model
        emphasised = torch.from_numpy(waveform)[None]  # (1, samples)
        emphasised = emphasised - model.audio.emphasis * F.pad(emphasised, (1, -1))
        bands = log_mel(
            emphasised * model.audio.gain,
            sample_rate=model.audio.sample_rate,
            hop=model.encoder.mel_hop,
            bands=CEPSTRAL_BANDS,
        )  # (1, frames, bands)
        frames = normalized(cepstra(bands, self.config.cepstra))  # (1, frames, cepstra)
        first = slopes(frames)
        # A slope in frames is small: brought to the spread of what it is the slope of, about.
        found = torch.cat([frames, 4 * first, 8 * slopes(first)], 2)[0]  # (frames, 3 cepstra)
        per_code = model.code_hop // model.encoder.mel_hop
        return found.unflatten(0, (-1, per_code)).mean(1)  # (hops, 3 cepstra)

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.int64]:
        """Label an utterance."""
        features = self.features(waveform)  # (hops, 3 cepstra)
        if self.config.duration_penalty:
            penalty = self.config.duration_penalty
            return penalised_codes(features.numpy(), self.centroids.numpy(), penalty=penalty).astype(np.int64)
        labels: NDArray[np.int64] = torch.cdist(features, self.centroids).argmin(1).numpy()
        return labels


def slopes(frames: Tensor) -> Tensor:
    """The slope over five frames of each column, by least squares; ``(batch, time, columns)`` in and out."""
    weights = torch.arange(-_SLOPE, _SLOPE + 1, dtype=frames.dtype)
    weights = weights / weights.square().sum()
    padded = F.pad(frames.transpose(1, 2), (_SLOPE, _SLOPE), mode="replicate")  # (batch, columns, time + 4)
    return (padded.unfold(2, 2 * _SLOPE + 1, 1) * weights).sum(3).transpose(1, 2)  # (batch, time, columns)


def kmeans(vectors: Tensor, clusters: int, *, seed: int, iterations: int = 25) -> Tensor:
    """Lloyd's algorithm with the package's quantiser; ``(n, dimension)`` -> ``(clusters, dimension)``."""
    from vqspeech.model.config import QuantizerConfig

    config = QuantizerConfig(codes=clusters, update="ema", decay=0.99, commitment=0.0, restart_below=0.0, jitter=0.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        quantizer = Quantizer(config, vectors.shape[1])
        quantizer.start(vectors, iterations)
    return quantizer.codebook.detach()
