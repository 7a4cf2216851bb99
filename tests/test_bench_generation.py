from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from vqspeech.generation import native_engine
from vqspeech.model.config import WaveNetConfig

SCRIPT = Path(__file__).parents[1] / "tools" / "bench" / "generation.py"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark, with sizes that take no time."""
    spec = importlib.util.spec_from_file_location("bench_generation", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    tiny = WaveNetConfig(layers=3, cycle=3, kernel=2, residual=8, gate=8, skip=8, output=8)
    bands = WaveNetConfig(layers=3, cycle=3, kernel=2, residual=8, gate=8, skip=8, output=8, bands=4)
    monkeypatch.setattr(module, "SIZES", {"small": tiny, "bands": bands})
    return module


@pytest.mark.parametrize("size", ["small", "bands"])
def test_every_case_is_a_row(
    size: str, bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.json"
    monkeypatch.setattr(
        sys, "argv", ["generation.py", "--short", "--sizes", size, "--rounds", "1", "--json", str(path)]
    )
    bench.main()
    rows = json.loads(path.read_text())
    assert {tuple(row) for row in rows} == {
        ("size", "engine", "precision", "streams", "cores", "samples_per_second", "real_time", "ratio_to_torch_cached")
    }
    assert {row["engine"] for row in rows} >= {"torch-full", "torch-cached"}
    assert rows[0]["engine"] == "torch-cached"
    assert rows[0]["ratio_to_torch_cached"] == 1
    assert all(row["samples_per_second"] > 0 for row in rows)
    for precision in {precision for _, precision in native_engine.available()}:
        cases = {(r["streams"], r["cores"]) for r in rows if (r["engine"], r["precision"]) == ("native", precision)}
        assert cases >= {(1, 1), (1, 2), (8, 1), (16, 2)}
    assert "at most" in capsys.readouterr().out


@pytest.mark.parametrize(("size", "bands"), [("small", 1), ("bands", 4)])
def test_multiply_adds_are_those_of_the_matrices(size: str, bands: int, bench: ModuleType) -> None:
    wavenet = bench.random_wavenet(bench.SIZES[size])
    weights = sum(p.numel() for n, p in wavenet.named_parameters() if n.endswith("weight") and p.dim() == 2)
    weights -= 0 if wavenet.below is None else wavenet.below.weight.numel()
    # Not among the products: what is looked up, what is projected once per frame, the last residual, which is not read.
    weights -= wavenet.embedding.weight.numel() + wavenet.conditioning.weight.numel()
    weights -= wavenet.dilated[0].weight.numel() + wavenet.residual[-1].weight.numel()
    total, reread = bench.macs(wavenet)
    assert total == weights // bands
    assert reread < total


def test_roofs_rise_with_streams_up_to_what_can_be_multiplied(bench: ModuleType) -> None:
    roof = bench.Roof(multiplying=10, reading=4)
    assert [roof.of(1, 1), roof.of(2, 1), roof.of(8, 1)] == [4, 8, 10]
    assert [roof.of(1, 2), roof.of(4, 2), roof.of(8, 2)] == [8, 16, 20]
