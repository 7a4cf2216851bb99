"""``vqspeech COMMAND``: what every command shares, whatever it does."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import vqspeech
from vqspeech.cli import main as cli
from vqspeech.errors import InputError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A command ``do-it`` that takes ``--times N``; a test gives it its ``run``."""
    module = ModuleType("vqspeech.cli.do_it", "Does it, as often as asked.")
    module.__dict__["add_arguments"] = lambda parser: parser.add_argument("--times", type=int, default=1)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.COMMANDS, "tests", {"do-it": "does it"})
    return module


def fails_with(error: BaseException):
    def run(options: argparse.Namespace) -> None:
        raise error

    return run


def test_help_lists_every_command_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for commands in cli.COMMANDS.values():
        for name, purpose in commands.items():
            assert f"  {name} " in shown
            assert purpose in shown


def test_every_command_has_a_file_with_a_help_text() -> None:
    folder = Path(cli.__file__).parent
    listed = {name.replace("-", "_") for commands in cli.COMMANDS.values() for name in commands}
    modules = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    having = [path for path in modules if "\ndef run(" in path.read_text()]
    assert listed == {path.parent.name if path.name == "__init__.py" else path.stem for path in having}
    for name in listed:
        parser = argparse.ArgumentParser()
        module = __import__(f"vqspeech.cli.{name}", fromlist=[name])
        assert module.__doc__
        module.add_arguments(parser)
        assert callable(module.run)


def test_ctrl_c_while_a_command_is_imported_is_one_line(
    monkeypatch: pytest.MonkeyPatch, command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> ModuleType:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "command_module", interrupted)
    assert cli.main(["do-it"]) == 130
    assert capsys.readouterr().err == "vqspeech do-it: interrupted\n"


def test_an_interrupt_while_the_commands_are_imported_is_one_line() -> None:
    interrupt = (
        "import runpy, sys\n"
        "class Interrupts:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'argparse': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupts())\n"
        "sys.modules.pop('argparse', None)\n"
        "sys.argv = ['vqspeech', 'speakers']\n"
        "runpy.run_module('vqspeech', run_name='__main__', alter_sys=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", interrupt], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "vqspeech: interrupted\n")


def test_nothing_heavy_is_imported_for_help() -> None:
    script = (
        "import sys; from vqspeech.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'scipy', 'librosa', 'soundfile', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"vqspeech {vqspeech.__version__}\n"


def test_no_command_shows_the_help_and_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "vqspeech COMMAND" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["covnert"])
    assert left.value.code == 2
    assert "no command 'covnert' (vqspeech --help lists them)" in capsys.readouterr().err


def test_python_m_vqspeech_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "vqspeech", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"vqspeech {vqspeech.__version__}\n"


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_gets_its_options_and_gives_the_exit_status(
    command: ModuleType, returned: int | None, status: int
) -> None:
    seen: list[int] = []

    def run(options: argparse.Namespace) -> int | None:
        seen.append(options.times)
        return returned

    command.__dict__["run"] = run
    assert cli.main(["do-it", "--times", "3"]) == status
    assert seen == [3]


def test_a_commands_help_is_its_files_first_words(command: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["do-it", "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: vqspeech do-it" in shown
    assert "Does it, as often as asked." in shown


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("is empty", where="a.wav", hint="record it"), 2, "a.wav: is empty (record it)"),
        (PermissionError(13, "Permission denied", "a.wav"), 2, "a.wav: Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "too big for the memory: MemoryError"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1000 bytes. Error code 12"),
            1,
            "too big for the memory: tried to allocate 1000 bytes",
        ),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0"),
            1,
            "too big for the memory: CUDA out of memory",
        ),
    ],
)
def test_what_goes_wrong_outside_is_one_line(
    command: ModuleType, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str
) -> None:
    command.__dict__["run"] = fails_with(error)
    assert cli.main(["do-it"]) == status
    assert capsys.readouterr().err == f"vqspeech do-it: {message}\n"


def test_what_goes_wrong_inside_is_a_traceback(command: ModuleType) -> None:
    command.__dict__["run"] = fails_with(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["do-it"])


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGPIPE there")
def test_a_reader_that_goes_away_is_no_error() -> None:
    script = (
        "import sys; from types import ModuleType; from vqspeech.cli import main as cli\n"
        "module = ModuleType('vqspeech.cli.do_it'); module.add_arguments = lambda parser: None\n"
        "module.run = lambda options: [print('line') for _ in range(100_000)] and None\n"
        "sys.modules[module.__name__] = module; cli.COMMANDS['tests'] = {'do-it': 'prints'}\n"
        "sys.exit(cli.main(['do-it']))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
