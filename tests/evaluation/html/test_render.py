"""``vqspeech.evaluation.html``: templates escape what they are given, and miss nothing in silence."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from vqspeech.evaluation.html import _environment, audio_source, render

PARTS = '{% import "parts.html" as parts %}'


@pytest.mark.parametrize("name", ["phonemes.html", "conversion.html", "prior.html"])
def test_a_template_without_its_values_is_an_error(name: str) -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render(name, about=SimpleNamespace(title="t", measure="m", codebook_size=2))


def test_cells_headings_notes_and_sources_are_escaped() -> None:
    bad, safe = '<b>"&', "&lt;b&gt;&#34;&amp;"
    made = _environment().from_string(
        PARTS + "{{ parts.table([bad], [[bad, 'x']], bad) }}{{ parts.tiles([(bad, bad, bad)]) }}"
        "{{ parts.player(bad) }}{{ parts.method(bad, [bad], [(bad, bad)]) }}"
        "{% call parts.section(bad, bad) %}{{ bad }}{% endcall %}"
    )
    page = made.render(bad=bad)
    assert bad not in page
    assert page.count(safe) == 13
    assert '<tr class="own">' in page


def test_a_sound_is_inside_the_page() -> None:
    waveform = np.linspace(-1.5, 0.5, 800, dtype=np.float32)
    head, _, content = audio_source(waveform, 16_000).partition(",")
    assert head == "data:audio/flac;base64"
    read, rate = soundfile.read(io.BytesIO(base64.b64decode(content)))
    assert rate == 16_000
    np.testing.assert_allclose(read, np.clip(waveform, -1, 1), atol=1e-4)
