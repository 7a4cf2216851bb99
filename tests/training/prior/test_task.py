"""Training a prior: it finds the entropy of a grammar, and stopped and resumed it ends the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from equal_states import assert_same
from small_prior_training import CHANGES, CODES, grammar_bits, make_code_data, make_prior_preset
from test_trainer import last, start, stop_at

from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.model.prior.checkpoint import load_prior
from vqspeech.model.prior.scoring import code_bits
from vqspeech.training import trainer as training
from vqspeech.training.preset_file import packaged_presets, read_preset_file
from vqspeech.training.prior import task as prior_task
from vqspeech.training.prior.config import FOLDER, PriorPreset, read_prior_preset
from vqspeech.training.prior.task import PriorTask
from vqspeech.training.trainer import Trainer

TRAIN, DEV = make_code_data(40, 0), make_code_data(10, 1)
kinds = pytest.mark.parametrize("kind", sorted(CHANGES))


def make_prior_trainer(out: Path, preset: PriorPreset | None = None, **options: Any) -> Trainer:
    preset = preset or make_prior_preset()
    train, dev = options.get("train", TRAIN), options.get("dev", DEV)
    return Trainer(PriorTask(preset, train, dev), out, Devices.find("cpu", preset.training.precision))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was not interrupted."""
    out = tmp_path_factory.mktemp("unbroken")
    make_prior_trainer(out).run()
    return out


@kinds
@pytest.mark.parametrize("bigrams", ["true", "false"])
def test_the_entropy_of_a_grammar_is_found(kind: str, bigrams: str, tmp_path: Path) -> None:
    """What a code three places back decides: neither single codes nor pairs can tell."""
    train, dev = make_code_data(400, 2, lengths=(40, 80)), make_code_data(60, 3, lengths=(60, 61))
    long = ("training.steps=300", "training.batch=16", "training.crop=48", "network.dropout=0.0")
    trainer = make_prior_trainer(tmp_path, make_prior_preset(kind, *long, f"bigrams={bigrams}"), train=train, dev=dev)
    # Of these sentences; that of the grammar, 0.867, is only near it.
    assert trainer.run().measures.bits == pytest.approx(grammar_bits(dev.sequences), rel=0.02)


def test_the_grammar_needs_more_than_pairs() -> None:
    preset = make_prior_preset("convolutions", "bigrams=true")
    at_first = PriorTask(preset, make_code_data(150, 2), DEV)
    assert at_first.evaluate(at_first.model).bits > 1.04 * grammar_bits(DEV.sequences)


def test_bigrams_begin_as_they_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prior_task, "BIGRAM_PRIOR", 1e-9)
    task = PriorTask(make_prior_preset("convolutions", "bigrams=true"), TRAIN, DEV)
    pairs = np.zeros((CODES + 1, CODES))
    for sequence in TRAIN.sequences:
        before = CODES
        for code in sequence:
            pairs[before, code] += 1
            before = code
    seen = pairs.sum(1) > 0
    assert not seen.all(), "codes that never occur are no fault"
    shares = pairs[seen] / pairs[seen].sum(1, keepdims=True)
    np.testing.assert_allclose(task.model.bigrams.weight.detach().exp().numpy()[seen], shares, atol=1e-6)


def test_a_speakers_accent_is_learnt_and_its_worth_told(tmp_path: Path) -> None:
    train, dev = make_code_data(60, 4, accents=True), make_code_data(20, 5, accents=True)
    preset = make_prior_preset("convolutions", "training.steps=60", "training.batch=16", "training.speaker_dropout=0.3")
    trainer = make_prior_trainer(tmp_path, preset, train=train, dev=dev)
    found = trainer.run().measures
    assert found.speaker_gap > 0.01
    prior = load_prior(tmp_path)
    assert prior.speakers == ("ann", "bob")
    ann = dev.sequences[dev.speakers.index(0)]
    right, wrong = (code_bits(prior, [ann], [who])[0] for who in (0, 1))
    # Its first odd code, at place 1, is where not knowing costs most.
    assert right[1] < wrong[1]


def test_a_run_leaves_config_log_checkpoint_and_the_best_prior(unbroken: Path) -> None:
    assert read_preset_file(unbroken / "config.yaml", PriorPreset) == make_prior_preset()
    log = (unbroken / "train.log").read_text()
    assert "step 12/12" in log
    assert "codes/s" in log
    assert "bits" in log.splitlines()[-1]
    assert "speaker gap" in log.splitlines()[-1]
    assert load_prior(unbroken).config.codes == CODES
    assert list((unbroken / "tensorboard").iterdir())


def test_every_part_has_learnt(unbroken: Path) -> None:
    fresh = PriorTask(make_prior_preset(), TRAIN, DEV).model.state_dict()
    trained = last(unbroken)["model"]
    still = {name for name in fresh if torch.equal(fresh[name], trained[name])}
    # What the last layer would hand on goes nowhere.
    assert still <= {"network.residual.2.weight", "network.residual.2.bias"}


@kinds
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stopped_by_a_signal_and_resumed_it_ends_with_the_same_weights(
    kind: str, precision: str, tmp_path: Path
) -> None:
    preset = make_prior_preset(kind, f"training.precision={precision}")
    make_prior_trainer(tmp_path / "a", preset).run()
    trainer = make_prior_trainer(tmp_path / "b", preset)
    stop_at(trainer, 7)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert last(tmp_path / "b")["step"] == 8
    torch.manual_seed(5)
    make_prior_trainer(tmp_path / "b", preset).run()
    assert_same(last(tmp_path / "b"), last(tmp_path / "a"))


def test_killed_again_and_again_it_ends_with_the_same_weights(
    unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 0.0)
    kills = 0
    for patience in (0.1, 0.2, 0.3, 0.4, None):
        process = start(lambda: make_prior_trainer(tmp_path).run())
        process.join(patience)
        if not process.is_alive():
            break
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
    assert process.exitcode == 0
    assert kills
    assert_same(last(tmp_path), last(unbroken))


def refusal(out: Path, preset: PriorPreset | None = None, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        make_prior_trainer(out, preset, **options).run()
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def test_a_run_of_another_config_other_speakers_or_other_codes_is_refused(unbroken: Path, tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for name in ("config.yaml", "checkpoints/last.pt"):
        (tmp_path / name).write_bytes((unbroken / name).read_bytes())
    assert "another config" in refusal(tmp_path, make_prior_preset("convolutions", "training.steps=13")).problem
    others = make_code_data(40, 0, made_by="y"), make_code_data(10, 1, made_by="y")
    assert "another model" in refusal(tmp_path, train=others[0], dev=others[1]).problem
    assert "another model" not in refusal(tmp_path / "new", train=TRAIN, dev=others[1]).problem


def test_held_out_codes_are_bounded_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prior_task, "HELD_OUT_CODES", 100)
    task = PriorTask(make_prior_preset(), TRAIN, DEV)
    assert 20 < sum(len(sequence) for sequence in task.dev.sequences) < 250
    whole = [sequence.tolist() for sequence in DEV.sequences]
    assert all(sequence.tolist() in whole for sequence in task.dev.sequences)


@pytest.mark.parametrize("mode", [True, False])
def test_evaluation_leaves_weights_mode_and_random_state_as_they_were(mode: bool) -> None:
    task = PriorTask(make_prior_preset(), TRAIN, DEV)
    model = task.model.train(mode)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random = torch.get_rng_state()
    assert task.evaluate(model) == task.evaluate(model)
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training is mode
    assert_same(dict(model.state_dict()), before)


@kinds
@pytest.mark.parametrize("muon", ["0", "0.02"])
def test_optimisers_share_out_every_parameter_once(kind: str, muon: str) -> None:
    task = PriorTask(make_prior_preset(kind, f"training.optimizer.muon={muon}"), TRAIN, DEV)
    given = [p for o in task.optimizers() for group in o.param_groups for p in group["params"]]
    assert len({id(p) for p in given}) == len(given)
    assert {id(p) for p in given} == {id(p) for p in task.model.parameters()}


@pytest.mark.parametrize("name", packaged_presets(FOLDER))
def test_each_packaged_preset_reads_and_fits_into_ten_megabytes(name: str) -> None:
    preset = read_prior_preset(name)
    task = PriorTask(preset, TRAIN, DEV)
    embedding = 2 * 512 * preset.network.width
    size = 2 * (
        sum(p.numel() for p in task.model.parameters()) + embedding + 512 * 512 + 512 * task.model.network.channels
    )
    assert size < 10e6


def test_presets_of_priors_and_of_models_are_kept_apart() -> None:
    with pytest.raises(InputError, match="a preset of vqspeech train"):
        read_prior_preset("paper-64x")
    with pytest.raises(InputError, match=r"network\.kind") as caught:
        read_prior_preset("wavenet", ["network.kind=magic"])
    assert caught.value.hint
