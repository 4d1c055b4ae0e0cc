"""A small OAuth2 server on loopback that plays GitHub: codes once, PKCE, refresh tokens once."""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend.core.credentials import Secret
from backend.core.providers import OAUTH
from backend.services.oauth_calls import OAuthClient

CLIENT = "our-client"
SECRET = "canary-4f1d-client-secret"


@dataclass
class Account:
    """What the server knows of tokens."""

    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    refreshed: int = 0
    issued: int = 0
    fails_with: int = 0  #: instead of tokens
    says: bytes = b""  #: instead of JSON
    hold: threading.Event | None = None  #: waited for before each answer


class _Handler(BaseHTTPRequestHandler):
    owner: "ProviderServer"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        account = self.owner.account
        if urlsplit(self.path).path == "/user":
            token = self.headers.get("Authorization", "")
            known = token.startswith("Bearer access-")
            self._answer(200 if known else 401, json.dumps({"login": "octo-ann"}).encode())
            return
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        code = f"code-{len(account.codes) + 1}"
        account.codes[code] = asked
        self._answer(
            302, b"", location=f"{asked['redirect_uri']}?code={code}&state={asked['state']}"
        )

    def do_POST(self) -> None:
        account = self.owner.account
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if account.hold is not None:
            account.hold.wait(10)
        if account.fails_with:
            self._answer(account.fails_with, b'{"error": "slow_down"}')
            return
        if account.says:
            self._answer(200, account.says)
            return
        form = {name: values[0] for name, values in parse_qs(body).items()}
        with self.owner.lock:
            self._answer(*self._tokens(form))

    def do_DELETE(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.owner.account.revoked.append(json.loads(body)["access_token"])
        self._answer(204, b"")

    def _tokens(self, form: dict[str, str]) -> tuple[int, bytes]:
        account = self.owner.account
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return 401, b'{"error": "invalid_client"}'
        if form["grant_type"] == "authorization_code":
            begun = account.codes.pop(form["code"], None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if begun is None or begun["code_challenge"] != proof:
                return 400, b'{"error": "invalid_grant"}'
            if begun["redirect_uri"] != form["redirect_uri"]:
                return 400, b'{"error": "invalid_request"}'
        else:
            if form["refresh_token"] not in account.refresh_tokens:
                return 400, b'{"error": "invalid_grant"}'
            account.refresh_tokens.remove(form["refresh_token"])
            account.refreshed += 1
        account.issued += 1
        refresh = f"refresh-canary-4f1d-{account.issued}"
        account.refresh_tokens.add(refresh)
        given = {
            "access_token": f"access-canary-4f1d-{account.issued}",
            "refresh_token": refresh,
            "expires_in": 3600,
            "scope": "repo,user",
            "token_type": "bearer",
        }
        return 200, json.dumps(given).encode()

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class ProviderServer:
    """See the module."""

    def __init__(self) -> None:
        self.account = Account()
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        # Looked at often: the end of a test waits for it.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def client(self) -> OAuthClient:
        """Return us as its client."""
        return OAuthClient(
            provider=OAUTH["github"].at(self.origin),
            client_id=CLIENT,
            client_secret=Secret(SECRET),
            trusted=(self.origin,),
        )

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
