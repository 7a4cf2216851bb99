"""``egs/interop`` against the real packages, where they are installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import vqspeech
from vqspeech.cli.main import main
from vqspeech.torchaudio_import import torchaudio  # before speechbrain, which imports it plainly

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "egs/quickstart/sample").glob("*.flac"))


def recipe(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"egs/interop/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where hyperpyyaml looks for it
    spec.loader.exec_module(module)
    return module


def recordings() -> list[torch.Tensor]:
    return [torch.from_numpy(soundfile.read(path, dtype="float32")[0]) for path in SAMPLES[:2]]


def test_espnet_codec() -> None:
    pytest.importorskip("espnet2", reason="pip install espnet")
    from espnet2.gan_codec.espnet_model import ESPnetGANCodecModel

    codec = recipe("espnet_codec").VqspeechCodec("units")
    model = ESPnetGANCodecModel(codec)
    first, second = recordings()
    units = vqspeech.load("units")
    np.testing.assert_array_equal(model.encode(first)[0, 0].numpy(), units.encode(first.numpy()))
    pair = torch.stack([first[:32000], second[:32000]])
    codes = model.encode(pair)
    info = model.meta_info()
    assert codes.shape == (info["num_streams"], 2, 32000 // info["frame_shift"])
    assert int(codes.max()) < info["code_size_per_stream"][0]
    np.testing.assert_array_equal(codes[0, 1].numpy(), units.encode(pair[1].numpy()))
    with pytest.raises(vqspeech.InputError, match="no voices"):
        model.decode(codes)
    speaking = ESPnetGANCodecModel(recipe("espnet_codec").VqspeechCodec("default", speaker="slt"))
    spoken = speaking.decode(speaking.encode(pair[:, :8000]))
    assert spoken.shape[:2] == (2, 1)
    assert abs(spoken.shape[2] - 8000) <= 128
    assert 0.005 < float(spoken.square().mean().sqrt()) < 0.5


def test_espnet_token_text(tmp_path: Path) -> None:
    """What ``convert-units`` writes is what ESPnet's discrete recipes (asr2, tts2) read."""
    pytest.importorskip("espnet2", reason="pip install espnet")
    from espnet2.text.token_id_converter import TokenIDConverter
    from espnet2.text.word_tokenizer import WordTokenizer

    assert main(["encode", str(SAMPLES[0].parent), "--model", "units", "--out", str(tmp_path / "codes.txt")]) == 0
    assert main(["convert-units", str(tmp_path / "codes.txt"), str(tmp_path / "token"), "--to", "espnet"]) == 0
    lines = dict(line.split(maxsplit=1) for line in (tmp_path / "token").read_text().splitlines())
    assert len(lines) == 4
    converter = TokenIDConverter([*map(str, range(256)), "<unk>"])
    for name, text in lines.items():
        path = next(path for path in SAMPLES if name.endswith(path.stem))
        ids = converter.tokens2ids(WordTokenizer().text2tokens(text))
        np.testing.assert_array_equal(ids, vqspeech.load("units").encode(path))


def test_speechbrain_tokenizer() -> None:
    pytest.importorskip("speechbrain", reason="pip install speechbrain")
    assert torchaudio
    from hyperpyyaml import load_hyperpyyaml
    from speechbrain.dataio.batch import PaddedBatch
    from speechbrain.tokenizers.discrete_SSL_tokenizer import DiscreteSSLTokenizer

    recipe("speechbrain_tokenizer")
    made = load_hyperpyyaml("tokenizer: !new:speechbrain_tokenizer.VqspeechTokenizer\n  source: units\n")
    tokenizer: Any = made["tokenizer"]
    waveforms = recordings()
    batch = PaddedBatch([{"id": str(n), "sig": waveform} for n, waveform in enumerate(waveforms)])
    signal, lengths = batch.sig
    tokens = tokenizer.sig_to_tokens(signal, lengths)
    assert (tokens.ndim, tokens.shape[2], tokens.dtype) == (3, 1, torch.int64)
    units = vqspeech.load("units")
    for row, waveform in zip(tokens[..., 0].numpy(), waveforms, strict=True):
        codes = units.encode(waveform.numpy())
        np.testing.assert_array_equal(row[: len(codes)], codes)
        assert not row[len(codes) :].any()
    _, vectors = tokenizer.encode(signal, lengths)
    table = tokenizer.get_pretrained_embeddings(vocab_size=256, num_codebooks=1)
    assert torch.equal(vectors[:, :, 0], table[tokens[..., 0]])
    # SpeechBrain's own steps behind it: runs of equal tokens joined, ids moved past that of the padding.
    steps = DiscreteSSLTokenizer(num_clusters=[tokenizer.num_clusters])
    joined = steps.encode(tokens[:1], SSL_layers=[0], deduplicates=[True], bpe_tokenizers=[None])
    alone = tokens[0, :, 0]
    changes = torch.cat([torch.tensor([True]), alone[1:] != alone[:-1]])
    assert torch.equal(joined[0, :, 0], alone[changes] + 1)
    with pytest.raises(vqspeech.InputError, match="no voices"):
        tokenizer.tokens_to_sig(tokens)
    with pytest.raises(ValueError, match="the model has 1"):
        tokenizer.sig_to_tokens(signal, lengths, num_codebooks=8)


def test_speechbrain_speech() -> None:
    pytest.importorskip("speechbrain", reason="pip install speechbrain")
    tokenizer = recipe("speechbrain_tokenizer").VqspeechTokenizer("default", speaker="bdl")
    signal = recordings()[0][None, :8000]
    spoken = tokenizer.tokens_to_sig(tokenizer.sig_to_tokens(signal, None))
    assert spoken.shape[0] == 1
    assert abs(spoken.shape[1] - 8000) <= 128


def test_lhotse_custom_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lhotse = pytest.importorskip("lhotse", reason="pip install lhotse")
    from lhotse.dataset.collation import collate_custom_field

    found = [lhotse.Recording.from_file(path).to_cut() for path in SAMPLES]
    whole = [cut.with_id(f"c{number}") for number, cut in enumerate(found)]
    cuts = lhotse.CutSet.from_cuts([*whole[:3], whole[3].truncate(offset=0.5, duration=1.0).with_id("part")])
    cuts.to_file(tmp_path / "cuts.jsonl.gz")
    monkeypatch.chdir(tmp_path)
    assert main(["encode", "cuts.jsonl.gz", "--model", "units", "--out", "shards", "--shards", "2"]) == 0
    assert main(["join", "shards", "codes"]) == 0
    command = [sys.executable, str(ROOT / "egs/interop/lhotse_codes.py"), "cuts.jsonl.gz", "codes", "with"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert "4 cuts with codes, 0 without any left out" in ran.stdout
    again = lhotse.CutSet.from_file("with/cuts.jsonl.gz").to_eager()
    units = vqspeech.load("units")
    for cut, path in zip(list(again)[:3], SAMPLES[:3], strict=True):
        np.testing.assert_array_equal(cut.codes.load(), units.encode(path))
        # lhotse rounds the number of frames: a last code that is more than half filled up is not among them.
        np.testing.assert_array_equal(cut.load_codes(), units.encode(path)[: len(cut.load_codes())])
        assert len(cut.load_codes()) == round(cut.duration * 50)
    np.testing.assert_array_equal(
        again["part"].load_codes(), units.encode_waveform(units.read(SAMPLES[3], start=0.5, end=1.5))
    )
    # Codes are cut and batched with their cut.
    half = again["c0"].truncate(offset=1.0, duration=0.5)
    np.testing.assert_array_equal(half.load_codes(), again["c0"].load_codes()[50:75])
    padded, lengths = collate_custom_field(lhotse.CutSet.from_cuts(list(again)[:3]), "codes", pad_value=-1)
    assert padded.shape == (3, int(lengths.max()))
    assert lengths.tolist() == [len(cut.load_codes()) for cut in list(again)[:3]]
    # The same field in Shar, as sequential storage wants it.
    (tmp_path / "shar").mkdir()
    again.to_shar(tmp_path / "shar", fields={"recording": "flac", "codes": "numpy"})
    packed = lhotse.CutSet.from_shar(in_dir=tmp_path / "shar")
    np.testing.assert_array_equal(next(iter(packed)).codes.load(), again["c0"].load_codes())


def test_lhotse_ids_stay_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lhotse = pytest.importorskip("lhotse", reason="pip install lhotse")
    cut = lhotse.Recording.from_file(SAMPLES[0]).to_cut()
    lhotse.CutSet.from_cuts([cut.with_id("../../x")]).to_file(tmp_path / "cuts.jsonl.gz")
    monkeypatch.chdir(tmp_path)
    assert main(["encode", "cuts.jsonl.gz", "--model", "units", "--out", "shards", "--shards", "1"]) == 0
    assert main(["join", "shards", "codes"]) == 0
    command = [sys.executable, str(ROOT / "egs/interop/lhotse_codes.py"), "cuts.jsonl.gz", "codes", "a/b/with"]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert ran.returncode == 2
    assert len(ran.stderr.strip().splitlines()) == 1
    assert not [path for path in tmp_path.rglob("*.npy") if path.name == "x.npy"]
