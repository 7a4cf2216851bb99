"""``vqspeech.training.warm_start``: a run begins exactly as good as the model it begins from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_models import make_config, make_model
from small_training import make_pack, make_preset

from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import codes_checksum, load_model, save_model
from vqspeech.model.vqvae import VQVAE
from vqspeech.training.trainer import Trainer
from vqspeech.training.vqvae_task import VQVAETask
from vqspeech.training.warm_start import initialise_from

TRAIN, DEV = make_pack(copies=1), make_pack({"ann": [1500], "bob": [2000]})


def logits(model: VQVAE, speaker: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    heard = torch.randn(1, 64, generator=generator)
    previous = torch.randint(model.config.audio.levels, (1, 64), generator=generator)
    model.eval()
    frames = model.frames(model.quantize(heard).values, torch.tensor([model.speakers.index(speaker)]))
    return model.decoder(previous, frames)


def make_other(speakers: tuple[str, ...] = ("ann", "bob", "cyd"), **changes: dict[str, object]) -> VQVAE:
    torch.manual_seed(7)
    return VQVAE(make_config(**changes), speakers)


def test_the_same_shape_takes_every_weight() -> None:
    trained, model = make_model(), make_other()
    initialise_from(model, trained, where="m")
    for name, tensor in trained.state_dict().items():
        assert torch.equal(model.state_dict()[name], tensor), name


@pytest.mark.parametrize("layers", [5, 8])
def test_new_layers_are_silent_at_first_and_learn(layers: int) -> None:
    trained, model = make_model(), make_other(decoder={"layers": layers})
    initialise_from(model, trained, where="m")
    torch.testing.assert_close(logits(model, "bob"), logits(trained, "bob"))
    logits(model, "bob").square().sum().backward()
    new = model.decoder.skip.weight.grad
    assert new is not None
    assert new[:, 4 * model.decoder.config.gate :].abs().sum() > 0


def test_voices_go_by_name() -> None:
    trained, model = make_model(), make_other(("bob", "zoe", "ann"))
    initialise_from(model, trained, where="m")
    for speaker in ("ann", "bob"):
        torch.testing.assert_close(logits(model, speaker), logits(trained, speaker))
    known = trained.conditioner.speakers.weight
    torch.testing.assert_close(model.conditioner.speakers.weight[1], known.mean(0))


@pytest.mark.parametrize("decoder", [{"layers": 2}, {"gate": 6}, {"bands": 4}])
def test_another_decoder_begins_anew_behind_the_trained_front_end(decoder: dict[str, int]) -> None:
    trained, model = make_model(), make_other(decoder=decoder)
    fresh = {name: tensor.clone() for name, tensor in model.decoder.state_dict().items()}
    initialise_from(model, trained, where="m")
    for name, tensor in model.decoder.state_dict().items():
        assert torch.equal(tensor, fresh[name]), name
    for name, tensor in trained.state_dict().items():
        if name.startswith(("encoder.", "quantizer.", "conditioner.")):
            assert torch.equal(model.state_dict()[name], tensor), name


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"quantizer": {"codes": 16}}, "model.quantizer.codes is 8, not 16"),
        ({"encoder": {"channels": 7}}, "model.encoder.channels is 6, not 7"),
    ],
)
def test_other_differences_are_named(changes: dict[str, dict[str, object]], named: str) -> None:
    with pytest.raises(InputError, match=named) as caught:
        initialise_from(make_other(**changes), make_model(), where="the-model")
    assert "the-model" in str(caught.value)


def trained_model(folder: Path) -> Path:
    """A model of the tiny preset, after a few steps."""
    preset = make_preset()
    Trainer(VQVAETask(preset, TRAIN, DEV), folder, Devices.find("cpu", "fp32")).run()
    return folder


KEPT = ("training.keep_codes=true", "training.quantize_from=0", "training.decode_from=0", "model.decoder.layers=4")


def test_kept_codes_are_the_same_to_the_bit_and_the_rest_learns(tmp_path: Path) -> None:
    first = trained_model(tmp_path / "first")
    task = VQVAETask(make_preset(*KEPT), TRAIN, DEV, initialise_from=first)
    begun = {name: tensor.clone() for name, tensor in task.model.state_dict().items()}
    Trainer(task, tmp_path / "second", Devices.find("cpu", "fp32")).run()
    ended = task.model.state_dict()
    changed = {name.split(".")[0] for name in begun if not torch.equal(begun[name], ended[name])}
    assert changed == {"conditioner", "decoder"}
    save_model(load_model(first), tmp_path / "a")
    save_model(task.model, tmp_path / "b")
    assert codes_checksum(tmp_path / "a") == codes_checksum(tmp_path / "b")


def test_a_run_that_was_stopped_goes_on_without_the_first_model(tmp_path: Path) -> None:
    first = trained_model(tmp_path / "first")
    out, devices = tmp_path / "second", Devices.find("cpu", "fp32")
    Trainer(VQVAETask(make_preset(*KEPT), TRAIN, DEV, initialise_from=first), out, devices).run()
    resumed = VQVAETask(make_preset(*KEPT), TRAIN, DEV)
    assert Trainer(resumed, out, devices).run().measures.used > 0


def test_a_codebook_of_another_size_is_placed_on_what_the_trained_encoder_makes(tmp_path: Path) -> None:
    first = trained_model(tmp_path / "first")
    task = VQVAETask(
        make_preset("model.quantizer.codes=32", "training.quantize_from=0"), TRAIN, DEV, initialise_from=first
    )
    trained, model = load_model(first), task.model
    assert not model.quantizer.started
    for name, tensor in trained.state_dict().items():
        if name.startswith(("encoder.", "conditioner.")):
            assert torch.equal(model.state_dict()[name], tensor), name
    task.prepare(0, torch.device("cpu"))
    assert model.quantizer.started
    assert model.quantizer.codebook.unique(dim=0).shape == (32, 4)
    # What is left of the encoder's vectors of speech is less than with the trained codebook of 8.
    waveform = torch.from_numpy(TRAIN.samples[: 4 * 1024].astype("float32") / 32767)[None]
    with torch.no_grad():
        vectors = trained.encoder(trained.companding.preemphasise(waveform))  # (1, 4, codes)
    errors = [(each.eval().quantizer(vectors).values - vectors).square().mean() for each in (trained, model)]
    assert errors[1] < 0.7 * errors[0]


def test_kept_codes_must_be_as_many(tmp_path: Path) -> None:
    first = trained_model(tmp_path / "first")
    with pytest.raises(InputError, match=r"model\.quantizer\.codes is 8, not 16"):
        VQVAETask(make_preset(*KEPT, "model.quantizer.codes=16"), TRAIN, DEV, initialise_from=first)


def test_there_must_be_codes_to_keep(tmp_path: Path) -> None:
    task = VQVAETask(make_preset(*KEPT), TRAIN, DEV)
    with pytest.raises(InputError, match=r"no codes to keep.*--from"):
        Trainer(task, tmp_path, Devices.find("cpu", "fp32")).run()


def test_the_first_update_by_moving_averages_keeps_the_averaged_codebook(tmp_path: Path) -> None:
    first = load_model(trained_model(tmp_path / "first"))
    with torch.no_grad():
        first.quantizer.codebook.add_(0.5)  # as averaging over steps parts it from its sums
    save_model(first, tmp_path / "averaged")
    task = VQVAETask(make_preset("model.quantizer.update=ema"), TRAIN, DEV, initialise_from=tmp_path / "averaged")
    begun = task.model.quantizer.codebook.clone()
    quantizer = task.model.quantizer
    assert torch.allclose(quantizer.sums / quantizer.counts[:, None], begun, atol=1e-6)
