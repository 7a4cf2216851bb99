"""Small corpora of silence in the layouts of the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_corpora import Sound


@pytest.fixture
def sound() -> Sound:
    """Writes a tenth of a second of silence, and a file of the same stem beside it for each suffix given."""

    def write(path: Path, rate: int = 16_000, **beside: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = {".opus": ("OGG", "OPUS")}.get(path.suffix, (None, None))
        sphere = path.suffix == ".WAV"
        soundfile.write(path, np.zeros(rate // 10), rate, format="NIST" if sphere else kind[0], subtype=kind[1])
        for suffix, content in beside.items():
            path.with_suffix(f".{suffix}").write_text(content)
        return path

    return write
