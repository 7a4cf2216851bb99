"""Damaged models, priors, packs and checkpoints: loaded and used, or refused in one line."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzz_limits import CASES, SEED, survives
from fuzz_mutation import mutants
from small_adaptation import make_fit
from small_models import make_model
from small_prior_training import make_code_data, make_prior_preset
from small_priors import make_prior
from small_training import make_pack, make_preset, write_data

import vqspeech
from vqspeech.devices import Devices
from vqspeech.generation import chunks, make_engine, synthesis
from vqspeech.generation.conditioning import ConditioningPlan
from vqspeech.generation.partial_output import PartialOutput
from vqspeech.generation.synthesis import synthesise
from vqspeech.model.checkpoint import save_model
from vqspeech.model.prior.checkpoint import load_prior, save_prior
from vqspeech.training.adaptation import segments
from vqspeech.training.dataset import Segments
from vqspeech.training.pack import read_pack, write_pack
from vqspeech.training.prior.task import PriorTask
from vqspeech.training.trainer import Trainer
from vqspeech.training.vqvae_task import VQVAETask


def damaged_alike(folder: Path, name: str, call: object) -> None:
    """Damage one file of a folder, again and again, and use what it is a part of."""
    assert callable(call)
    assert survives(call, "sound")
    content = (folder / name).read_bytes()
    for number, mutant in enumerate(mutants(content, seed=SEED, count=CASES)):
        (folder / name).write_bytes(mutant)
        survives(call, f"{name}, seed {SEED}, case {number}")


@pytest.mark.parametrize("name", ["config.yaml", "speakers.txt", "model.safetensors"])
def test_models(tmp_path: Path, name: str) -> None:
    save_model(make_model(), tmp_path)

    def used() -> object:
        model = vqspeech.load(tmp_path, engine="torch")
        assert model.code_info
        codes = model.encode(np.zeros(200, np.float32))
        return model.decode(codes[:1], model.speakers[0])

    damaged_alike(tmp_path, name, used)


@pytest.mark.parametrize("name", ["config.yaml", "speakers.txt", "prior.safetensors"])
def test_priors(tmp_path: Path, name: str) -> None:
    from vqspeech.generation.code_sampling import sample_codes

    save_prior(make_prior(), tmp_path)
    damaged_alike(tmp_path, name, lambda: sample_codes(load_prior(tmp_path), length=2))


def test_partial_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged, cut off or mixed up, what is kept of an utterance never changes what becomes of it."""
    for name, seconds in {"SHORTEST": 0.005, "LONGEST": 0.01, "PAUSE": 0.002, "SETTLING": 0.0, "FADE": 0.001}.items():
        monkeypatch.setattr(chunks, name, seconds)
    monkeypatch.setattr(synthesis, "FADE", 0.001)
    network, path = make_model().eval(), tmp_path / "a.wav.partial"
    plan = ConditioningPlan(network, torch.arange(30) % 8, network.voice({0: 1.0}))
    engine = make_engine(network.decoder)

    def resumed() -> np.ndarray:
        output = PartialOutput(path)
        (made,) = synthesise(network, [plan], engine=engine, partial_outputs=[output])
        assert output.chunks > 2
        assert len(output.filled) == output.chunks
        return made

    whole = resumed()

    def as_whole() -> None:
        assert np.array_equal(resumed(), whole)

    damaged_alike(tmp_path, path.name, as_whole)


def test_packs(tmp_path: Path) -> None:
    audio = make_preset().model.audio
    write_pack(write_data(tmp_path / "in"), tmp_path / "p.pack", sample_rate=audio.sample_rate, rms=audio.rms)

    def used() -> object:
        pack = read_pack(tmp_path / "p.pack")
        assert pack.seconds > 0
        settings = {"crops": 2, "speaker_balance": 0.5, "perturb_probability": 0.0, "loudness": 3.0, "seed": 0}
        return Segments(pack, batch=2, segment=64, **settings)(0)

    damaged_alike(tmp_path, "p.pack", used)


def test_checkpoints(tmp_path: Path) -> None:
    train, dev = make_pack(), make_pack({"ann": [1500], "bob": [1200]})
    run = tmp_path / "run"
    preset = make_preset("training.steps=1", "training.quantize_from=0", "training.decode_from=0")
    Trainer(VQVAETask(preset, train, dev), run, Devices.find("cpu", "fp32")).run()
    again = tmp_path / "again"

    def resumed() -> object:
        shutil.rmtree(again / "checkpoints", ignore_errors=True)
        (again / "checkpoints").mkdir(parents=True)
        shutil.copy(run / "checkpoints" / "last.pt", again / "checkpoints")
        trainer = Trainer(VQVAETask(preset, train, dev), again, Devices.find("cpu", "fp32"))
        trainer._resume()
        return trainer.step

    torch.manual_seed(0)
    damaged_alike(run / "checkpoints", "last.pt", resumed)


def test_checkpoints_of_priors(tmp_path: Path) -> None:
    preset = make_prior_preset("convolutions", "training.steps=1")
    train, dev = make_code_data(3, 0), make_code_data(2, 1)
    task = PriorTask(preset, train, dev)
    Trainer(task, tmp_path / "run", Devices.find("cpu", "fp32")).run()
    again = tmp_path / "again"

    def resumed() -> object:
        shutil.rmtree(again / "checkpoints", ignore_errors=True)
        (again / "checkpoints").mkdir(parents=True)
        shutil.copy(tmp_path / "run" / "checkpoints" / "last.pt", again / "checkpoints")
        trainer = Trainer(PriorTask(preset, train, dev), again, Devices.find("cpu", "fp32"))
        trainer._resume()
        return trainer.step

    damaged_alike(tmp_path / "run" / "checkpoints", "last.pt", resumed)


def test_checkpoints_of_adaptation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged, it is of no use, and the fit begins again: here it has no step to take."""
    monkeypatch.setattr(segments, "CROP", 256)
    monkeypatch.setattr(segments, "BATCH", 2)
    network = make_model().eval()
    make_fit(network).run(tmp_path / "fit", steps=1)
    fit = make_fit(network)
    monkeypatch.setattr(fit, "_take_step", lambda *_: None)
    monkeypatch.setattr(fit.speech, "held_out", lambda _voice: 1.0)
    # To find the nearest voice takes longer than all that is tested here.
    monkeypatch.setattr(fit.speech, "nearest", lambda: 0)
    damaged_alike(tmp_path, "fit", lambda: fit.run(tmp_path / "fit", steps=1))
