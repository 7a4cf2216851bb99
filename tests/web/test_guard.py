"""Whose requests are answered: the page's own, and of those with a token; and what the page may do."""

from __future__ import annotations

import pytest

pytest.importorskip("starlette", reason="the page needs vqspeech[web]")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from vqspeech.web.guard import Guard, is_loopback

TOKEN = "a-token-of-tests"
LIVE = "ws://127.0.0.1:8765/live"


async def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page")


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


def visit(base: str = "http://127.0.0.1:8765", token: str | None = None) -> TestClient:
    app = Starlette(
        routes=[Route("/", page), Route("/api", page, methods=["GET", "POST"]), WebSocketRoute("/live", echo)]
    )
    return TestClient(Guard(app, token), base_url=base, follow_redirects=False)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:9", "localhost", "[::1]:80", "127.9.9.9"])
def test_this_machine_is_answered_by_any_of_its_names(host: str) -> None:
    assert visit().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.com", "127.0.0.1.evil.com", "localhost.evil.com:8765", "evil.com:127.0.0.1", "[", "", "10.0.0.1", "0.0.0.0"],
)
def test_another_name_that_leads_here_is_refused(host: str) -> None:
    """DNS rebinding: evil.com resolves to 127.0.0.1, and its page asks evil.com."""
    assert visit().get("/api", headers={"host": host}).status_code == 421
    with pytest.raises(WebSocketDisconnect) as closed, visit().websocket_connect(LIVE, headers={"host": host}):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize(
    "origin", ["http://evil.com", "null", "http://127.0.0.1:9999", "http://localhost:8765", "file://", "http://[", "x"]
)
def test_a_page_of_another_origin_is_refused(origin: str) -> None:
    assert visit().post("/api", headers={"origin": origin}).status_code == 403
    with pytest.raises(WebSocketDisconnect) as closed, visit().websocket_connect(LIVE, headers={"origin": origin}):
        pass
    assert closed.value.code == 1008


def test_the_page_itself_is_answered() -> None:
    own = {"origin": "http://127.0.0.1:8765", "sec-fetch-site": "same-origin"}
    assert visit().post("/api", headers=own).text == "page"
    with visit().websocket_connect(LIVE, headers={**own, "host": "127.0.0.1:8765"}) as socket:
        socket.send_text("x")
        assert socket.receive_text() == "x"


def test_another_site_may_link_to_the_page_and_no_more() -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    assert visit().get("/", headers=foreign).status_code == 200
    assert visit().get("/api", headers=foreign).status_code == 403


@pytest.mark.parametrize(
    "given", [{}, {"authorization": "Bearer wrong"}, {"cookie": "vqspeech-8765=wrong"}, {"authorization": TOKEN}]
)
def test_without_the_token_nothing_is_answered(given: dict[str, str]) -> None:
    client = visit("http://10.1.2.3:8765", TOKEN)
    for path in ("/", "/api", "/?token=wrong", "/?token="):
        assert client.get(path, headers=given).status_code == 401
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("ws://10.1.2.3:8765/live", headers=given):
        pass


def test_a_token_in_the_address_becomes_a_cookie() -> None:
    client = visit("http://10.1.2.3:8765", TOKEN)
    answer = client.get(f"/?token={TOKEN}&x=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?x=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api").text == "page"
    with client.websocket_connect("ws://10.1.2.3:8765/live") as socket:
        socket.send_text("x")
        assert socket.receive_text() == "x"


def test_a_token_may_be_borne_in_a_header() -> None:
    client = visit("http://any.name:8765", TOKEN)
    assert client.get("/api", headers={"authorization": f"Bearer {TOKEN}"}).text == "page"


def test_a_page_with_the_cookie_of_another_origin_is_refused() -> None:
    client = visit("http://10.1.2.3:8765", TOKEN)
    client.get(f"/?token={TOKEN}")
    assert client.post("/api", headers={"origin": "http://evil.com"}).status_code == 403


def test_every_answer_keeps_the_page_to_itself() -> None:
    for answer in (visit().get("/"), visit().get("/missing"), visit().get("/", headers={"host": "evil.com"})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("10.0.0.1", False), ("x", False)],
)
def test_loopback_is_known(host: str, local: bool) -> None:
    assert is_loopback(host) is local
