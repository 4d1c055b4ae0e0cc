"""Where tokens for a tool server may go, and what its documents must say (pure)."""

from typing import Any

import pytest

from backend.core.errors import BadRequest, SignInNeeded, WebFailed
from backend.core.providers import ClientAuth
from backend.core.tool_sign_ins import (
    checked_server,
    client_facts,
    is_below,
    pages_about,
    pages_of,
    provider_at,
    provider_from,
    read_issuer,
    read_resource,
    told_by,
)

ISSUER = "https://auth.example/tenant"
GOOD: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": "https://auth.example/authorize",
    "token_endpoint": "https://auth.example/token",
    "code_challenge_methods_supported": ["S256"],
}


@pytest.mark.parametrize(
    ("url", "resource", "expected"),
    [
        ("https://a.example/mcp", "https://a.example/mcp", True),
        ("https://a.example/mcp/", "https://a.example/mcp", True),
        ("https://A.example:443/mcp/x", "https://a.example/mcp", True),
        ("https://a.example/mcp", "https://a.example", True),
        ("https://a.example/mcp", "https://a.example/", True),
        ("https://a.example/mcp2", "https://a.example/mcp", False),
        ("https://a.example/", "https://a.example/mcp", False),
        ("https://a.example/mcp/../other", "https://a.example/mcp", False),
        ("http://a.example/mcp", "https://a.example/mcp", False),
        ("https://a.example:8443/mcp", "https://a.example/mcp", False),
        ("https://a.example.evil.example/mcp", "https://a.example/mcp", False),
        ("https://evil.example/mcp", "https://a.example/mcp", False),
        ("https://a.example/mcp", "", False),
        ("stdio:notes", "stdio:notes", False),
        ("https://[bad/mcp", "https://a.example", False),
        ("https://a.example:x/mcp", "https://a.example", False),
    ],
)
def test_a_token_is_for_its_resource_and_what_lies_below(
    url: str, resource: str, *, expected: bool
) -> None:
    assert is_below(url, resource) is expected


def test_pages_are_looked_for_where_the_standards_say() -> None:
    assert pages_about("https://a.example/x/mcp/") == (
        "https://a.example/.well-known/oauth-protected-resource/x/mcp",
        "https://a.example/.well-known/oauth-protected-resource",
    )
    assert pages_of(ISSUER) == (
        "https://auth.example/.well-known/oauth-authorization-server/tenant",
        "https://auth.example/.well-known/openid-configuration/tenant",
        "https://auth.example/tenant/.well-known/openid-configuration",
    )
    assert len(pages_of("https://auth.example")) == 2


def test_a_challenge_tells_where_and_for_what() -> None:
    said = 'Bearer realm="x", resource_metadata="https://a.example/.well-known/x", scope="a b"'

    assert told_by(said) == ("https://a.example/.well-known/x", ("a", "b"))
    assert told_by("Bearer") == ("", ())
    assert told_by('Bearer resource_metadata="' + "x" * 9_000 + '"') == ("", ())


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        {},
        {"resource": "https://a.example/mcp"},
        {"resource": "https://a.example/mcp", "authorization_servers": ["http://auth.example"]},
        {"resource": "https://a.example/mcp", "authorization_servers": "https://auth.example"},
        {"resource": "https://b.example", "authorization_servers": [ISSUER]},
    ],
)
def test_a_server_must_say_who_it_is_and_who_gives_tokens(said: Any) -> None:
    with pytest.raises(WebFailed):
        read_resource(said, "https://a.example/mcp")


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://auth.example"},
        {"issuer": None},
        {"token_endpoint": "http://auth.example/token"},
        {"token_endpoint": "https://me:pw@auth.example/token"},
        {"authorization_endpoint": ""},
        {"code_challenge_methods_supported": []},
        {"code_challenge_methods_supported": "S256"},
    ],
)
def test_an_issuer_must_be_the_one_that_was_named_and_check_a_proof(change: Any) -> None:
    with pytest.raises(WebFailed):
        read_issuer({**GOOD, **change}, ISSUER)


def test_what_an_issuer_does_not_say_has_a_default() -> None:
    issuer = read_issuer(GOOD, ISSUER)

    assert (issuer.register_url, issuer.revoke_url) == ("", "")
    assert issuer.auths == (ClientAuth.BASIC,)
    told = read_issuer({**GOOD, "registration_endpoint": "http://auth.example/r"}, ISSUER)
    assert told.register_url == ""


def test_a_client_is_known_again_by_its_facts() -> None:
    provider = provider_at(read_issuer(GOOD, ISSUER), "https://a.example/mcp", ClientAuth.NONE)
    facts = client_facts(provider, server_url="https://a.example/mcp", issuer=ISSUER, client_id="c")

    again = provider_from(facts)

    assert (again.token_url, again.client_auth) == (provider.token_url, ClientAuth.NONE)
    assert again.token_extra == {"resource": "https://a.example/mcp"}
    for name in facts:
        with pytest.raises(SignInNeeded):
            provider_from({**facts, name: None})
    with pytest.raises(SignInNeeded):
        provider_from({**facts, "token_url": "http://evil.example/token"})


@pytest.mark.parametrize(
    "url", ["", "ftp://a", "http://a.example", "https://u:p@a", "https://a/#f"]
)
def test_what_is_no_safe_address_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(BadRequest, match="server_url"):
        checked_server(url)
