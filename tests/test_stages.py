"""Stages of a recipe: done once, done again when what decides them has changed, and gone on with after any end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

REPO = Path(__file__).parent.parent
RECIPE = f"""#!/usr/bin/env bash
# A recipe of three stages.
#   run.sh [--stage N]
set -euo pipefail
recipe=$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)
VQSPEECH_ROOT={REPO}
PATH={REPO}/tools:$recipe/bin:$PATH
stage=0
stop_stage=2
word=a
other=x
nj=2
. parse_options.sh
. stages.sh
marks=$recipe/data
if begin_stage 0 "copy" reads "$recipe/in.txt" makes "$marks/copy.txt"; then
  echo copy >>"$recipe/ran"
  cp "$recipe/in.txt" "$marks/copy.txt"
  end_stage
fi
if begin_stage 1 "add" reads "$marks/copy.txt" makes "$marks/added.txt"; then
  echo add >>"$recipe/ran"
  # A comment.
  [[ ! -e $recipe/fail ]]
  while [[ -e $recipe/wait ]]; do sleep 0.05; done
  ls "$marks" "$work" >"$recipe/seen"
  touch "$work/scratch"
  cat "$marks/copy.txt" - <<<"$word" >"$marks/added.txt"
  end_stage
fi
if begin_stage 2 "train" reads "$marks/added.txt" guards "$marks/model.txt"; then
  echo train >>"$recipe/ran"
  echo "$other $nj" >>"$marks/model.txt"
  end_stage
fi
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.sh").write_text(RECIPE)
    (tmp_path / "in.txt").write_text("one\n")
    (tmp_path / "bin").mkdir()
    vqspeech = tmp_path / "bin" / "vqspeech"
    vqspeech.write_text("#!/bin/sh\n")
    vqspeech.chmod(0o755)
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(folder / "run.sh"), *words], capture_output=True, text=True, check=False, timeout=60
    )


def ran(folder: Path) -> list[str]:
    """What ran since the last call."""
    found = (folder / "ran").read_text().split() if (folder / "ran").exists() else []
    (folder / "ran").unlink(missing_ok=True)
    return found


@pytest.fixture
def done(folder: Path) -> Path:
    assert run(folder).returncode == 0
    assert ran(folder) == ["copy", "add", "train"]
    return folder


def test_a_run_that_is_repeated_does_nothing(done: Path) -> None:
    again = run(done)
    assert again.returncode == 0
    assert ran(done) == []
    assert again.stdout.count("done before") == 3
    assert (done / "data" / ".stage_1.done").is_file()


def test_only_the_stages_that_are_asked_for_run(folder: Path) -> None:
    assert run(folder, "--stop-stage", "0").returncode == 0
    assert ran(folder) == ["copy"]
    assert run(folder, "--stage", "1", "--stop-stage", "1").returncode == 0
    assert ran(folder) == ["add"]


def test_a_stage_whose_input_is_missing_says_so(folder: Path) -> None:
    ended = run(folder, "--stage", "1")
    assert ended.returncode == 1
    assert "stage 1 reads" in ended.stderr
    assert "copy.txt, which is not there" in ended.stderr


def test_an_option_invalidates_the_stages_that_use_it(done: Path) -> None:
    ended = run(done, "--word", "b", "--stop-stage", "1")
    assert ran(done) == ["add"]
    assert "changed since: --word" in ended.stdout
    assert (done / "data" / "added.txt").read_text() == "one\nb\n"


def test_how_many_jobs_there_are_invalidates_nothing(done: Path) -> None:
    run(done, "--nj", "7")
    assert ran(done) == []


def test_input_invalidates_by_its_content_and_not_by_its_date(done: Path) -> None:
    os.utime(done / "in.txt", (1, 1))
    run(done)
    assert ran(done) == []
    (done / "in.txt").write_text("two\n")
    run(done, "--stop-stage", "1")
    assert ran(done) == ["copy", "add"]
    assert (done / "data" / "added.txt").read_text() == "two\na\n"


def test_folders_that_are_moved_hold(done: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    moved = tmp_path_factory.mktemp("elsewhere") / "recipe"
    done.rename(moved)
    again = run(moved)
    assert again.returncode == 0
    assert ran(moved) == []
    # What has changed is named without them.
    (moved / "in.txt").write_text("two\n")
    ended = run(moved, "--stop-stage", "0")
    assert "changed since: recipe/in.txt; what" in ended.stdout


def test_another_command_invalidates_and_another_comment_does_not(done: Path) -> None:
    (done / "run.sh").write_text(RECIPE.replace("# A comment.", "# Another."))
    run(done)
    assert ran(done) == []
    (done / "run.sh").write_text(RECIPE.replace('ls "$marks"', 'ls -a "$marks"'))
    ended = run(done)
    assert ran(done) == ["add"]
    assert "changed since: its commands" in ended.stdout


def test_output_that_is_gone_or_empty_is_made_again(done: Path) -> None:
    (done / "data" / "added.txt").unlink()
    run(done)
    assert ran(done) == ["add"]
    (done / "data" / "added.txt").write_text("")
    run(done)
    assert ran(done) == ["add"]


def test_a_trained_model_is_never_made_again_unasked(done: Path) -> None:
    ended = run(done, "--word", "b")
    assert ran(done) == ["add"]
    assert ended.returncode == 1
    assert "begun with other input" in ended.stderr
    assert "--tag" in ended.stderr
    assert (done / "data" / "model.txt").read_text() == "x 2\n"
    # Whatever else has changed beside the input.
    (done / "run.sh").write_text(RECIPE.replace('echo "$other', 'printf "$other'))
    assert "begun with other input" in run(done, "--word", "b").stderr
    (done / "run.sh").write_text(RECIPE)
    ran(done)
    # Another option than its input is for the command itself to judge; it finds what it made before.
    assert run(done, "--word", "a", "--other", "y").returncode == 0
    assert (done / "data" / "model.txt").read_text() == "x 2\ny 2\n"


def test_a_stage_that_fails_is_not_done_and_says_how_to_go_on(folder: Path) -> None:
    (folder / "fail").touch()
    ended = run(folder, "--word", "two words")
    assert ended.returncode == 1
    assert "stage 1 (add) has not come to its end" in ended.stderr
    assert f"{folder}/run.sh --stage 1 --word two\\ words" in ended.stderr
    assert ran(folder) == ["copy", "add"]
    (folder / "fail").unlink()
    assert run(folder, "--word", "two words").returncode == 0
    assert ran(folder) == ["add", "train"]


def test_a_stage_that_makes_nothing_is_not_done(folder: Path) -> None:
    (folder / "run.sh").write_text(RECIPE.replace('cp "$recipe/in.txt"', 'true "$recipe/in.txt"'))
    ended = run(folder)
    assert ended.returncode == 1
    assert "stage 0 has not made" in ended.stderr


def begun(folder: Path) -> subprocess.Popen[str]:
    """The recipe, waiting in the middle of stage 1, with something half made."""
    (folder / "wait").touch()
    process = subprocess.Popen(["bash", str(folder / "run.sh")], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while not (folder / "data" / ".stage_1.work").is_dir():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.1)
    (folder / "data" / ".stage_1.work" / "scrap").touch()
    (folder / "data" / "added.txt").write_text("half")
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_killed_goes_on_with_what_it_has(folder: Path, number: int) -> None:
    process = begun(folder)
    process.send_signal(number)
    process.wait(30)
    (folder / "wait").unlink()
    assert not (folder / "data" / ".stage_1.done").exists()
    ran(folder)
    assert run(folder).returncode == 0
    assert ran(folder) == ["add", "train"]
    assert "scrap" in (folder / "seen").read_text()
    assert (folder / "data" / "added.txt").read_text() == "one\na\n"
    assert not (folder / "data" / ".stage_1.work").exists()


def test_what_was_half_made_with_other_options_is_thrown_away(folder: Path) -> None:
    process = begun(folder)
    process.kill()
    process.wait(30)
    (folder / "wait").unlink()
    assert run(folder, "--word", "b").returncode == 0
    assert "scrap" not in (folder / "seen").read_text()
    assert (folder / "data" / "added.txt").read_text() == "one\nb\n"


def test_two_runs_at_once_do_the_work_once(folder: Path) -> None:
    first = begun(folder)
    second = subprocess.Popen(["bash", str(folder / "run.sh")], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    (folder / "wait").unlink()
    output, _ = second.communicate(timeout=30)
    assert first.wait(30) == 0
    assert second.returncode == 0
    assert "waiting for another run" in output
    assert ran(folder) == ["copy", "add", "train"]


@pytest.mark.parametrize("words", [("--stage", "two"), ("--nj", "-1")])
def test_numbers_are_checked(folder: Path, words: tuple[str, ...]) -> None:
    ended = run(folder, *words)
    assert ended.returncode == 2
    assert "takes a number" in ended.stderr
