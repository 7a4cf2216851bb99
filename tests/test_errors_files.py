"""Errors are one line with a place and a hint; files appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from vqspeech.errors import InputError, MissingExtraError, decoding, located
from vqspeech.files import atomic_open, atomic_path, locked, path_in, require_writable


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("is empty"), "is empty"),
        (InputError("is empty", where="wav.scp"), "wav.scp: is empty"),
        (InputError("has one field", where=Path("d/wav.scp"), line=3), "d/wav.scp:3: has one field"),
        (
            InputError("is empty", where="a.wav", hint="record it again"),
            "a.wav: is empty (record it again)",
        ),
        (InputError("two\nlines  here", hint="and\nmore"), "two lines here (and more)"),
        (
            MissingExtraError("fastabx", extra="abx", purpose="ABX"),
            "ABX needs fastabx (pip install 'vqspeech[abx]')",
        ),
    ],
)
def test_an_error_is_one_line(error: InputError, line: str) -> None:
    assert str(error) == line
    assert isinstance(error, ValueError)


def test_an_error_keeps_its_parts() -> None:
    error = InputError("has one field", where=Path("d/wav.scp"), line=3, hint="add the path")
    assert (error.problem, error.where, error.line, error.hint) == (
        "has one field",
        os.path.join("d", "wav.scp"),  # noqa: PTH118 - what is compared is a string
        3,
        "add the path",
    )


@pytest.mark.parametrize(("part", "line"), [("", "a.json: is 3 (take 2)"), ("row 7", "a.json: row 7: is 3 (take 2)")])
def test_an_error_of_a_check_names_the_file_that_is_checked(part: str, line: str) -> None:
    with pytest.raises(InputError) as raised, located(Path("a.json"), part):
        raise InputError("is 3", where="period", hint="take 2")
    assert str(raised.value) == line


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "a.txt"
    with atomic_open(target) as file:
        file.write("één\n")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == "één\n".encode()
    assert list(target.parent.iterdir()) == [target]


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    with atomic_open(tmp_path / "a.bin", "wb") as file:
        file.write(b"\r\n\x00")
    assert (tmp_path / "a.bin").read_bytes() == b"\r\n\x00"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def write_half() -> None:
        with atomic_open(target) as file:
            file.write("half of the n")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_error_that_names_the_file(
    tmp_path: Path, full_disk: Callable[[], AbstractContextManager[None]]
) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with full_disk(), pytest.raises(OSError, match=r"a\.txt") as caught, atomic_open(target) as file:
        file.write("x" * 10_000)
    assert caught.value.filename == str(target)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_file_lies_beside_the_target_and_keeps_its_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.flac") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".flac"
        temporary.write_text("content")
    assert (tmp_path / "a.flac").read_text() == "content"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_open(tmp_path / "a.txt") as file:
            file.write("x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")
def test_kill_9_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    script = (
        "import os, signal, sys; from vqspeech.files import atomic_open\n"
        "with atomic_open(sys.argv[1]) as file:\n"
        "    file.write('half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, target])
    assert done.returncode == -signal.SIGKILL
    assert target.read_text() == "old"


@pytest.mark.parametrize("name", ["../x", "/abs/x", "a/b", "a\\b", "..", ".", "", "a\0b", "a\nb", "x" * 300, "\udcff"])
def test_a_name_from_outside_cannot_lead_out_of_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        path_in(tmp_path, name, ".wav")


def test_a_name_is_a_file_in_the_folder(tmp_path: Path) -> None:
    assert path_in(tmp_path, "p225-..x é", ".wav") == tmp_path / "p225-..x é.wav"


def test_one_process_at_a_time_writes(tmp_path: Path) -> None:
    target = tmp_path / "codes.txt"
    with locked(target), pytest.raises(InputError, match="another process"), locked(target):
        pass
    with locked(target):
        pass
    assert list(tmp_path.iterdir()) == []


def test_kill_9_frees_the_lock(tmp_path: Path) -> None:
    target = tmp_path / "codes.txt"
    script = (
        "import os, sys; from vqspeech.files import locked\n"
        "with locked(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(InputError, match="another process"), locked(target):
            pass
        other.kill()
        other.wait()
    with locked(target):
        pass


class _OddError(Exception):
    pass


@pytest.mark.parametrize("error", [_OddError("one\ntwo"), RecursionError(), KeyError("x"), TypeError(), OSError("")])
def test_whatever_a_library_raises_over_bytes_is_bad_input(error: Exception) -> None:
    with pytest.raises(InputError, match=r"a\.npy: no array: ") as caught, decoding("no array", where="a.npy"):
        raise error
    assert "\n" not in str(caught.value)


def test_what_the_system_says_of_a_file_stays_as_it_is() -> None:
    with pytest.raises(PermissionError), decoding("no array"):
        raise PermissionError(13, "Permission denied", "a.npy")


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import sys, time; from vqspeech.files import atomic_path\n"
        "with atomic_path(sys.argv[1]): print(1, flush=True); time.sleep(60)"
    )
    target = tmp_path / "report.html"

    def started() -> subprocess.Popen[str]:
        other = subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        other.stdout.readline()
        return other

    with started() as killed, started() as living:
        killed.kill()
        killed.wait()
        assert len(list(tmp_path.iterdir())) == 2
        (tmp_path / ".report.backup.html").write_text("the user's own")
        with atomic_open(target) as file:
            file.write("new")
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left[0] == ".report.backup.html"
        assert left[1].startswith(".report.tmp-")  # of the one that lives
        assert left[2:] == ["report.html"]
        living.kill()


def test_a_file_that_cannot_be_made_is_called_by_its_own_name() -> None:
    with pytest.raises(OSError, match=r"/proc/a\.wav") as raised, atomic_open(Path("/proc/a.wav")):
        pass
    assert raised.value.filename == "/proc/a.wav"


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        with pytest.raises(InputError, match="is a"), atomic_open(target) as file:
            file.write("x")
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    require_writable(tmp_path / "new" / "deep" / "a.wav")
    require_writable(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    for target, fault in (
        (tmp_path, "a folder"),
        ("/dev/null", "a device"),
        (tmp_path / "file" / "a", "not a"),
    ):
        with pytest.raises(InputError, match=fault):
            require_writable(target)
    monkeypatch.setattr(os, "access", lambda *_: False)  # a test that runs as root may write everywhere
    with pytest.raises(InputError, match="cannot be written"):
        require_writable(tmp_path / "file")
