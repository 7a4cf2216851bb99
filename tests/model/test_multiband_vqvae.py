"""A VQ-VAE with a multi-band decoder: its likelihood, its place in a model directory, that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import make_config, make_model
from torch import Tensor

from vqspeech.errors import InputError
from vqspeech.model.calibration import measure_activation_peaks
from vqspeech.model.checkpoint import codes_checksum, load_model, save_model
from vqspeech.model.sub_bands import SubBandCompanding
from vqspeech.model.vqvae import VQVAE


def make_multiband() -> VQVAE:
    return make_model(make_config(decoder={"bands": 4}))


def make_batch(codes: int = 12) -> tuple[Tensor, Tensor]:
    """``targets``, frames."""
    torch.manual_seed(1)
    return 0.2 * torch.randn(3, codes * 16 + 1), torch.randn(3, 2 * codes, 7)


def test_the_likelihood_is_that_of_the_classes_of_all_bands() -> None:
    model = make_multiband()
    targets, frames = make_batch()
    classes = model.companding.classes(targets[:, 1:], targets[:, :1])  # (batch, steps, bands)
    previous = torch.cat([torch.full((3, 1, 4), 32), classes[:, :-1]], 1)
    chances = model.decoder(previous, frames, classes).log_softmax(-1)
    expected = -chances.gather(3, classes[..., None])[..., 0]
    nll = model.nll(targets, frames, (0, 24))
    assert nll.shape == (3, 192)
    torch.testing.assert_close(nll, expected.flatten(1))
    torch.testing.assert_close(model.conditioned_nll(targets, model.decoder.condition(frames)), nll)


def test_a_crop_is_that_part_of_the_whole_once_the_decoder_has_heard_enough() -> None:
    model = make_multiband().eval()
    targets, frames = make_batch()
    whole, crop = model.nll(targets, frames, (0, 24)), model.nll(targets, frames, (5, 10))
    field = model.config.decoder.receptive_field
    assert field == 28
    torch.testing.assert_close(crop[:, field - 4 :], whole[:, 40 + field - 4 : 120])


def test_classes_are_the_same_under_autocast() -> None:
    model = make_multiband()
    targets, _ = make_batch()
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.decoder_classes(targets, 0, 24)
    assert all(torch.equal(a, b) for a, b in zip(rough, model.decoder_classes(targets, 0, 24), strict=True))


def test_bf16_trains_nearly_what_fp32_does() -> None:
    model = make_multiband()
    targets, frames = make_batch()
    exact = model.nll(targets, frames, (0, 24)).mean()
    with torch.autocast("cpu", torch.bfloat16):
        rough = model.nll(targets, frames, (0, 24)).mean()
    assert abs(exact - rough) < 0.01


def test_a_model_directory_keeps_bands_and_gains(tmp_path: Path) -> None:
    model, other = make_multiband(), make_model()
    assert isinstance(model.companding, SubBandCompanding)
    model.companding.gains.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    save_model(model, tmp_path / "bands")
    save_model(other, tmp_path / "one")
    loaded = load_model(tmp_path / "bands")
    assert isinstance(loaded.companding, SubBandCompanding)
    assert loaded.companding.gains.tolist() == [1, 2, 3, 4]
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())
    # Bands are the decoder's alone: codes of the same encoder are of one kind.
    state = other.state_dict()
    model.load_state_dict({n: state.get(n, v) if n.startswith(("encoder.", "quantizer.")) else v
                           for n, v in model.state_dict().items()})  # fmt: skip
    save_model(model, tmp_path / "bands")
    assert codes_checksum(tmp_path / "bands") == codes_checksum(tmp_path / "one")


def test_frames_are_whole_steps() -> None:
    with pytest.raises(InputError, match=r"bands is 3, but a frame lasts 8 samples"):
        make_config(decoder={"bands": 3})


def test_a_tiny_model_learns_a_tone() -> None:
    model = make_model(make_config(decoder={"bands": 4, "residual": 16, "gate": 16, "skip": 24, "output": 24}))
    time = torch.arange(16 * 40 + 1)
    targets = torch.stack([0.1 * torch.sin(0.9 * time + phase) for phase in (0.0, 1.0, 2.0)])
    frames = torch.zeros(3, 80, 7)
    optimizer = torch.optim.Adam(model.decoder.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        loss = model.nll(targets, frames, (0, 80)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 3.5  # log 64 = 4.16
    assert losses[-1] < losses[0] / 2


def test_calibration_takes_what_training_gives() -> None:
    model = make_multiband()
    targets, frames = make_batch()
    previous, current = model.decoder_classes(targets, 0, 24)
    peaks = measure_activation_peaks(model.decoder, [(previous, frames, current)])
    assert peaks.shape == (4 + 1 + 4,)
    assert (peaks > 0).all()
