"""Where things are computed: on machines with one GPU, several, and none."""

from __future__ import annotations

import pytest
import torch

from vqspeech.devices import Devices, find_device
from vqspeech.errors import InputError

#: Set by ``tools/test.sh --gpu``: tests that need a GPU.
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine with two GPUs, the second of them current; the list of those that were chosen."""
    chosen: list[int] = []

    def set_device(device: torch.device) -> None:
        if not isinstance(device, int) and device.index is None:  # torch's own check
            raise ValueError(f"Expected a torch.device with a specified index or an integer, but got:{device}")
        chosen.append(device if isinstance(device, int) else device.index)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "set_device", set_device)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    return chosen


@pytest.mark.parametrize(("name", "index"), [("auto", 1), ("cuda", 1), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_gpu_gets_its_index_and_computes_in_fp32(gpus: list[int], name: str, index: int) -> None:
    devices = Devices.find(name, "fp32")
    assert devices.device == torch.device("cuda", index)
    assert gpus == [index]
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


@pytest.mark.parametrize("name", ["cuda:2", "cuda:99", "gpu", "meta", "", "cuda:-1", "cuda:x"])
def test_a_gpu_that_is_not_there_is_one_line(gpus: list[int], name: str) -> None:
    with pytest.raises(InputError, match="no device"):
        find_device(name)
    assert not gpus


def test_each_process_of_torchrun_has_its_own(gpus: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "0"), ("LOCAL_RANK", "0")):
        monkeypatch.setenv(name, value)
    assert Devices.find("auto", "bf16").device == torch.device("cuda", 0)
    monkeypatch.delenv("LOCAL_RANK")
    with pytest.raises(InputError, match="LOCAL_RANK"):
        Devices.find("cuda", "bf16")


def test_without_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Devices.find("auto", "fp32").device == torch.device("cpu")
    with pytest.raises(InputError, match="no GPU"):
        find_device("cuda")


@pytest.mark.gpu
@needs_gpu
def test_a_real_gpu_multiplies_in_fp32() -> None:
    device = find_device("cuda")
    a = torch.rand(64, 64, dtype=torch.float64)
    product = (a.float().to(device) @ a.float().to(device)).cpu().double()
    assert (product - a @ a).abs().max() < 1e-4
