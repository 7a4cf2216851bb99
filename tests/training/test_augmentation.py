"""``vqspeech.training.augmentation``: spectra of another throat, room or microphone, of the same shape and timing."""

from __future__ import annotations

import pytest
import torch

from vqspeech.training import augmentation
from vqspeech.training.augmentation import SpectralAugmentation


def power(batch: int = 4, frames: int = 30, bins: int = 129) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(batch, frames, bins).square()


def test_without_effects_nothing_changes() -> None:
    x = power()
    assert torch.equal(SpectralAugmentation(warp=0, channel=0, frame_rate=250)(x), x)


def test_the_same_seed_gives_the_same_spectra_and_rows_differ() -> None:
    x = power()[:1].repeat(4, 1, 1)
    augment = SpectralAugmentation(warp=1, channel=1, frame_rate=250)
    torch.manual_seed(7)
    first = augment(x)
    torch.manual_seed(7)
    assert torch.equal(augment(x), first)
    assert not torch.allclose(first[0], first[1])
    assert first.shape == x.shape
    assert (first >= 0).all()
    assert first.isfinite().all()


def test_warping_moves_a_line_by_the_factor_and_keeps_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.zeros(shape).add(0.999999))
    x = torch.zeros(1, 5, 129)
    x[0, 2, 40] = 1
    augment = SpectralAugmentation(warp=1, channel=0, frame_rate=250)
    y = augment(x)
    assert (y[0].sum(1) > 0).nonzero().flatten().tolist() == [2]
    assert y[0, 2].argmax() == round(40 * augmentation.WARP)


def test_channel_effects_occur_as_often_as_asked() -> None:
    torch.manual_seed(0)
    x = power(batch=400, frames=4)
    changed = (SpectralAugmentation(warp=0, channel=0.5, frame_rate=250)(x) != x).any(2).any(1)
    # Of the rows that are chosen a few get no single effect.
    none = 1.0
    for chance in (augmentation.EQUALISER, augmentation.BAND_LIMIT, augmentation.NOISE, augmentation.REVERBERATION):
        none *= 1 - chance
    assert changed.float().mean() == pytest.approx(0.5 * (1 - none), abs=4 * 0.5 / 20)


def test_reverberation_follows_a_sound_and_never_precedes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EQUALISER", "BAND_LIMIT", "NOISE"):
        monkeypatch.setattr(augmentation, name, 0.0)
    monkeypatch.setattr(augmentation, "REVERBERATION", 1.0)
    x = torch.zeros(1, 50, 9)
    x[0, 20] = 1
    y = SpectralAugmentation(warp=0, channel=1, frame_rate=100)(x)
    assert not y[0, :20].any()
    tail = y[0, 21:, 0]
    assert (tail > 0).all()
    assert (tail[1:] < tail[:-1]).all()
    torch.testing.assert_close(tail[2:] / tail[1:-1], (tail[1] / tail[0]).expand(len(tail) - 2), rtol=1e-3, atol=0)
