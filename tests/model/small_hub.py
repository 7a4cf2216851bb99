"""The part of the Hugging Face Hub's protocol by which a model is fetched, served from this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit


class SmallHub:
    """Repositories, and which of their files were fetched.

    Attributes:
        files: repository -> name -> bytes.
        stated: (repository, name) -> the size that the listing states, where it is not the true one.
        fetched: (repository, name) of every file that was read.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.stated: dict[tuple[str, str], int] = {}
        self.fetched: list[tuple[str, str]] = []
        self.url = ""

    def listing(self, repository: str) -> list[tuple[str, int, str]]:
        """Name, size and identity of each file."""
        files = self.files[repository].items()
        return [
            (name, self.stated.get((repository, name), len(data)), hashlib.sha1(data).hexdigest())
            for name, data in files
        ]

    def commit(self, repository: str) -> str:
        """The state of a repository."""
        return hashlib.sha1(repr(self.listing(repository)).encode()).hexdigest()


@contextmanager
def serve() -> Iterator[SmallHub]:
    """Serve a hub until the block ends."""
    hub = SmallHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_GET(self) -> None:
            parts = urlsplit(self.path).path.strip("/").split("/")
            api = parts[:2] == ["api", "models"]
            repository, rest = "/".join(parts[2:4] if api else parts[:2]), parts[4 if api else 2 :]
            if repository not in hub.files:
                self.answer(404, b"{}", X_Error_Code="RepoNotFound")
            elif api:
                rows = hub.listing(repository)
                if rest[:1] == ["tree"]:
                    shown: object = [
                        {"type": "file", "path": name, "size": size, "oid": oid} for name, size, oid in rows
                    ]
                elif rest[:1] == ["revision"] and rest[1] not in ("main", hub.commit(repository)):
                    self.answer(404, b"{}", X_Error_Code="RevisionNotFound")
                    return
                else:
                    siblings = [{"rfilename": name, "size": size, "blobId": oid} for name, size, oid in rows]
                    shown = {"id": repository, "sha": hub.commit(repository), "siblings": siblings}
                self.answer(200, json.dumps(shown).encode(), Content_Type="application/json")
            else:
                name = "/".join(rest[2:])
                data = hub.files[repository].get(name)
                if data is None:
                    self.answer(404, b"{}", X_Error_Code="EntryNotFound")
                    return
                if self.command == "GET":
                    hub.fetched.append((repository, name))
                etag = f'"{hashlib.sha1(data).hexdigest()}"'
                self.answer(200, data, ETag=etag, X_Repo_Commit=hub.commit(repository))

        do_HEAD = do_GET  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        yield hub
        server.shutdown()
