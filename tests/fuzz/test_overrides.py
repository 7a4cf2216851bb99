"""Any text as a change to a preset, as a voice, as an id."""

from __future__ import annotations

from pathlib import Path

from fuzz_limits import CASES, survives
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.errors import InputError
from vqspeech.files import name_fault, path_in
from vqspeech.speaker_blend import parse_voice, voice_label
from vqspeech.training.config import read_preset

KEYS = st.sampled_from(
    ["training.steps", "training.optimizer.muon_encoder", "training.optimizer.adam", "model.quantizer.codes",
     "model.encoder.strides", "model.decoder.layers", "model.audio.sample_rate", "training", "model.encoder", "", "x"]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(["-1", "0", ".nan", ".inf", "1e308", "1e400", "9" * 400, "[", "[" * 5000, "{a: b}", "!!bool x",
                     "2001-99-99", "&a [*a]", "null", "true", "'", "!!python/object:os.system x"]),
    st.text(max_size=30),
    st.floats().map(repr),
    st.integers().map(str),
)  # fmt: skip


@settings(max_examples=CASES)
@given(KEYS, VALUES)
def test_changes_to_a_preset(key: str, value: str) -> None:
    survives(lambda: read_preset("tiny", [f"{key}={value}"]), (key, value))


@settings(max_examples=CASES)
@given(st.text(max_size=40))
def test_changes_of_any_text(text: str) -> None:
    survives(lambda: read_preset("tiny", [text]), text)


@settings(max_examples=CASES)
@given(
    st.one_of(st.text(max_size=30), st.from_regex(r"(a|b|c)(:[0-9e.+-]{1,6})?(,(a|b):[0-9e.]{1,9})*", fullmatch=True))
)
def test_voices(text: str) -> None:
    def shares() -> None:
        total = sum(parse_voice(text, ["a", "b"]).values())
        assert abs(total - 1) < 1e-9
        assert name_fault(voice_label(text)) is None

    survives(shares, text)


@settings(max_examples=CASES)
@given(st.text(max_size=30))
def test_a_name_never_leads_out_of_its_folder(name: str) -> None:
    folder = Path("/some/folder")
    try:
        path = path_in(folder, name, ".wav")
    except InputError:
        return
    assert path.parent == folder
    assert path.resolve().parent == folder
