"""Who may talk to the server: a page of its own in this machine's browser, or whoever has the token.

A page of another site can make the browser send requests here. It cannot choose the ``Host`` that the browser names
(against DNS rebinding), and the browser says where a request comes from (``Origin``, ``Sec-Fetch-Site``).
"""

from __future__ import annotations

import hmac
import ipaddress
from http import HTTPStatus
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_DAYS = 30 * 24 * 3600


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own, for itself only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Lets through what is allowed, and adds the headers that keep the page to itself.

    Args:
        app: what is guarded.
        token: asked of every request; None where only this machine can ask.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let ``app`` answer."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._foreign(scope) or self._unknown(scope)
        if refusal is None:
            await self.app(scope, receive, _with_headers(send) if scope["type"] == "http" else send)
        elif scope["type"] == "http":
            await refusal(scope, receive, _with_headers(send))
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    def _foreign(self, scope: Scope) -> Response | None:
        """The refusal of a request that a page of another site has made."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # With a token, the server may have any name: who rebinds one to it has no token for that name.
        if self.token is None and not is_loopback(_name_of(host)):
            return _refusal(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to localhost and 127.0.0.1 only")
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return _refusal(HTTPStatus.FORBIDDEN, "requests from pages of other sites are refused")
        # A link to the page itself is harmless wherever it stands.
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and scope["path"] != "/":
            return _refusal(HTTPStatus.FORBIDDEN, "requests from pages of other sites are refused")
        return None

    def _unknown(self, scope: Scope) -> Response | None:
        """The refusal of a request without the token; of one that brings it in the address, a cookie instead."""
        if self.token is None:
            return None
        connection = HTTPConnection(scope)
        # Cookies are shared by all ports of a host.
        cookie = f"vqspeech-{(scope.get('server') or ('', 0))[1]}"
        if self._is_token(connection.cookies.get(cookie, "")):
            return None
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["type"] == "http" and any(name == "token" and self._is_token(value) for name, value in query):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), HTTPStatus.SEE_OTHER)
            answer.set_cookie(cookie, self.token, max_age=_DAYS, httponly=True, samesite="strict")
            return answer
        return _refusal(HTTPStatus.UNAUTHORIZED, "open the address, with its token, that vqspeech serve printed")

    def _is_token(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())


def _name_of(host: str) -> str:
    """The name in a ``Host`` header, without its port; empty if it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _refusal(status: HTTPStatus, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SECURITY.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
