"""A decoder of another system's codes: times, training, what the codes are worth, and what does not fit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_training import RATE, make_pack, make_preset, write_data

import vqspeech
from vqspeech import codes
from vqspeech.cli.main import main
from vqspeech.codes import CodeInfo, Codes
from vqspeech.errors import InputError
from vqspeech.model.config import ExternalCodes
from vqspeech.model.external import frames_of, nearest_code, on_frames
from vqspeech.training.code_track import CodeTrack
from vqspeech.training.config import read_preset
from vqspeech.training.dataset import Segments, held_out
from vqspeech.training.vqvae_task import VQVAETask

#: Of the preset tiny at 8 kHz, a decoder of external codes.
EXTERNAL = (
    "model.encoder.front_end=external", "model.encoder.strides=[]", "model.encoder.dilations=[]",
    "model.encoder.mel_hop=32", "model.encoder.instance_norm=false", "model.encoder.frame_norm=false",
    "model.quantizer.update=loss", "model.conditioner.hop=32", "training.decode_from=0", "training.quantize_from=0",
)  # fmt: skip


def slow_nearest(time: float, source: ExternalCodes, count: int) -> float:
    """Distance to the nearest of all codes."""
    return min(abs(source.offset + index * source.frame_period - time) for index in range(count))


@given(st.floats(0.001, 0.05), st.floats(-0.02, 0.05), st.integers(1, 30), st.lists(st.floats(0, 2), min_size=1))
def test_each_time_has_the_nearest_code(period: float, offset: float, count: int, times: list[float]) -> None:
    source = ExternalCodes(frame_period=period, offset=offset)
    for time, index in zip(times, nearest_code(np.array(times), source, count).tolist(), strict=True):
        assert 0 <= index < count
        assert abs(offset + index * period - time) == pytest.approx(slow_nearest(time, source, count), abs=1e-9)


def test_codes_of_the_models_own_period_are_its_frames() -> None:
    config = make_preset(*EXTERNAL).model
    sequence = np.arange(20)
    assert on_frames(sequence, config).tolist() == sequence.tolist()  # without a source, nothing is known of times
    for period, offset, count in ((0.004, 0.002, 20), (0.004, 0.004, 20), (0.008, 0.004, 40), (0.003, 0.0015, 15)):
        source = ExternalCodes(frame_period=period, offset=offset)
        timed = msgspec.structs.replace(config, encoder=msgspec.structs.replace(config.encoder, source=source))
        found = on_frames(sequence, timed)
        assert len(found) == frames_of(20, timed) == pytest.approx(count, abs=1)
        assert set(np.diff(found).tolist()) <= {0, 1, 2}
        if (period, offset) == (0.004, 0.002):
            assert found.tolist() == sequence.tolist()


def test_segments_hold_the_codes_under_their_samples() -> None:
    pack = make_pack({"ann": [3200, 2560], "bob": [4000]}, numbered=True)
    period, hop = 32 / RATE, 32
    source = ExternalCodes(frame_period=period, offset=period / 2)
    starts = [0, 3200, 5760]
    # Each code is the number of its place in the whole pack.
    sequences = {
        name: np.arange(length // hop, dtype=np.int32) + start // hop
        for name, length, start in zip(pack.utterances, (3200, 2560, 4000), starts, strict=True)
    }
    track = CodeTrack(pack, sequences, source, hop=hop, where="c.txt")
    options = {"crops": 1, "speaker_balance": 1.0, "perturb_probability": 0.0, "loudness": 0.0, "seed": 0}
    batch = Segments(pack, batch=16, segment=1024, codes=track, **options)(3)
    assert batch.inputs.shape == (16, 32)
    assert batch.inputs.dtype == torch.int64
    for row, target in zip(batch.inputs, batch.targets, strict=True):
        # A sample is its own number, so that those of a frame name its code.
        samples = torch.round(target[1:] * 32767).long().view(32, hop)
        assert (samples[:, 0] // hop == row).float().mean() > 0.95
        assert samples[0, 0] % hop == 0
    dev = held_out(pack, segment=1024, count=3, speakers=pack.speakers, codes=track)
    assert dev.inputs.shape == (3, 32)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ann-0": None}, "no codes of utterance ann-0, nor of 0 others"),
        ({"ann-0": 40}, "the 40 codes of utterance ann-0 last 0.16 s, its recording 0.40 s"),
        ({"ann-0": 200}, "last 0.80 s"),
    ],
)
def test_codes_of_other_recordings_are_refused(change: dict[str, int | None], problem: str) -> None:
    pack = make_pack({"ann": [3200], "bob": [4000]})
    lengths = {"ann-0": 100, "bob-0": 125} | change
    sequences = {name: np.zeros(length, np.int32) for name, length in lengths.items() if length is not None}
    source = ExternalCodes(frame_period=0.004, offset=0.002)
    with pytest.raises(InputError, match=problem) as raised:
        CodeTrack(pack, sequences, source, hop=32, where="units.km")
    assert "units.km" in str(raised.value)


def data_and_codes(folder: Path, period: float = 0.02) -> tuple[Path, Path]:
    """Speech, and codes that say how loud it is."""
    lengths = {"ann": [12_000, 9000], "bob": [10_000, 11_000]}
    data = write_data(folder / "speech", lengths)
    import soundfile

    sequences = {}
    for file in sorted((folder / "speech").glob("*.wav")):
        waveform, _ = soundfile.read(file)
        hop = round(period * RATE)
        loudness = np.abs(waveform[: len(waveform) // hop * hop]).reshape(-1, hop).mean(1)
        sequences[file.stem] = np.digitize(loudness, [0.02, 0.04, 0.06, 0.08]).astype(np.int32)
    codes.write_units(folder / "units.km", Codes(CodeInfo(5, period, period / 2), sequences), "fairseq")
    return data, folder / "units.km"


def preset_file(folder: Path) -> Path:
    import yaml

    path = folder / "decoder.yaml"
    path.write_text(yaml.safe_dump(msgspec.to_builtins(make_preset(*EXTERNAL))))
    return path


def test_a_decoder_is_trained_and_decodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, units = data_and_codes(tmp_path)
    out = tmp_path / "exp"
    both = ["--data", str(data), "--dev", str(data), "--out", str(out), "--device", "cpu"]
    words = ["train", str(preset_file(tmp_path)), *both, "--codes", str(units), "training.steps=150", "--threads", "1"]
    assert main(words) == 0
    assert "5 codes, 50 per second; the model's frames are codes" in capsys.readouterr().out
    log = (out / "train.log").read_text()
    model = vqspeech.load(out)
    assert model.code_info == CodeInfo(5, 0.02, 0.01, model="units")
    # The codes matter: another utterance's, or one code for all, give other conditioning.
    sequences = codes.read_units(units).sequences
    speech = model.decode(sequences["ann-0"], "ann", seed=1)
    assert len(speech) == len(sequences["ann-0"]) * 160
    assert not np.array_equal(speech, model.decode(sequences["ann-0"][::-1], "ann", seed=1))
    assert "code gap" in log
    # The command line: decode, and what the model cannot do.
    assert main(["decode", str(units), "--model", str(out), "--speaker", "bob", "--out", str(tmp_path / "s")]) == 0
    assert len(list((tmp_path / "s").glob("*.wav"))) == 4
    measured = ["evaluate", "reconstruction", "--model", str(out), "--data", str(data), "--metrics", "pitch"]
    measured += ["--through", "decoder", "--pairs", "2", "--out", str(tmp_path / "report")]
    assert main([*measured, "--codes", str(units)]) == 0
    assert len(list((tmp_path / "report" / "wav").glob("*.wav"))) == 2
    codes.write(tmp_path / "few.txt", Codes(CodeInfo(5, 0.02, 0.01), {"ann-9": sequences["ann-0"]}))
    capsys.readouterr()
    assert main([*measured, "--codes", str(tmp_path / "few.txt"), "--force"]) == 2
    assert "no codes of utterance" in capsys.readouterr().err
    recording = str(tmp_path / "speech" / "ann-0.wav")
    for command in (["encode", recording], ["convert", "--src", recording, "--speaker", "bob"]):
        assert main([*command, "--model", str(out)]) == 2
        error = capsys.readouterr().err
        assert "the model has no encoder: its codes come from units" in error
        assert error.count("\n") == 1
    late = ["decode", str(units), "--frame-period", "0.04", "--model", str(out), "--speaker", "bob"]
    assert main([*late, "--out", str(tmp_path / "t")]) == 2
    assert "a code every 40 ms, but the model takes one every 20 ms" in capsys.readouterr().err


def test_held_out_speech_is_likelier_under_its_own_codes() -> None:
    """Noise whose level the code names, through a decoder that sees two samples: codes are worth much to it."""
    rng = np.random.default_rng(0)
    # Of the two held-out segments, each code is the other one in the other segment.
    sequences = {
        f"{speaker}-0": ((np.arange(250) + turn) % 2).astype(np.int32) for turn, speaker in enumerate(("ann", "bob"))
    }
    levels = np.repeat(np.concatenate(list(sequences.values())), 160) * 0.1 + 0.002
    pack = dataclasses.replace(
        make_pack({"ann": [40_000], "bob": [40_000]}),
        samples=np.rint(32767 * levels * rng.standard_normal(80_000).clip(-3, 3)).astype(np.int16),
    )
    small = ("model.encoder.mel_hop=160", "model.quantizer.codes=2", "training.segment=1600", "training.crop=640")
    preset = make_preset(*EXTERNAL, *small, "model.decoder.layers=1", "model.decoder.cycle=1")
    source = ExternalCodes(frame_period=0.02, offset=0.01)
    encoder = msgspec.structs.replace(preset.model.encoder, source=source)
    preset = msgspec.structs.replace(preset, model=msgspec.structs.replace(preset.model, encoder=encoder))
    task = VQVAETask(preset, pack, pack, codes=sequences)
    optimizer = torch.optim.Adam([p for p in task.model.parameters() if p.requires_grad], lr=0.02)
    before = task.evaluate(task.model)
    for step in range(100):
        loss, terms = task.loss(task.model, task.train(step), step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = task.evaluate(task.model)
    assert terms["commitment"] == 0
    assert after.nll < before.nll - 0.5
    assert after.code_gap > 0.2
    assert abs(before.code_gap) < 0.05
    assert after.perplexity == pytest.approx(2, abs=0.1)


def test_codes_of_a_rate_that_no_frame_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """75 codes per second at 8 kHz are 106.7 samples: frames are of 96."""
    data, units = data_and_codes(tmp_path, 1 / 75)
    out = tmp_path / "exp"
    words = ["--data", str(data), "--dev", str(data), "--out", str(out), "--device", "cpu", "--codes", str(units)]
    assert main(["train", str(preset_file(tmp_path)), *words, "training.steps=3", "--threads", "1"]) == 0
    assert "frames are of 12 ms, each with the code nearest to its centre" in capsys.readouterr().out
    model = vqspeech.load(out)
    assert model.code_info.frame_period == pytest.approx(1 / 75)
    sequence = codes.read_units(units).sequences["ann-0"]
    assert len(model.decode(sequence, "ann")) == pytest.approx(len(sequence) / 75 * RATE, abs=96)


def test_what_does_not_fit_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, units = data_and_codes(tmp_path)
    both = ["--data", str(data), "--dev", str(data), "--out", str(tmp_path / "exp"), "--device", "cpu"]
    preset = str(preset_file(tmp_path))
    (tmp_path / "plain.km").write_text("1 2 3\n" * 4)
    (tmp_path / "plain.tsv").write_text("/root\n" + "".join(f"{name}.wav\t1\n" for name in ("x", "y", "z", "w")))
    for words, problem in (
        ([preset], "the preset has no encoder"),
        (["tiny", "--codes", str(units)], "the preset trains an encoder"),
        ([preset, "--codes", str(tmp_path / "plain.km")], "the frame period is not known"),
        ([preset, "--codes", str(tmp_path / "plain.km"), "--frame-period", "0.02"], "no codes of utterance ann-0"),
        ([preset, "--codes", str(units), "--frame-period", "0.04"], "last"),
        ([preset, "--codes", str(units), "--codes", str(units)], "is in two files"),
        ([preset, "--codes", str(units), "model.quantizer.update=ema"], "external codes need loss"),
        ([preset, "--codes", str(units), "model.encoder.strides=[2]"], "its front end is external"),
    ):
        assert main(["train", *words, *both]) == 2, problem
        error = capsys.readouterr().err
        assert problem in error
        assert error.count("\n") == 1


def test_the_preset_begins_from_the_packaged_model() -> None:
    """Its decoder and conditioning network have the sizes of the default model's."""
    from vqspeech.model.checkpoint import load_model
    from vqspeech.model.packaged import PRETRAINED
    from vqspeech.model.vqvae import VQVAE
    from vqspeech.training.warm_start import initialise_decoder

    preset, trained = read_preset("decoder-50hz"), load_model(PRETRAINED)
    model = VQVAE(preset.model, ("p225", "somebody"))
    initialise_decoder(model, trained, where="default")
    assert torch.equal(model.decoder.skip.weight, trained.decoder.skip.weight)
    ours = model.state_dict()
    blocks = [name for name in ours if name.startswith("conditioner.blocks.")]
    assert blocks
    for name in blocks:
        assert torch.equal(ours[name], trained.state_dict()[name]), name
    row = trained.conditioner.speakers.weight[trained.speakers.index("p225")]
    assert torch.equal(model.conditioner.speakers.weight[0], row)
    stranger = VQVAE(preset.model, ("a",))
    stranger.decoder = torch.nn.Module()  # type: ignore[assignment]
    with pytest.raises(InputError, match="sizes"):
        initialise_decoder(stranger, trained, where="default")
