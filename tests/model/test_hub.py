"""Models of the Hugging Face Hub, through the real huggingface_hub: a hub on this machine, and what is sent to one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_hub import SmallHub, serve
from small_models import make_model

import vqspeech
from vqspeech.cli.main import main
from vqspeech.errors import InputError
from vqspeech.model.checkpoint import checksum, copy_model, save_model
from vqspeech.model.hub import FILES, parse_address
from vqspeech.model.packaged import PRETRAINED

UNITS = PRETRAINED / "units"
SPEECH = 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    pytest.importorskip("huggingface_hub", reason="pip install 'vqspeech[hub]'")
    from huggingface_hub import constants

    with serve() as small:
        monkeypatch.setattr(constants, "ENDPOINT", small.url)
        template = small.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        small.files["lab/units"] = {name: (UNITS / name).read_bytes() for name in FILES}
        yield small


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_a_repository_is_a_model(hub: SmallHub, tmp_path: Path) -> None:
    model = vqspeech.Model.from_pretrained("lab/units", threads=1)
    assert model.checksum == checksum(UNITS)
    np.testing.assert_array_equal(model.encode(SPEECH), vqspeech.load("units").encode(SPEECH))
    assert model.folder.is_relative_to(tmp_path / "cache")
    assert sorted(name for _, name in hub.fetched) == sorted(set(FILES) - {"speakers.txt"})  # which is empty
    # What is in the cache is not fetched again, and needs no network.
    hub.fetched.clear()
    assert vqspeech.load("hf://lab/units").folder == model.folder
    assert vqspeech.load(f"hf://lab/units@{hub.commit('lab/units')}").folder == model.folder
    assert vqspeech.Model.from_pretrained("lab/units", local_files_only=True).folder == model.folder
    from vqspeech.model.hub_mixin import HubModel

    assert HubModel.from_pretrained("lab/units").folder == model.folder
    assert HubModel.from_pretrained(UNITS).folder == UNITS
    assert hub.fetched == []


def test_the_command_line_takes_a_repository(hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = Path(__file__).parents[2] / "egs/quickstart/sample/slt-001.flac"
    assert main(["encode", str(sample), "--model", "hf://lab/units", "--out", str(tmp_path / "a.txt")]) == 0
    assert main(["encode", str(sample), "--model", "units", "--out", str(tmp_path / "b.txt")]) == 0
    assert (tmp_path / "a.txt").read_bytes() == (tmp_path / "b.txt").read_bytes()
    capsys.readouterr()
    assert main(["encode", str(sample), "--model", "hf://lab/none", "--out", str(tmp_path / "c.txt")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "hf://lab/none: cannot be fetched" in said
    assert "check name" in said


def test_of_a_hostile_repository_only_a_model_is_fetched(hub: SmallHub, tmp_path: Path) -> None:
    trap = f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()"
    hub.files["lab/trap"] = hub.files["lab/units"] | {
        "config.json": b'{"folder": "/etc", "network": 1, "__class__": "os.system"}',
        "hubconf.py": trap.encode(),
        "__init__.py": trap.encode(),
        "pytorch_model.bin": b"\x80\x04cos\nsystem\n(S'touch ran'\ntR.",
        ".saved/model.safetensors": b"other weights",
        "checkpoints/best/config.yaml": b"x",
        "../../../outside": b"x",
        "sub/../../config.yaml": b"x",
    }
    model = vqspeech.Model.from_pretrained("lab/trap")
    assert model.checksum == checksum(UNITS)
    assert {name for _, name in hub.fetched} <= set(FILES)
    assert everything(model.folder) == set(FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("config.yaml", b"!!python/object/apply:os.system ['touch ran']"),
        ("config.yaml", b"a: &a [*a, *a]"),
        ("model.safetensors", b"\x80\x04cos\nsystem\n(S'touch ran'\ntR."),
        ("model.safetensors", (1 << 62).to_bytes(8, "little") + b"{}"),
        ("speakers.txt", b"\xff\xfe"),
    ],
)
def test_a_hostile_file_is_one_line(hub: SmallHub, name: str, data: bytes, tmp_path: Path) -> None:
    hub.files["lab/trap"] = hub.files["lab/units"] | {name: data}
    with pytest.raises(InputError, match=name):
        vqspeech.Model.from_pretrained("lab/trap")
    assert not Path("ran").exists()


def test_a_huge_model_is_not_fetched(hub: SmallHub) -> None:
    hub.stated["lab/units", "model.safetensors"] = 80_000_000_000
    with pytest.raises(InputError, match=r"hf://lab/units: a model of 80\.0 GB"):
        vqspeech.load("hf://lab/units")
    assert hub.fetched == []


@pytest.mark.parametrize("address", ["hf://", "hf://units", "hf://a/b/c", "hf:///b", "hf://a/b@"])
def test_an_address_of_no_repository(address: str) -> None:
    with pytest.raises(InputError, match="owner/name"):
        vqspeech.load(address)


def test_a_name_without_prefix_is_never_fetched(hub: SmallHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="hf://owner/name"):
        vqspeech.load("lab/units")
    assert hub.fetched == []


def test_addresses() -> None:
    assert parse_address("hf://lab/units") == ("lab/units", None)
    assert parse_address("hf://lab/units@v1") == ("lab/units", "v1")


@pytest.mark.parametrize("options", [{"revision": "none"}, {"local_files_only": True}])
def test_what_is_not_there(hub: SmallHub, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot be fetched"):
        vqspeech.Model.from_pretrained("lab/units", **options)
    with pytest.raises(InputError, match="cannot be fetched"):
        vqspeech.Model.from_pretrained("../lab/units/..", **options)


def test_no_network(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    vqspeech.load("hf://lab/units")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert vqspeech.load("hf://lab/units").checksum == checksum(UNITS)
    with pytest.raises(InputError, match="cannot be fetched"):
        vqspeech.load("hf://lab/other")


def test_a_folder_needs_neither_network_nor_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    assert vqspeech.Model.from_pretrained(UNITS).checksum == checksum(UNITS)
    assert vqspeech.Model.from_pretrained(str(UNITS)).checksum == checksum(UNITS)
    with pytest.raises(InputError, match=r"needs huggingface_hub \(pip install 'vqspeech\[hub\]'\)"):
        vqspeech.load("hf://lab/units")


def test_saving_writes_the_model_and_its_card(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="pip install 'vqspeech[hub]'")
    model = vqspeech.load("units")
    model.save_pretrained(tmp_path / "m", model_card_kwargs={"license": "cc-by-4.0"})
    assert everything(tmp_path / "m") == set(FILES)
    assert vqspeech.Model.from_pretrained(tmp_path / "m").checksum == model.checksum
    card = hub.ModelCard.load(tmp_path / "m" / "README.md")
    assert (card.data.library_name, card.data.license) == ("vqspeech", "cc-by-4.0")
    assert card.data.pipeline_tag == "feature-extraction"
    assert card.text.strip() == (UNITS / "README.md").read_text().strip()
    # A card that is there stays, and one with a head keeps it.
    (tmp_path / "m" / "README.md").write_text("---\nlicense: mit\ntags: [mine]\n---\nmy card\n")
    vqspeech.load(tmp_path / "m").save_pretrained(tmp_path / "m")
    assert (tmp_path / "m" / "README.md").read_text().endswith("my card\n")
    vqspeech.load(tmp_path / "m").save_pretrained(tmp_path / "n")
    card = hub.ModelCard.load(tmp_path / "n" / "README.md")
    assert (card.data.license, card.data.tags, card.data.library_name) == ("mit", ["mine"], "vqspeech")


def test_a_changed_network_is_saved_as_it_is(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="pip install 'vqspeech[hub]'")
    save_model(make_model(), tmp_path / "m")
    model = vqspeech.load(tmp_path / "m")
    with torch.no_grad():
        model.network.quantizer.codebook.add_(1.0)
    model.save_pretrained(tmp_path / "n")
    again = vqspeech.load(tmp_path / "n")
    np.testing.assert_array_equal(again.codebook, model.codebook)
    assert hub.ModelCard.load(tmp_path / "n" / "README.md").data.pipeline_tag == "audio-to-audio"
    assert "has not been written down" in (tmp_path / "n" / "README.md").read_text()


def test_pushing_sends_exactly_the_model_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("huggingface_hub", reason="pip install 'vqspeech[hub]'")
    sent: dict[str, Any] = {}

    def create_repo(api: object, repo_id: str, **options: Any) -> Any:
        sent["created"] = repo_id, options["private"]
        return library.RepoUrl(f"https://huggingface.co/{repo_id}")

    def upload_folder(api: object, *, folder_path: Path, **options: Any) -> str:
        shutil.copytree(folder_path, tmp_path / "sent")
        sent.update(options)
        return "https://huggingface.co/lab/units/commit/1"

    monkeypatch.setattr(library.HfApi, "create_repo", create_repo)
    monkeypatch.setattr(library.HfApi, "upload_folder", upload_folder)
    url = vqspeech.load("units").push_to_hub("lab/units", private=True, commit_message="first")
    assert url == "https://huggingface.co/lab/units/commit/1"
    assert sent["created"] == ("lab/units", True)
    assert (sent["repo_id"], sent["commit_message"]) == ("lab/units", "first")
    assert everything(tmp_path / "sent") == set(FILES)
    assert checksum(tmp_path / "sent") == checksum(UNITS)
    with pytest.raises(InputError, match="cannot be sent"):
        vqspeech.load("units").push_to_hub("not/a/repository")


def test_a_copy_replaces_another_model_and_leaves_itself_alone(tmp_path: Path) -> None:
    save_model(make_model(), tmp_path / "m")
    copy_model(tmp_path / "m", tmp_path / "m")
    copy_model(UNITS, tmp_path / "m")
    assert checksum(tmp_path / "m") == checksum(UNITS)
    assert everything(tmp_path / "m") == set(FILES) - {"README.md"}
