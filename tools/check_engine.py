"""Import the installed compiled engine without torch and print its kernels: a quick test of a wheel."""

from __future__ import annotations

import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

folder = Path(sysconfig.get_path("platlib")) / "vqspeech/generation"
(library,) = folder.glob(f"_native*{sysconfig.get_config_var('EXT_SUFFIX')}")
spec = spec_from_file_location("vqspeech.generation._native", library)
assert spec is not None
assert spec.loader is not None
native = module_from_spec(spec)
spec.loader.exec_module(native)
kernels = [f"{precision} by {level}" for level, precision in native.available()]
assert "fp32 by plain" in kernels, kernels
print(f"{library.name}: {', '.join(kernels)}")
