"""The server that plays services of others, and a context whose calls go to it."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from backend.core.credentials import (
    ApiKeyCredentials,
    Credentials,
    OAuth2Credentials,
    Secret,
    UserPasswordCredentials,
)
from backend.core.errors import WebRefused
from backend.core.ids import CredentialsId, UserId
from backend.ports.web import Body, WebClient, WebLimits, WebResponse
from backend.sdk import BlockContext
from backend.testing.blocks import CONTEXT
from backend.testing.standin.messages import KEY, Asked, Play, Reply
from backend.testing.standin.plays import PLAYS

_POLL_S: Final = 0.01


class StandIn:
    """
    Plays services on a port of loopback, from `__enter__` to `__exit__`. Use it once.

    Attributes:
        asked: All requests, the oldest first.
    """

    def __init__(self, plays: Mapping[str, type[Play]] = PLAYS) -> None:
        self.asked: list[Asked] = []
        self._plays = {provider: play() for provider, play in plays.items()}
        self._next: dict[str, deque[Reply]] = defaultdict(deque)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="stand-in services"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def base_urls(self) -> dict[str, str]:
        """The setting PROVIDER_BASE_URLS that leads here."""
        return {provider: f"{self.url}/{provider}" for provider in self._plays}

    def play(self, provider: str) -> Any:
        """Return the play of *provider*, to see what it remembers."""
        return self._plays[provider]

    def next(self, provider: str, *replies: Reply) -> None:
        """Let *provider* answer its next requests with *replies*, whatever they ask."""
        self._next[provider].extend(replies)

    def forget(self) -> None:
        """Forget what was asked, and what should be answered next."""
        self.asked.clear()
        self._next.clear()

    def context(self, web: WebClient) -> BlockContext:
        """
        Return a context whose services and pages are played here.

        It lends `KEY` as credentials of any provider. Pages of ``example.com`` and below are
        played too, whatever their scheme; other hosts are refused, so that no test leaves the
        machine.
        """
        return replace(
            CONTEXT, web=_PlayedWeb(web, self), base_urls=self.base_urls, lender=KeyLender()
        )

    def answer(self, asked: Asked) -> Reply:
        """Note *asked*, and return the answer to it."""
        self.asked.append(asked)
        if waiting := self._next[asked.provider]:
            return waiting.popleft()
        play = self._plays.get(asked.provider)
        if play is None:
            return Reply(status=404, value={"message": f"nobody plays {asked.provider}"})
        return play.answer(asked)


class KeyLender:
    """Lends `KEY`, as credentials of the provider and type that are asked for."""

    async def lend(self, user_id: UserId, reference: Mapping[str, Any]) -> Credentials:
        """See `backend.sdk.context.Lender`."""
        provider, name = reference["provider"], CredentialsId(reference["id"])
        match reference["type"]:
            case "oauth2":
                return OAuth2Credentials(
                    id=name, provider=provider, access_token=Secret(KEY), username=user_id
                )
            case "user_password":
                # A mail server's user name is the address of who writes.
                user = f"{KEY}@example.com" if provider == "smtp" else KEY
                return UserPasswordCredentials(
                    id=name, provider=provider, username=Secret(user), password=Secret(KEY)
                )
            case _:
                return ApiKeyCredentials(id=name, provider=provider, api_key=Secret(KEY))


class _PlayedWeb:
    """A web client for which example.com is the server of the plays."""

    def __init__(self, web: WebClient, services: StandIn) -> None:
        self._web = web
        self._services = services

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        limits: WebLimits | None = None,
        trusted_origins: Sequence[str] = (),
        secret_headers: Sequence[str] = (),
    ) -> WebResponse:
        """See `backend.ports.web.WebClient`."""
        parts = urlsplit(url)
        here = self._services.url
        if url.startswith(f"{here}/"):
            return await self._web.send(
                method, url, headers=headers, body=body, limits=limits,
                trusted_origins=trusted_origins, secret_headers=secret_headers,
            )  # fmt: skip
        host = parts.hostname or ""
        if host != "example.com" and not host.endswith(".example.com"):
            raise WebRefused(f"{host} is not played here")
        played = f"{here}/{host}{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
        answer = await self._web.send(
            method, played, headers=headers, body=body, limits=limits,
            trusted_origins=[here], secret_headers=secret_headers,
        )  # fmt: skip
        return replace(answer, url=url)

    async def aclose(self) -> None:
        """Close the client below."""
        await self._web.aclose()


def _handler(services: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Turns a request into `Asked`, and a `Reply` into an answer."""

        def handle_any(self) -> None:
            """Answer one request."""
            reply = services.answer(self._asked())
            time.sleep(reply.wait_s)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - its names

        def _asked(self) -> Asked:
            parts = urlsplit(self.path)
            provider, _, path = parts.path.lstrip("/").partition("/")
            length = int(self.headers.get("content-length", "0"))
            return Asked(
                provider=provider,
                method=self.command,
                path="/" + unquote(path),
                query=parse_qs(parts.query, keep_blank_values=True),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )

        def log_message(self, *_: object) -> None:
            """Say nothing: the tests look into `StandIn.asked`."""

    return Handler
