"""What a run finds: locks, packs of other recordings, checkpoints that were damaged, kills at the worst moment."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from small_training import make_pack, make_preset

from vqspeech.datadir import DataDir, Utterance
from vqspeech.devices import Devices
from vqspeech.errors import InputError
from vqspeech.files import locked
from vqspeech.training.pack import read_pack, write_pack
from vqspeech.training.pack_cache import cached_pack
from vqspeech.training.trainer import Trainer
from vqspeech.training.vqvae_task import VQVAETask

TRAIN, DEV = make_pack(), make_pack({"ann": [1500], "bob": [1200]})


def trainer(out: Path) -> Trainer[Any, Any]:
    preset = make_preset()
    return Trainer(VQVAETask(preset, TRAIN, DEV), out, Devices.find("cpu", "fp32"))


def data_directory(folder: Path, names: list[str], *, samples: int = 3200) -> Path:
    folder.mkdir(exist_ok=True)
    utterances = []
    for number, name in enumerate(names):
        noise = 0.1 * np.random.default_rng(number).standard_normal(samples)
        soundfile.write(folder / f"{name}.wav", noise, 16_000)
        utterances.append(Utterance(name, name.split("-")[0], str(folder / f"{name}.wav")))
    DataDir(utterances).write(folder)
    return folder


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    with locked(tmp_path / "checkpoints"), pytest.raises(InputError, match="another process"):
        trainer(tmp_path).run()


def test_two_packs_of_one_name(tmp_path: Path) -> None:
    data = data_directory(tmp_path / "data", ["a-1", "b-1"])
    with locked(tmp_path / "p.pack"), pytest.raises(InputError, match="another process"):
        write_pack(data, tmp_path / "p.pack", sample_rate=16_000, rms=0.06)


def test_a_pack_of_what_a_data_directory_held_before_is_not_used(tmp_path: Path) -> None:
    data, cache = data_directory(tmp_path / "data", ["a-1", "b-1"]), tmp_path / "train.pack"
    audio = make_preset().model.audio
    first = cached_pack(data, cache, audio)
    assert cached_pack(data, cache, audio).recordings == first.recordings
    moved = data.rename(tmp_path / "moved")
    data_directory(moved, ["a-1", "b-1"])
    assert tuple(cached_pack(moved, cache, audio).utterances) == ("a-1", "b-1")
    data_directory(moved, ["a-1", "a-2", "b-1"])
    with pytest.raises(InputError, match="other recordings"):
        cached_pack(moved, cache, audio)
    data_directory(moved, ["a-1", "b-1"], samples=4800)
    with pytest.raises(InputError, match="other recordings"):
        cached_pack(moved, cache, audio)


def test_a_damaged_pack_is_named(tmp_path: Path) -> None:
    data = data_directory(tmp_path / "data", ["a-1", "b-1"])
    write_pack(data, tmp_path / "p.pack", sample_rate=16_000, rms=0.06)
    whole = (tmp_path / "p.pack").read_bytes()
    for old, new in ((b'"16000"', b'"1e400"'), (b"[2]", b"[1]"), (b'"I64"', b'"X64"'), (b'\\"b', b'"""b')):
        (tmp_path / "bad.pack").write_bytes(whole.replace(old, new, 1))
        with pytest.raises(InputError, match="not a pack"):
            read_pack(tmp_path / "bad.pack")
    for length in (0, 7, 100, len(whole) - 1000):
        (tmp_path / "bad.pack").write_bytes(whole[:length])
        with pytest.raises(InputError, match="pack"):
            read_pack(tmp_path / "bad.pack")


class Killed(BaseException):
    pass


def test_killed_while_the_best_model_is_kept_it_is_kept_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    trainer(whole).run()
    first = trainer(broken)

    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(first.task, "save_best", kill)
    with pytest.raises(Killed):
        first.run()
    trainer(broken).run()
    for name in ("model.safetensors", "speakers.txt"):
        best = [(run / "checkpoints" / "best" / name).read_bytes() for run in (whole, broken)]
        assert best[0] == best[1]


@pytest.mark.parametrize(
    "damage",
    [
        {"optimizers": torch.zeros(3)}, {"optimizers": []}, {"step": float("inf")}, {"step": -1}, {"step": "x"},
        {"best": float("nan")}, {"seconds": float("nan")}, {"speakers": 3}, {"model": None}, {"average": {}},
    ],
)  # fmt: skip
def test_a_damaged_checkpoint_is_named(tmp_path: Path, trained: Path, damage: dict[str, object]) -> None:
    run = shutil.copytree(trained, tmp_path / "run")
    last = run / "checkpoints" / "last.pt"
    state = torch.load(last, weights_only=True) | damage
    torch.save(state, last)
    with pytest.raises(InputError, match=r"last\.pt"):
        trainer(run).run()


def test_a_checkpoint_runs_no_code(tmp_path: Path, trained: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "ran",))

    run = shutil.copytree(trained, tmp_path / "run")
    saved = io.BytesIO()
    torch.save({"step": Evil()}, saved)
    (run / "checkpoints" / "last.pt").write_bytes(saved.getvalue())
    with pytest.raises(InputError, match=r"last\.pt"):
        trainer(run).run()
    assert not (tmp_path / "ran").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run."""
    out = tmp_path_factory.mktemp("trained")
    trainer(out).run()
    return out


@pytest.mark.parametrize(
    "wrong", [{"jobs": 0}, {"perturbed_copies": -1}, {"seed": -1}, {"rms": float("nan")}, {"sample_rate": 1}]
)
def test_packing_checks_its_numbers(tmp_path: Path, wrong: dict[str, Any]) -> None:
    data = data_directory(tmp_path / "data", ["a-1"])
    with pytest.raises(InputError, match=f"{next(iter(wrong))} is"):
        write_pack(data, tmp_path / "p.pack", **{"sample_rate": 16_000, "rms": 0.06, **wrong})
    assert not (tmp_path / "p.pack").exists()
