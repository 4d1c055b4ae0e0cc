"""Which web pages may ask when nobody signs in: then the browser is all that a stranger needs."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api.answers import answer
from backend.api.ws.origins import Origins

#: What is meant for others: they show a secret or a signature, or learn nothing.
_FOR_OTHERS: Final = ("/ingress", "/health", "/health/live")


class OwnPages:
    """
    Refuses what a page of somebody else makes a browser send.

    With a token this is not needed: no page has it. Without sign-in a request needs no leave to
    be sent, only for its answer to be read. And a name that was pointed at this machine after its
    page was loaded makes that page one of our own to the browser, but not to us: it names a host
    that is not this one.
    """

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        """Take BACKEND_CORS_ALLOW_ORIGINS besides the server's own address."""
        self._app = app
        self._origins = Origins(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and not scope["path"].endswith(_FOR_OTHERS):
            why = self._refusal(scope)
            if why:
                await answer({"detail": why}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = given.get(b"host", "")
        if not _is_here(host):
            return "Without sign-in this server is asked by the name localhost or its address only"
        origin = given.get(b"origin")
        own = f"{scope['scheme']}://{host}"
        if origin is None or origin == own or self._origins.allow([origin]):
            return ""
        return "Without sign-in pages of BACKEND_CORS_ALLOW_ORIGINS may ask, and no others"


def _is_here(host: str) -> bool:
    """Say whether a Host header names this machine for itself."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
