"""A small provider of identities on loopback: discovery, keys, sign-in, and tokens for codes with PKCE."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID = "agpt"
CLIENT_SECRET = "a secret of this client"


@cache
def _first_key() -> rsa.RSAPrivateKey:
    """Return the key of every new provider: one takes longer to find than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider:
    """What it knows. *claims* are added to every ID token; *now_s* is its clock."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s
        self.claims: dict[str, Any] = {}
        self.key = _first_key()
        self.kid = "first"
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.issuer = ""

    def sign(self, claims: dict[str, Any], *, kid: str | None = None, key: Any = None) -> str:
        """Return a token of this provider."""
        headers = {"kid": kid or self.kid}
        return jwt.encode(claims, key or self.key, algorithm="RS256", headers=headers)

    def turn_keys(self, kid: str) -> None:
        """Sign with another key from now on."""
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = kid

    def keys(self) -> dict[str, Any]:
        """Return the public keys."""
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def discovery(self) -> dict[str, Any]:
        """Return what it says of itself."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def authorized(self, query: dict[str, str]) -> str:
        """Return where the browser goes after its user has signed in."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchanged(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Return tokens for a code; once, and only to who began."""
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        begun = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        if begun is None or challenge != begun["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        if form["redirect_uri"] != begun["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        claims = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": begun["client_id"],
            "iat": self.now_s,
            "exp": self.now_s + 300,
            "nonce": begun["nonce"],
            **self.claims,
        }
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)}


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        provider = self.provider
        provider.asked.append(parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match parts.path:
            case "/.well-known/openid-configuration":
                self._answer(200, provider.discovery())
            case "/keys":
                self._answer(200, provider.keys())
            case "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorized(query))
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.provider.asked.append(self.path)
        self._answer(*self.provider.exchanged(form, self.headers.get("Authorization", "")))

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def provider_at_loopback(now_s: int) -> Iterator[Provider]:
    """Serve a provider on a free port."""
    provider = Provider(now_s)
    handler = type("Handler", (_Handler,), {"provider": provider})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
