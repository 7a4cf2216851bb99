"""``vqspeech.training.units``: the loss counts what it should, a run learns, and resumed it ends the same."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_units import make_pack, small_preset

import vqspeech
from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.model.encoder import Encoder
from vqspeech.model.vqvae import VQVAE
from vqspeech.training import trainer as training
from vqspeech.training.trainer import Trainer
from vqspeech.training.units.config import UnitsPreset
from vqspeech.training.units.network import MaskedPredictor
from vqspeech.training.units.targets import CepstralClusters, label_pack
from vqspeech.training.units.task import UnitsTask
from vqspeech.training.units.trained_layers import TrainedLayers

TRAIN, DEV = make_pack({"ann": [3.0, 2.0], "bob": [3.0]}), make_pack({"ann": [2.0], "cyd": [2.0]}, seed=5)


def task(preset: UnitsPreset, begin: TrainedLayers | None = None) -> UnitsTask:
    label = CepstralClusters(preset.training.targets, preset.model, TRAIN, seed=0)
    targets = label_pack(TRAIN, 320, label), label_pack(DEV, 320, label)
    return UnitsTask(preset, TRAIN, DEV, targets=targets, initialise_from=begin)


def trainer(out: Path, preset: UnitsPreset, begin: TrainedLayers | None = None) -> Trainer:
    return Trainer(task(preset, begin), out, Devices.find("cpu", "fp32"))


def test_the_loss_is_the_cross_entropy_of_masked_and_of_other_positions_apart() -> None:
    torch.manual_seed(0)
    network = MaskedPredictor(small_preset("training.predictor=[1]"), 5)
    waveform, targets = 0.1 * torch.randn(2, 3200), torch.randint(-1, 5, (2, 10))
    mask = torch.rand(2, 10) < 0.5
    masked, others = network(waveform, targets, mask)
    logits = network.logits(waveform, mask)
    for found, where in ((masked, mask), (others, ~mask)):
        asked = where & (targets >= 0)
        assert found.item() == pytest.approx(F.cross_entropy(logits[asked], targets[asked]).item(), rel=1e-5)


def test_nothing_of_a_masked_frame_reaches_the_prediction() -> None:
    torch.manual_seed(0)
    network = MaskedPredictor(small_preset("model.encoder.input_norm=false", "model.encoder.instance_norm=false"), 5)
    waveform = 0.1 * torch.randn(1, 6400)
    changed = waveform.clone()
    changed[0, 2560:3840] *= 3
    mask = torch.zeros(1, 20, dtype=torch.bool)
    assert not torch.allclose(network.logits(waveform, mask), network.logits(changed, mask))
    mask[0, 7:13] = True  # a position more to either side: windows overlap
    torch.testing.assert_close(network.logits(waveform, mask), network.logits(changed, mask))


def test_what_no_loss_reaches_is_left_out_of_the_optimisers() -> None:
    ours = task(small_preset("training.predictor=[1, 2]"))
    ours.loss(ours.model, ours.train(0), 0)[0].backward()
    optimised = {id(p) for o in ours.optimizers() for group in o.param_groups for p in group["params"]}
    reached = {id(p) for p in ours.model.parameters() if p.grad is not None}
    assert optimised == reached


def test_a_run_learns_and_leaves_a_model_without_voices(tmp_path: Path) -> None:
    preset = small_preset(
        "training.steps=40",
        "training.unmasked_weight=1",
        "training.warp=0",
        "training.channel=0",
        "training.average=0.8",
    )
    runner = trainer(tmp_path, preset)
    before = runner.task.evaluate(runner.model)
    after = runner.run().measures
    assert after.unmasked < 0.7 * before.unmasked
    assert after.accuracy > 0.3
    model = vqspeech.load(tmp_path)
    codes = model.encode(TRAIN.samples[:16000].astype(np.float32) / 32767)
    assert codes.shape == (50,)
    assert len(np.unique(codes)) > 1
    with pytest.raises(InputError, match="units only"):
        model.decode(codes, "ann")


@pytest.mark.parametrize("hold", [None, 2, 4])
def test_stopped_and_resumed_it_ends_with_the_same_weights(
    hold: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = small_preset(f"training.hold={hold or 0}")
    begin = TrainedLayers(encoder_of_before()) if hold else None
    trainer(tmp_path / "whole", preset, begin).run()
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    broken = trainer(tmp_path / "broken", preset, begin)
    take = broken._take_step

    def stop(module: torch.nn.Module) -> dict[str, torch.Tensor]:
        if broken.step == 3:
            raise RuntimeError("power cut")
        return take(module)

    monkeypatch.setattr(broken, "_take_step", stop)
    with pytest.raises(RuntimeError, match="power cut"):
        broken.run()
    trainer(tmp_path / "broken", preset, begin).run()
    whole, resumed = (
        torch.load(tmp_path / name / "checkpoints" / "last.pt", weights_only=True)["model"]
        for name in ("whole", "broken")
    )
    assert all(whole[name].equal(resumed[name]) for name in whole)


def encoder_of_before() -> Encoder:
    torch.manual_seed(3)
    return VQVAE(small_preset().model, ()).eval().encoder


def begun_task(preset: UnitsPreset, begin: TrainedLayers) -> UnitsTask:
    nothing = tuple(np.full(len(pack.samples) // 320, -1, np.int16) for pack in (TRAIN, DEV))
    return UnitsTask(preset, TRAIN, DEV, targets=nothing, clusters=7, initialise_from=begin)


def test_there_are_as_many_clusters_to_tell_apart_as_the_targets_have() -> None:
    ours = begun_task(small_preset(), TrainedLayers(encoder_of_before()))
    assert ours.model.head.out_features == 7
    assert task(small_preset()).model.head.out_features == 5


def test_a_run_begins_with_the_layers_of_another_that_is_deeper_or_not() -> None:
    begun = encoder_of_before()
    for dilations in ("[1]", "[1, 2]", "[1, 2, 4]"):
        preset = small_preset(f"model.encoder.dilations={dilations}")
        encoder = begun_task(preset, TrainedLayers(begun)).model.model.encoder
        own = dict(encoder.named_parameters())
        for name, tensor in begun.named_parameters():
            if name in own and not name.startswith("projection."):
                assert own[name].equal(tensor), name
    with pytest.raises(InputError, match="has 24 channels, the one to train 16"):
        begun_task(small_preset("model.encoder.channels=16"), TrainedLayers(begun))
    with pytest.raises(InputError, match="another encoder"):
        begun_task(small_preset("model.encoder.mel_bands=10"), TrainedLayers(begun))


@pytest.mark.parametrize(("channels", "exact"), [(48, True), (72, True), (30, False)])
def test_layers_that_are_widened_compute_what_they_did(channels: int, exact: bool, tmp_path: Path) -> None:
    strides = "model.encoder.strides=[1, 2]"
    runner = trainer(tmp_path, small_preset(strides, "training.predictor=[4]", "training.average=0"))
    runner.run()
    narrow = runner.model.eval()
    wide = begun_task(
        small_preset(strides, "training.predictor=[4]", f"model.encoder.channels={channels}"),
        TrainedLayers.read(tmp_path),
    ).model.eval()
    features = narrow.model.encoder.features(torch.from_numpy(TRAIN.samples[None, :16000] / np.float32(32767)))

    def last(network: MaskedPredictor) -> torch.Tensor:
        x = network.model.encoder.hidden(features)[-1].transpose(1, 2)
        return network.blocks[0](x)  # (1, positions, channels)

    before, after = last(narrow), last(wide)[..., :24]
    # Replicated alike, channels keep the mean and variance that their norms take; else these change a little.
    difference = (after - before).norm() / before.norm()
    assert difference < (1e-5 if exact else 0.15)
    assert not exact or not torch.allclose(wide.blocks[0].out.weight[:, 0], wide.blocks[0].out.weight[:, 24])


def test_blocks_of_another_kind_are_refused_and_not_widened() -> None:
    config = small_preset().model
    plain = msgspec.structs.replace(config, encoder=msgspec.structs.replace(config.encoder, block="plain"))
    begun = TrainedLayers(VQVAE(plain, ()).encoder)
    for channels in (24, 48):
        with pytest.raises(InputError, match="another encoder"):
            begun_task(small_preset(f"model.encoder.channels={channels}"), begun)


def test_blocks_behind_the_encoder_that_do_not_fit_it_are_refused_and_not_widened() -> None:
    blocks = MaskedPredictor(small_preset("model.encoder.channels=16", "training.predictor=[4]"), 5).blocks
    begun = TrainedLayers(encoder_of_before(), {f"blocks.{name}": t for name, t in blocks.state_dict().items()})
    for channels in (24, 48):
        preset = small_preset(f"model.encoder.channels={channels}", "training.predictor=[4]")
        with pytest.raises(InputError, match="another encoder: block 3"):
            begun_task(preset, begun)


def test_the_blocks_behind_the_encoder_are_carried_over_wherever_it_ends(tmp_path: Path) -> None:
    runner = trainer(tmp_path, small_preset("training.predictor=[4, 1]", "training.average=0"))
    runner.run()
    begun = TrainedLayers.read(tmp_path)
    first = runner.model
    stack = [*first.model.encoder.blocks, *first.blocks]
    for dilations, predictor in (("[1]", "[2, 4, 1]"), ("[1, 2]", "[4, 1]"), ("[1, 2, 4]", "[1, 2]"), ("[1]", "[2]")):
        preset = small_preset(f"model.encoder.dilations={dilations}", f"training.predictor={predictor}")
        second = begun_task(preset, begun).model
        assert second.token.equal(first.token)
        for ours, theirs in zip([*second.model.encoder.blocks, *second.blocks], stack, strict=False):
            assert all(a.equal(b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    for name, tensor in first.model.encoder.strided.named_parameters():
        assert dict(second.model.encoder.strided.named_parameters())[name].equal(tensor)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("model.encoder.block=plain", "modulated"),
        ("training.segment=16001", "segment"),
        ("training.predictor=[0]", "predictor"),
        ("model.encoder.dimension=25", "dimension"),
        ("training.mask_share=1", "mask_share"),
    ],
)
def test_presets_that_cannot_be_trained_name_the_key(change: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        small_preset(change)


def test_what_a_run_began_with_is_held_while_the_rest_learns() -> None:
    ours = task(small_preset("training.predictor=[1]", "training.hold=2"), TrainedLayers(encoder_of_before()))
    optimizers = ours.optimizers()
    encoder, new = ours.model.model.encoder, ours.model.blocks[0].dilated.weight
    held = [encoder.strided[0].convolution.weight, encoder.blocks[1].dilated.weight]
    for step in range(3):
        before = [p.detach().clone() for p in (*held, new)]
        ours.prepare(step, torch.device("cpu"))
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        ours.loss(ours.model, ours.train(step), step)[0].backward()
        for optimizer in optimizers:
            optimizer.step()
        *same, moved = [p.equal(q) for p, q in zip((*held, new), before, strict=True)]
        assert same == [step < 2] * 2
        assert not moved
