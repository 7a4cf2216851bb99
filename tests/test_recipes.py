"""The recipes run: options as Kaldi's scripts take them, and the quickstart from recording to report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import soundfile

REPO = Path(__file__).parent.parent
RECIPE = f"""#!/usr/bin/env bash
# What it is.
#   run.sh [--stage N]
set -euo pipefail
stage=0
some_name=x
flag=false
. {REPO}/tools/parse_options.sh
echo "$stage|$some_name|$flag|$*"
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "run.sh"
    path.write_text(RECIPE)
    return path


def run(recipe: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(recipe), *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ((), "0|x|false|"),
        (("--stage", "3", "--some-name", "two words"), "3|two words|false|"),
        (("--flag", "true", "rest", "--not-ours"), "0|x|true|rest --not-ours"),
        (("--stage", "1", "--", "--stage"), "1|x|false|--stage"),
        (("--some-name", ""), "0||false|"),
    ],
)
def test_options_set_the_variables_that_the_recipe_declares(recipe: Path, words: tuple[str, ...], shown: str) -> None:
    assert run(recipe, *words).stdout.rstrip("\n") == shown


def test_a_config_is_read_before_the_options(recipe: Path, tmp_path: Path) -> None:
    config = tmp_path / "quick.conf"
    config.write_text("stage=5\nsome_name=configured\n")
    assert run(recipe, "--stage", "2", "--config", str(config)).stdout.rstrip("\n") == "2|configured|false|"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--nothing", "1"), "no option --nothing"),
        (("--stage",), "--stage needs a value"),
        (("--flag", "perhaps"), "true or false"),
        (("--stage=3",), "write '--stage 3'"),
        (("--config", "/nowhere"), "cannot read the config"),
    ],
)
def test_faults_are_one_line_and_exit_code_2(recipe: Path, words: tuple[str, ...], problem: str) -> None:
    ended = run(recipe, *words)
    assert ended.returncode == 2
    assert problem in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_help_is_the_comment_at_the_top(recipe: Path) -> None:
    ended = run(recipe, "--help")
    assert ended.returncode == 0
    assert ended.stdout == "What it is.\n  run.sh [--stage N]\n"


@pytest.mark.parametrize("recipe_file", sorted(REPO.glob("*/*/run.sh")), ids=lambda path: path.parent.name)
def test_every_recipe_explains_itself(recipe_file: Path) -> None:
    ended = run(recipe_file, "--help")
    assert ended.returncode == 0
    assert "--stage" in ended.stdout


def test_the_quickstart_converts_encodes_and_reports(tmp_path: Path) -> None:
    words = ("--stage", "1", "--speakers", "p225", "--out", str(tmp_path))
    ended = run(REPO / "egs/quickstart/run.sh", *words)
    assert ended.returncode == 0, ended.stderr
    sample = REPO / "egs/quickstart/sample"
    converted = soundfile.info(tmp_path / "converted" / "slt-001-p225.wav")
    assert converted.frames == soundfile.info(sample / "slt-001.flac").frames
    results = json.loads((tmp_path / "report" / "RESULTS.json").read_text())
    # Synthesised voices that the model never heard; its codes must still tell phones far better than chance.
    assert results["accuracy"] > 2 * results["floors"]["random_codes"]["accuracy"]
    assert results["used_codes"] > 100
    page = (tmp_path / "report" / "report.html").read_text()
    assert "http-equiv" not in page
    assert 'src="http' not in page
