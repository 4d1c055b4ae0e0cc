"""A tool server that lets nobody in without a token, and who gives tokens for it: on loopback, one process.

It holds clients to what the Model Context Protocol asks of them: registration, PKCE, the resource
in each question for tokens, refresh tokens that count once. What it checks it does not forgive.
"""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlencode, urlsplit

_TOOLS: Final = "/tools/mcp"
_ABOUT: Final = "/.well-known/oauth-protected-resource/tools/mcp"
_ISSUER: Final = "/tenant"
_ISSUER_SAYS: Final = "/.well-known/oauth-authorization-server/tenant"


@dataclass
class ToolSignInFacts:
    """
    What there is, and what becomes of it. Tests change it.

    Attributes:
        resource: What the tool server says instead of its own address.
        issuer: Whom it names instead of us.
        about_issuer: Said by who gives tokens, over the usual; a value of None leaves it out.
        has_challenge: Whether the tool server says where it tells who it is.
        secret: That registered clients get; empty: none.
    """

    resource: str = ""
    issuer: str = ""
    about_issuer: dict[str, Any] = field(default_factory=dict)
    has_challenge: bool = True
    secret: str = ""
    expires_in: int = 3600
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    access: set[str] = field(default_factory=set)
    refresh: set[str] = field(default_factory=set)
    revoked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    issued: int = 0
    refreshed: int = 0


class ToolSignInServer:
    """Use it in a `with`."""

    def __init__(self) -> None:
        self.facts = ToolSignInFacts()
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where the tools are."""
        return f"{self.origin}{_TOOLS}"

    @property
    def resource(self) -> str:
        """What tokens are asked for."""
        return self.facts.resource or self.url


class _Handler(BaseHTTPRequestHandler):
    owner: ToolSignInServer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(path.query).items()}
        with self.owner.lock:
            match path.path:
                case p if p == _ABOUT:
                    self._answer(200, self._about())
                case p if p == _ISSUER_SAYS:
                    self._answer(200, self._issuer())
                case "/authorize":
                    self._authorize(asked)
                case _:
                    self._answer(404, {"error": "nothing here"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path = urlsplit(self.path).path
        with self.owner.lock:
            if path == _TOOLS:
                self._tools()
            elif path == "/register":
                self._register(json.loads(body))
            else:
                form = {name: values[0] for name, values in parse_qs(body).items()}
                self._token(form) if path == "/token" else self._revoke(form)

    def _about(self) -> dict[str, Any]:
        facts = self.owner.facts
        issuer = facts.issuer or f"{self.owner.origin}{_ISSUER}"
        return {
            "resource": self.owner.resource,
            "authorization_servers": [issuer],
            "scopes_supported": ["tools.read", "tools.call"],
        }

    def _issuer(self) -> dict[str, Any]:
        origin = self.owner.origin
        said = {
            "issuer": f"{origin}{_ISSUER}",
            "authorization_endpoint": f"{origin}/authorize",
            "token_endpoint": f"{origin}/token",
            "registration_endpoint": f"{origin}/register",
            "revocation_endpoint": f"{origin}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
            **self.owner.facts.about_issuer,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _tools(self) -> None:
        facts = self.owner.facts
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in facts.access:
            self._answer(200, {"jsonrpc": "2.0", "id": 1, "result": {}})
            return
        challenge = f'Bearer resource_metadata="{self.owner.origin}{_ABOUT}"'
        headers = {"WWW-Authenticate": challenge} if facts.has_challenge else {}
        self._answer(401, {"error": "who are you?"}, **headers)

    def _register(self, wanted: dict[str, Any]) -> None:
        facts = self.owner.facts
        client_id = f"client-{len(facts.clients) + 1}"
        facts.clients[client_id] = wanted
        said = {**wanted, "client_id": client_id}
        if facts.secret:
            said |= {
                "client_secret": facts.secret,
                "token_endpoint_auth_method": "client_secret_post",
            }
        self._answer(201, said)

    def _authorize(self, asked: dict[str, str]) -> None:
        facts = self.owner.facts
        client = facts.clients.get(asked.get("client_id", ""), {})
        if asked.get("redirect_uri") not in client.get("redirect_uris", ()):
            self._refuse("redirect_uri is none of this client")
        elif asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            self._refuse("no proof")
        elif asked.get("resource") != self.owner.resource:
            self._refuse("another resource")
        else:
            code = f"code-{len(facts.codes) + 1}"
            facts.codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"]})
            self._answer(302, {}, Location=f"{asked['redirect_uri']}?{back}")

    def _token(self, form: dict[str, str]) -> None:
        facts = self.owner.facts
        if form.get("client_id") not in facts.clients or (
            facts.secret and form.get("client_secret") != facts.secret
        ):
            self._refuse("invalid_client", 401)
            return
        if form.get("resource") != self.owner.resource:
            self._refuse("invalid_target")
            return
        if form.get("grant_type") == "refresh_token":
            if form["refresh_token"] not in facts.refresh:
                self._refuse("invalid_grant")
                return
            facts.refresh.remove(form["refresh_token"])
            facts.refreshed += 1
        elif not self._is_proven(form):
            self._refuse("invalid_grant")
            return
        facts.issued += 1
        access, refresh = f"access-{facts.issued}", f"refresh-{facts.issued}"
        facts.access.add(access)
        facts.refresh.add(refresh)
        given = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer"}
        self._answer(200, {**given, "expires_in": facts.expires_in, "scope": "tools.call"})

    def _is_proven(self, form: dict[str, str]) -> bool:
        begun = self.owner.facts.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return (
            begun is not None
            and begun["code_challenge"] == proof
            and begun["redirect_uri"] == form.get("redirect_uri")
            and begun["client_id"] == form.get("client_id")
        )

    def _revoke(self, form: dict[str, str]) -> None:
        self.owner.facts.revoked.append(form["token"])
        self._answer(200, {})

    def _refuse(self, why: str, status: int = 400) -> None:
        self.owner.facts.problems.append(why)
        self._answer(status, {"error": why})

    def _answer(self, status: int, value: Any, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
