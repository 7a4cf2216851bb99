"""Downloads against a server on this machine: broken off and gone on with, checked, unpacked whole or not at all."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vqspeech.cli.main import main
from vqspeech.corpora.download import fetch, unpack
from vqspeech.errors import InputError

CONTENT = bytes(range(256)) * 40_000
SUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(ThreadingHTTPServer):
    """Serves CONTENT.

    Attributes:
        asked: the Range header of each request.
        breaks: bytes after which the connections to come are broken, the next first.
        ranges: whether it knows what a range is.
        fails: how many of the next requests get the status 503.
    """

    asked: list[str | None]
    breaks: list[int]
    ranges: bool
    fails: int


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.path == "/nothing":
            self.send_error(404)
            return
        if self.server.fails:
            self.server.fails -= 1
            self.send_error(503)
            return
        start = int(re.findall(r"\d+", asked)[0]) if asked and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = start + self.server.breaks.pop(0) if self.server.breaks else len(CONTENT)
        self.wfile.write(CONTENT[start:end])


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked, server.breaks, server.ranges, server.fails = [], [], True, 0
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_address[1]}/corpus.zip"


def test_a_file_is_fetched_once(server: Server, url: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "corpus.zip"
    seen: list[tuple[int, int]] = []
    fetch(url, target, checksum=SUM, progress=lambda done, total: seen.append((done, total)))
    assert target.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    fetch(url, target, checksum=f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}")
    assert server.asked == [None]
    assert [path.name for path in target.parent.iterdir()] == ["corpus.zip"]


def test_a_connection_that_breaks_is_gone_on_with(server: Server, url: str, tmp_path: Path) -> None:
    server.breaks = [1_000_000, 2_000_000]
    fetch(url, tmp_path / "c", checksum=SUM, wait=0)
    assert (tmp_path / "c").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=3000000-"]


def test_what_an_earlier_run_left_is_gone_on_with(server: Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "c.part").write_bytes(CONTENT[:77])
    fetch(url, tmp_path / "c", checksum=SUM)
    assert server.asked == ["bytes=77-"]
    (tmp_path / "d.part").write_bytes(CONTENT)
    fetch(url, tmp_path / "d", checksum=SUM)
    assert (tmp_path / "d").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_all_again(server: Server, url: str, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "c.part").write_bytes(CONTENT[:77])
    fetch(url, tmp_path / "c", checksum=SUM)
    assert (tmp_path / "c").read_bytes() == CONTENT


def test_the_beginning_of_another_version_is_thrown_away(server: Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "c.part").write_bytes(b"x" * 1000)
    fetch(url, tmp_path / "c", checksum=SUM)
    assert (tmp_path / "c").read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-", None]


def test_a_busy_server_is_asked_again(server: Server, url: str, tmp_path: Path) -> None:
    server.fails = 2
    fetch(url, tmp_path / "c", checksum=SUM, wait=0)
    assert len(server.asked) == 3


def test_a_server_that_stays_silent_is_given_up(server: Server, url: str, tmp_path: Path) -> None:
    server.breaks = [100] + [0] * 9
    with pytest.raises(InputError, match="the same command goes on later") as caught:
        fetch(url, tmp_path / "c", checksum=SUM, wait=0)
    assert caught.value.where == url
    assert (tmp_path / "c.part").read_bytes() == CONTENT[:100]
    assert not (tmp_path / "c").exists()


def test_another_sum_leaves_nothing(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has not the sum"):
        fetch(url, tmp_path / "c", checksum="md5:" + "0" * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_that_name_with_another_sum_is_not_touched(server: Server, url: str, tmp_path: Path) -> None:
    (tmp_path / "c").write_text("mine")
    with pytest.raises(InputError, match="remove it, or move it"):
        fetch(url, tmp_path / "c", checksum=SUM)
    assert (tmp_path / "c").read_text() == "mine"
    assert server.asked == []


@pytest.mark.parametrize("address", ["no address", "/etc/passwd"])
def test_what_is_no_address(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no address"):
        fetch(address, tmp_path / "c", checksum=SUM)


def test_nobody_at_home(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="refused"):
        fetch("http://127.0.0.1:9/c", tmp_path / "c", checksum=SUM, wait=0)


def test_an_address_without_a_file(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="404"):
        fetch(url.replace("corpus.zip", "nothing"), tmp_path / "c", checksum=SUM)


@pytest.mark.parametrize("checksum", ["12345", "sha1:" + "0" * 40, "sha256:12ab", "md5:" + "0" * 31 + "g", "md5:", ""])
def test_no_checksum(
    server: Server, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], checksum: str
) -> None:
    with pytest.raises(InputError, match="no checksum"):
        fetch(url, tmp_path / "c", checksum=checksum)
    assert main(["fetch", url, "--checksum", checksum, "--out", str(tmp_path / "new" / "c")]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "argument --checksum: " in said
    assert not (tmp_path / "new").exists()
    assert server.asked == []


def test_a_checksum_in_capitals_is_the_same(url: str, tmp_path: Path) -> None:
    fetch(url, tmp_path / "c", checksum=f"sha256:{hashlib.sha256(CONTENT).hexdigest().upper()}")
    assert (tmp_path / "c").read_bytes() == CONTENT


def archive(path: Path, kind: str) -> Path:
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as content:
            content.writestr("txt/a.txt", "a")
    else:
        with tarfile.open(path, f"w:{kind}") as content:
            entry = tarfile.TarInfo("txt/a.txt")
            entry.size = 1
            content.addfile(entry, io.BytesIO(b"a"))
    return path


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2"])
def test_unpacking(kind: str, tmp_path: Path) -> None:
    unpack(archive(tmp_path / "a", kind), tmp_path / "out")
    assert (tmp_path / "out" / "txt" / "a.txt").read_text() == "a"
    with pytest.raises(InputError, match="is there already"):
        unpack(tmp_path / "a", tmp_path / "out")


def test_an_archive_of_one_folder_of_that_name_becomes_the_folder(tmp_path: Path) -> None:
    unpack(archive(tmp_path / "a", "gz"), tmp_path / "txt")
    assert (tmp_path / "txt" / "a.txt").read_text() == "a"


@pytest.mark.parametrize("kind", ["zip", "gz"])
def test_a_damaged_archive_is_not_unpacked(kind: str, tmp_path: Path) -> None:
    whole = archive(tmp_path / "a", kind).read_bytes()
    (tmp_path / "a").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="no archive that can be unpacked"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_encrypted_archive_is_one_line(tmp_path: Path) -> None:
    content = bytearray(archive(tmp_path / "a", "zip").read_bytes())
    content[6] |= 1  # the flag of encryption, in the file's header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match="encrypted"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_an_interrupted_unpacking_left_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".out.unpacking").mkdir()
    (tmp_path / ".out.unpacking" / "half").touch()
    unpack(archive(tmp_path / "a", "zip"), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["txt"]


def test_the_command(server: Server, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fetch", url, "--checksum", SUM, "--out", str(tmp_path / "c")]
    assert main(words) == 0
    assert "the sum is right" in capsys.readouterr().out
    # What is unpacked needs no archive any more.
    (tmp_path / "out").mkdir()
    (tmp_path / "c").unlink()
    assert main([*words, "--unpack", str(tmp_path / "out")]) == 0
    assert len(server.asked) == 1
