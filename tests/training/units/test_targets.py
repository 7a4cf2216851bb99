"""``vqspeech.training.units.targets``: on one grid, one label a position, kept for a resumed run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from small_units import make_pack, small_preset

from vqspeech.errors import InputError
from vqspeech.training.units.targets import CepstralClusters, cepstral_targets, kmeans, label_pack, slopes

PACK = make_pack({"ann": [1.0, 0.7], "bob": [1.3]})


def test_each_position_has_the_label_of_its_own_samples_and_shared_ones_none() -> None:
    hop = 320

    def label(waveform: NDArray[np.float32]) -> NDArray[np.int64]:
        # Which samples it was given shows in the sum of each hop.
        return np.abs(waveform.reshape(-1, hop)).sum(1).astype(np.int64)

    labels = label_pack(PACK, hop, label)
    assert labels.shape == (len(PACK.samples) // hop,)
    bounds = [0, *PACK.ends.tolist()]
    for position, found in enumerate(labels.tolist()):
        first, end = position * hop, (position + 1) * hop
        if any(first < bound < end for bound in bounds):
            assert found == -1
        else:
            own = np.abs(PACK.samples[first:end].astype(np.float32) / 32767).sum()
            assert found == int(own)


def test_slopes_are_those_of_a_least_squares_line() -> None:
    frames = torch.randn(2, 30, 3, dtype=torch.float64)
    found = slopes(frames)
    for at in (2, 11, 27):
        fitted = np.polyfit(np.arange(5), frames[1, at - 2 : at + 3].numpy(), 1)[0]
        np.testing.assert_allclose(found[1, at].numpy(), fitted, atol=1e-12)


def test_clusters_of_cepstra_tell_vowels_apart_whatever_the_loudness() -> None:
    preset = small_preset()
    clusters = CepstralClusters(preset.training.targets, preset.model, PACK, seed=0)
    waveform = PACK.samples[: 320 * 40].astype(np.float32) / 32767
    labels = clusters(waveform)
    assert len(labels) == 40
    assert len(np.unique(labels)) > 1
    assert (clusters(0.5 * waveform) == labels).mean() > 0.9


def test_penalised_clusters_of_cepstra_change_less_often() -> None:
    waveform = PACK.samples[: 320 * 40].astype(np.float32) / 32767
    changes = []
    for penalty in (0, 1, 100):
        preset = small_preset(f"training.targets.duration_penalty={penalty}")
        labels = CepstralClusters(preset.training.targets, preset.model, PACK, seed=0)(waveform)
        changes.append(np.count_nonzero(np.diff(labels)))
    assert changes[0] > changes[1] > changes[2] == 0


def test_kmeans_finds_clusters_that_lie_apart_and_leaves_the_random_state() -> None:
    torch.manual_seed(3)
    centres = 20 * torch.randn(4, 6)
    vectors = torch.cat([centre + torch.randn(50, 6) for centre in centres])
    state = torch.get_rng_state()
    found = kmeans(vectors, 4, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    spread = torch.cdist(vectors, found).min(1).values.square().mean()
    assert spread < (vectors - vectors.mean(0)).square().sum(1).mean() / 4


def test_targets_are_kept_and_those_of_other_clusters_refused(tmp_path: Path) -> None:
    cache, packs = tmp_path / "targets.safetensors", {"train": PACK}
    first = cepstral_targets(cache, packs, small_preset())
    assert set(first["train"].tolist()) <= set(range(-1, 5))
    written = cache.stat().st_mtime_ns
    again = cepstral_targets(cache, packs, small_preset())
    assert cache.stat().st_mtime_ns == written
    np.testing.assert_array_equal(first["train"], again["train"])
    with pytest.raises(InputError, match="other clusters"):
        cepstral_targets(cache, packs, small_preset("training.targets.clusters=4"))
    with pytest.raises(InputError, match="other speech"):
        cepstral_targets(cache, {"train": make_pack({"ann": [1.0]})}, small_preset())
    cache.write_bytes(cache.read_bytes()[:40])
    with pytest.raises(InputError, match="damaged"):
        cepstral_targets(cache, packs, small_preset())
