"""Model.encode_many: what Model.encode gives for each recording alone."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import vqspeech
from vqspeech.errors import InputError
from vqspeech.inference import waveform_encoder

SAMPLE = Path(__file__).parents[2] / "egs/quickstart/sample"


def test_the_packaged_model_on_recordings_and_parts_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform_encoder, "_TOGETHER_SECONDS", 3)
    model = vqspeech.load()
    generator = np.random.default_rng(0)
    speech = [model.read(path) for path in sorted(SAMPLE.glob("*.flac"))]
    recordings = speech + [speech[n % 4][: int(generator.integers(1, 20_000))] for n in range(12)]
    for codes, recording in zip(model.encode_many(recordings), recordings, strict=True):
        assert codes.dtype == np.int32
        np.testing.assert_array_equal(codes, model.encode(recording))
    assert model.encode_many([]) == []
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.encode(speech[0]), model.encode(speech[0]))


def test_a_recording_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no such file"):
        vqspeech.load().encode_many([SAMPLE / "slt-001.flac", SAMPLE / "none.flac"])
