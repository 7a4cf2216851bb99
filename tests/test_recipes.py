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


def test_a_config_is_looked_for_beside_the_recipe_too(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "quick.conf").write_text("stage=7\n")
    assert run(recipe, "--config", "conf/quick.conf").stdout.startswith("7|")


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
    assert results["accuracy"] > 2 * results["baselines"]["random_codes"]["accuracy"]
    assert results["used_codes"] > 100
    page = (tmp_path / "report" / "report.html").read_text()
    assert "http-equiv" not in page
    assert 'src="http' not in page


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in REPO.glob("*/*/path.sh")}), ids=lambda path: path.name
)
def test_recipes_are_of_one_shape(folder: Path) -> None:
    assert (folder / "path.sh").read_text() == (REPO / "recipes/vctk/path.sh").read_text()
    assert "cmd=" in (folder / "cmd.sh").read_text()
    script = (folder / "run.sh").read_text()
    assert "set -euo pipefail" in script
    assert (folder / "conf" / "quick.conf").is_file()
    # Every option is told of in the help.
    declared = script.partition("\nset -euo")[2].partition(". parse_options.sh")[0]
    told = script.partition("\nset -euo")[0]
    names = [line.partition("=")[0] for line in declared.splitlines() if line[:1].isalpha() and "=" in line]
    for name in (name for name in names if name != "recipe"):
        assert f"--{name.replace('_', '-')}" in told, name


@pytest.mark.parametrize("name", ["paper-64x", "paper-25hz"])
def test_the_papers_configurations_are_the_presets(name: str) -> None:
    from vqspeech.training.config import read_preset

    assert read_preset(REPO / f"recipes/vctk/conf/{name}.yaml") == read_preset(name)


def own_recordings(folder: Path) -> Path:
    """The sample's speech, cut up: two speakers with enough recordings for three parts."""
    for file in (REPO / "egs/quickstart/sample").glob("*.flac"):
        samples, rate = soundfile.read(file)
        speaker = file.stem.partition("-")[0]
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        for number in range(len(samples) // rate):
            piece = samples[number * rate : (number + 1) * rate]
            soundfile.write(folder / speaker / f"{file.stem}-{number}.wav", piece, rate)
    return folder


def test_own_data_from_a_folder_to_a_report(tmp_path: Path) -> None:
    recordings = own_recordings(tmp_path / "recordings")
    words = ("--config", "conf/quick.conf", "--recordings", str(recordings))
    words += ("--data", str(tmp_path / "data"), "--exp", str(tmp_path / "exp"))
    changes = "training.steps=12 training.quantize_from=3 training.decode_from=6 training.batch=2 "
    changes += "training.segment=4096 training.crop=512"
    words += ("--changes", changes, "--nj", "1")
    ended = run(REPO / "egs/own_data/run.sh", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    results = (tmp_path / "exp" / "tiny" / "RESULTS.md").read_text()
    assert "Conversion by tiny" in results
    assert "real recordings of the target" in results
    codes = (tmp_path / "exp" / "tiny" / "codes" / "train.txt").read_text().splitlines()
    utterances = (tmp_path / "data" / "train" / "utt2spk").read_text().splitlines()
    assert [line.split()[0] for line in codes] == [line.split()[0] for line in utterances]
    again = run(REPO / "egs/own_data/run.sh", *words)
    assert again.returncode == 0
    assert again.stdout.count("done before") == 6


def test_a_recipe_says_what_it_needs(tmp_path: Path) -> None:
    ended = run(REPO / "egs/own_data/run.sh", "--data", str(tmp_path))
    assert ended.returncode == 2
    assert "--recordings is missing" in ended.stderr


def test_a_unit_models_preset_is_found_and_known_for_what_it_is(tmp_path: Path) -> None:
    script = f"""
set -euo pipefail
export PATH={REPO}/tools:{REPO}/.venv/bin:$PATH VQSPEECH_ROOT={REPO}
stage=0 stop_stage=0 nj=1 recipe={tmp_path}
. stages.sh
for name in units-50hz paper-25hz; do
  file=$(config_file {tmp_path} "$name")
  basename "$file"
  units_only "$file" && echo units || echo voices
done
model_named units
cd {tmp_path}
mkdir units
model_named ./units
mkdir -p exp/checkpoints/best
model_named exp
if model=$(model_named other); then echo "taken for $model"; fi
"""
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "units-50hz.yaml",
        "units",
        "paper-25hz.yaml",
        "voices",
        str(REPO / "vqspeech" / "pretrained" / "units"),
        str(tmp_path / "units"),
        str(tmp_path / "exp" / "checkpoints" / "best"),
    ]
    assert ended.stderr.startswith("--model: other: no model of this name")
    assert len(ended.stderr.splitlines()) == 1
