"""Who may know whom: each package imports downwards only, and heavy packages wait until they are needed."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import reduce
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vqspeech"
GROUND = {"counts", "errors", "files", "pipes", "ranges", "stderr_notes", "yaml_text"}
#: Part -> what else of the package it may import, itself apart.
MAY_IMPORT = {
    "audio": GROUND,
    "companding": GROUND,
    "datadir": GROUND,
    "alignment": GROUND,
    "codes": GROUND | {"npy"},
    "npy": GROUND,
    "speaker_blend": GROUND,
    "melspectrogram": GROUND | {"torchaudio_import"},
    "pitch": GROUND,
    "corpora": GROUND | {"audio", "datadir", "alignment"},
    "aligners": GROUND | {"audio", "datadir", "alignment"},
    "devices": GROUND | {"slurm_step"},
    "slurm_step": GROUND,
    "encoding": GROUND | {"codes"},
    "model": GROUND | {"companding", "melspectrogram"},
    "generation": GROUND | {"companding", "melspectrogram", "model"},
    "streaming": GROUND | {"generation", "melspectrogram", "model", "pitch"},
    "training": GROUND
    | {
        "audio",
        "codes",
        "companding",
        "datadir",
        "devices",
        "encoding",
        "melspectrogram",
        "model",
        "pitch",
        "slurm_step",
    }
    | {"torchaudio_import"},
    "evaluation": GROUND | {"alignment", "audio", "codes", "companding", "datadir", "torchaudio_import"},
    "inference": GROUND | {"audio", "model", "pitch"},
    "new_voice": GROUND | {"api", "audio", "model", "training"},
    "api": GROUND
    | {"audio", "codes", "devices", "generation", "inference", "model", "pitch", "speaker_blend", "streaming"},
}


def imported(file: Path) -> set[str]:
    """The parts of the package that a file imports, wherever in it."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "vqspeech":
            parts |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        parts |= {name.split(".")[1] for name in names if name.startswith("vqspeech.")}
    return parts - {"__version__"}


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_a_part_imports_only_what_stands_below_it(part: str) -> None:
    files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").exists() else sorted((PACKAGE / part).rglob("*.py"))
    assert files
    for file in files:
        assert imported(file) - {part} <= MAY_IMPORT[part], file


def test_nothing_imports_the_command_line() -> None:
    for file in PACKAGE.rglob("*.py"):
        if "cli" not in file.relative_to(PACKAGE).parts and file.name != "__main__.py":
            assert "cli" not in imported(file), file


def test_nothing_imports_the_page_but_its_command() -> None:
    for file in PACKAGE.rglob("*.py"):
        if "web" not in file.relative_to(PACKAGE).parts and file != PACKAGE / "cli" / "serve.py":
            assert "web" not in imported(file), file


@pytest.mark.parametrize("words", ["import vqspeech", "from vqspeech.cli import main"])
def test_help_needs_no_heavy_package(words: str) -> None:
    heavy = ("torch", "torchaudio", "librosa", "sklearn", "scipy", "parselmouth", "soundfile", "numpy", "matplotlib")
    check = f"import sys; {words}; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_converting_needs_no_package_of_training_or_evaluation() -> None:
    heavy = ("torchaudio", "librosa", "sklearn", "scipy.signal", "parselmouth", "matplotlib", "tensorboard", "lhotse")
    check = f"import sys, vqspeech.api; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_the_oldest_python_is_one_number_everywhere() -> None:
    """Installed under an older one, the package would fail at its first import."""
    root = PACKAGE.parent
    (required,) = re.findall(r'python_requires=">=3\.(\d+)"', (root / "setup.py").read_text(encoding="utf-8"))
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert settings["ruff"]["target-version"] == f"py3{required}"
    assert settings["mypy"]["python_version"] == f"3.{required}"
    assert f"Python 3.{required}" in (root / "README.md").read_text(encoding="utf-8")
    for file in PACKAGE.rglob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"), str(file), feature_version=(3, int(required)))


def test_every_message_for_the_user_has_a_hint() -> None:
    """What is wrong without what to do about it is half a message."""
    without = []
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None
            if called not in ("InputError", "decoding"):
                continue
            assert isinstance(node, ast.Call)
            # ``**parts`` holds those of another error.
            hints = [word.value for word in node.keywords if word.arg in ("hint", None)]
            if not hints or (isinstance(hints[0], ast.Constant) and not hints[0].value):
                without.append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert without == []


def test_hooks_run_the_checks_of_the_test_script() -> None:
    """Each check of tools/test.sh but the tests themselves, with the same command, on what is committed."""
    import yaml

    root = PACKAGE.parent
    script = (root / "tools" / "test.sh").read_text(encoding="utf-8")
    checks = dict(re.findall(r'^check "([^"]+)" (.+)$', script, re.MULTILINE))
    assert checks.pop("pytest").startswith(".venv/bin/python -m pytest")
    config = yaml.safe_load((root / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = {hook["name"]: hook["entry"] for repository in config["repos"] for hook in repository["hooks"]}
    # The script names all files, or asks that nothing be rewritten; a hook gets the names of the committed ones.
    given = {"ruff check": [" ."], "ruff format": [" --check ."], "shellcheck": [' .ci/run "${scripts[@]}"']}
    expected = {
        name: reduce(lambda text, part: text.replace(part, ""), given.get(name, []), command)
        for name, command in checks.items()
    }
    assert {name: entry.replace(" --force-exclude", "") for name, entry in hooks.items()} == expected
