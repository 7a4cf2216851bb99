"""torchaudio is importable beside a torch that it was not built for, and untouched beside one that it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

EXTENSION = "from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE as found, fail_if_no_align\n"


def in_new_python(script: str, search: Path) -> str:
    """What ``script`` prints in a Python that finds packages in ``search`` first."""
    import vqspeech

    root = Path(vqspeech.__file__).parents[1]
    program = f"import sys; sys.path[:0] = [{str(search)!r}, {str(root)!r}]\n{script}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


def fake_torchaudio(folder: Path, extension: str) -> Path:
    """A package that asks its extension what torchaudio asks its own."""
    package = folder / "torchaudio"
    (package / "_extension").mkdir(parents=True)
    (package / "_extension" / "__init__.py").write_text(extension)
    (package / "__init__.py").write_text(
        f"from . import _extension\nfrom .functional import align, found\n__version__ = {'0.0'!r}\n"
    )
    (package / "functional.py").write_text(f"{EXTENSION}@fail_if_no_align\ndef align(): return 'aligned'\n")
    return folder


def test_the_installed_one_computes_what_needs_no_extension() -> None:
    from vqspeech.torchaudio_import import torchaudio

    assert torchaudio.functional.melscale_fbanks(201, 0.0, 8000.0, 40, 16000).shape == (201, 40)
    assert torchaudio.functional.resample(torch.zeros(1, 480), 48000, 16000).shape == (1, 160)
    assert sys.modules["torchaudio"] is torchaudio


def test_one_that_imports_by_itself_is_untouched(tmp_path: Path) -> None:
    works = "_IS_TORCHAUDIO_EXT_AVAILABLE = True\ndef fail_if_no_align(function): return function\n"
    search = fake_torchaudio(tmp_path, works)
    script = "from vqspeech.torchaudio_import import torchaudio as t; print(t.found, t.align(), t._extension.__file__)"
    assert in_new_python(script, search) == f"True aligned {tmp_path}/torchaudio/_extension/__init__.py"


@pytest.mark.parametrize(
    "failure", ["OSError('libc10_cuda.so')", "RuntimeError('another CUDA')", "ImportError('libtorchaudio')"]
)
def test_a_failing_extension_is_left_out(tmp_path: Path, failure: str) -> None:
    search = fake_torchaudio(tmp_path, f"raise {failure}")
    script = (
        "from vqspeech.torchaudio_import import torchaudio as t\nimport torchaudio\nprint(t.found, t is torchaudio)\n"
        "try: t.align()\nexcept RuntimeError as error: print(error)"
    )
    assert in_new_python(script, search).splitlines() == [
        "False True",
        "torchaudio's align needs a torchaudio built for this build of torch",
    ]


def test_a_missing_one_is_said_to_be_missing(tmp_path: Path) -> None:
    script = (
        "sys.modules['torchaudio'] = None\n"
        "try: import vqspeech.torchaudio_import\nexcept ModuleNotFoundError as error: print(error.name)"
    )
    assert in_new_python(script, tmp_path) == "torchaudio"
