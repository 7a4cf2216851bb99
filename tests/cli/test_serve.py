"""``serve`` before it serves: who needs a token, and what cannot be listened at."""

from __future__ import annotations

import socket
import sys

import pytest

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")
pytest.importorskip("uvicorn", reason="the page needs vqspeech[web]")

from vqspeech.cli import serve
from vqspeech.cli.main import main
from vqspeech.errors import InputError


def test_this_machine_alone_needs_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve._token(None, local=True) is None
    assert capsys.readouterr().err == ""


def test_other_machines_get_a_new_token_and_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = serve._token(None, local=False), serve._token(None, local=False)
    assert first
    assert second
    assert first != second
    assert len(first) >= 20
    said = capsys.readouterr().err
    assert "everybody who can reach this address and has the token" in said
    assert "not encrypted" in said


@pytest.mark.parametrize("local", [True, False])
def test_a_given_token_is_asked_for_everywhere(local: bool) -> None:
    assert serve._token("a-good-token_1", local=local) == "a-good-token_1"


@pytest.mark.parametrize("token", ["", "short", "has a space in it", "has&sign-in-it", "тайна-тайна-тайна", "x" * 11])
def test_a_token_that_is_easily_guessed_is_refused(token: str) -> None:
    with pytest.raises(InputError, match="no good token"):
        serve._token(token, local=False)


def test_a_port_that_is_taken_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"vqspeech serve: cannot listen at 127.0.0.1, port {port}: ")
    assert said.count("\n") == 1


def test_an_address_that_is_none_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--host", "no such host", "--token", "a-good-token"]) == 2
    assert "no such address: no such host" in capsys.readouterr().err


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "vqspeech.web.server", raising=False)
    assert main(["serve"]) == 2
    assert "pip install 'vqspeech[web]'" in capsys.readouterr().err
