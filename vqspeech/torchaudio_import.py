"""``from vqspeech.torchaudio_import import torchaudio``: torchaudio beside any build of torch.

The torchaudio that a package registry offers is linked against CUDA. Beside a CPU build of torch (or one for another
CUDA) ``import torchaudio`` fails as it loads its compiled extension. What this toolkit uses (mel filters, resampling,
corpus classes) is Python and needs no extension. So only where the plain import fails, torchaudio is imported again
with a stand-in for ``torchaudio._extension`` that says there is none; torchaudio itself is written for that case, too.
A torchaudio that imports by itself is left untouched.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

_EXTENSION = "torchaudio._extension"


def import_torchaudio() -> ModuleType:
    """Import torchaudio, without its compiled extension where that cannot be loaded.

    Later imports of torchaudio, by other packages too, get the same module.

    Raises:
        ModuleNotFoundError: torchaudio is not installed.
    """
    try:
        return importlib.import_module("torchaudio")
    except ModuleNotFoundError:
        raise
    except (OSError, ImportError, RuntimeError):
        # OSError: a shared library is missing; RuntimeError: it was built for another CUDA than torch.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules[_EXTENSION] = _no_extension()
        return importlib.import_module("torchaudio")


def _no_extension() -> ModuleType:
    stand_in = ModuleType(_EXTENSION, "Stands in for a compiled extension that cannot be loaded.")
    stand_in.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=_needs_extension
    )
    return stand_in


def _needs_extension(function: Callable[..., Any]) -> Callable[..., NoReturn]:
    def fail(*_arguments: Any, **_options: Any) -> NoReturn:
        raise RuntimeError(f"torchaudio's {function.__name__} needs a torchaudio built for this build of torch")

    return fail


torchaudio = import_torchaudio()
