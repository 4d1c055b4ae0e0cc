"""Providers and credentials on the external API (spec/contract.md 9): secrets only go in."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from backend.api.external.documentation import ANSWERS
from backend.blocks.known import Known
from backend.core.credentials import ApiKeyCredentials
from backend.core.ids import UserId
from backend.core.providers import NAMES, OAUTH, kinds_of
from backend.services.audit import AuditQuery
from tests.contract.api_keys import ALL, external, make_key
from tests.contract.rest_server import ANN, BOB, Json, RestServer
from tests.contract.stored import CANARY, INTEGRATIONS, new_credentials
from tests.contract.test_wrong_requests import UNKNOWN
from tests.contract.triggered import PRESETS, full

OPENAI = "/integrations/openai/credentials"
KEY: Json = {"type": "api_key", "title": "Mine", "api_key": CANARY}
LOGIN: Json = {
    "type": "user_password",
    "title": "Post",
    "username": f"{CANARY}-name",
    "password": CANARY,
}
HOST: Json = {
    "type": "host_scoped",
    "title": "Shop",
    "host": "api.example.com",
    "headers": {"X-Key": CANARY},
}


async def add(server: RestServer, key: Json, provider: str, body: Json) -> Json:
    response = await external(server, key, "POST", f"/integrations/{provider}/credentials", body)
    assert response.status_code == 201, response.text
    TypeAdapter(ANSWERS["create_credentials"]).validate_json(response.content)
    assert CANARY not in response.text
    made: Json = response.json()
    return made


async def listed(server: RestServer, key: Json, of: str = "") -> list[Json]:
    path = f"/integrations/{of}/credentials" if of else "/integrations/credentials"
    response = await external(server, key, "GET", path)
    TypeAdapter(ANSWERS["list_credentials"]).validate_json(response.content)
    assert CANARY not in response.text
    found: list[Json] = response.json()
    return found


async def test_providers_say_what_they_take(server: RestServer) -> None:
    response = await external(server, await make_key(server), "GET", "/integrations/providers")

    TypeAdapter(ANSWERS["list_providers"]).validate_json(response.content)
    by_name = {one["name"]: one for one in response.json()}
    assert list(by_name) == (await server.ask("GET", f"{INTEGRATIONS}/providers")).json()
    assert by_name["discord"] == {
        "name": "discord",
        "supports_oauth": True,
        "supports_api_key": True,
        "supports_user_password": False,
        "supports_host_scoped": False,
        "default_scopes": ["identify"],
    }
    assert [one for one in by_name if by_name[one]["supports_host_scoped"]] == ["http"]
    assert by_name["smtp"]["supports_user_password"]
    assert not by_name["smtp"]["supports_api_key"]
    assert "openid" in by_name["google"]["default_scopes"]


def test_a_provider_takes_what_its_blocks_take() -> None:
    blocks = Known()
    taken: dict[str, set[str]] = {}
    for spec in map(blocks.placeholder, blocks.ids()):
        assert spec is not None
        schema: Any = spec.inputs
        for pin in schema["properties"].values():
            for provider in pin.get("credentials_provider", ()):
                taken.setdefault(provider, set()).update(pin["credentials_types"])

    known = taken.keys() & set(NAMES)

    assert len(known) > 30
    assert {name: taken[name] for name in known} == {name: set(kinds_of(name)) for name in known}
    assert {name for name in NAMES if "oauth2" in kinds_of(name)} == OAUTH.keys()


@pytest.mark.parametrize(
    ("provider", "body", "host"),
    [("openai", KEY, None), ("smtp", LOGIN, None), ("http", HOST, "api.example.com")],
)
async def test_credentials_go_in_are_listed_and_go(
    server: RestServer, provider: str, body: Json, host: str | None
) -> None:
    key = await make_key(server)

    made = await add(server, key, provider, body)

    assert made == {
        "id": made["id"],
        "provider": provider,
        "type": body["type"],
        "title": body["title"],
    }
    meta = {**made, "scopes": None, "username": None, "host": host}
    assert await listed(server, key) == await listed(server, key, provider) == [meta]
    assert await listed(server, key, "github") == await listed(server, key, "nobody") == []
    assert (await server.ask("GET", f"{INTEGRATIONS}/credentials")).json() == [meta]
    path = f"/integrations/{provider}/credentials/{made['id']}"
    gone = await external(server, key, "DELETE", path)
    TypeAdapter(ANSWERS["delete_credentials"]).validate_json(gone.content)
    assert gone.json() == {"deleted": True, "credentials_id": made["id"]}
    assert await listed(server, key) == []
    assert (await external(server, key, "DELETE", path)).status_code == 404


async def test_what_went_in_is_what_runs_get(server: RestServer) -> None:
    made = await add(server, await make_key(server), "openai", {**KEY, "expires_at": 2_000_000_000})
    reference = {"id": made["id"], "provider": "openai", "type": "api_key"}

    lent = await server.context.credentials.lend(UserId(ANN), reference)

    assert lent.authorization().reveal() == f"Bearer {CANARY}"
    assert isinstance(lent, ApiKeyCredentials)
    assert lent.expires_at == 2_000_000_000


async def test_accounts_are_listed_with_their_scopes(server: RestServer) -> None:
    await new_credentials(server, "github")

    [account] = await listed(server, await make_key(server))

    assert (account["type"], account["username"], account["scopes"]) == (
        "oauth2",
        "ann",
        ["a", "b"],
    )


async def test_what_a_preset_needs_is_deleted_too(server: RestServer) -> None:
    key = await make_key(server)
    made = await add(server, key, "openai", KEY)
    reference = {"id": made["id"], "provider": "openai", "type": "api_key"}
    body = full(await server.new_graph(), credentials={"openai_api_key_credentials": reference})
    assert (await server.ask("POST", PRESETS, body)).status_code == 200

    gone = await external(server, key, "DELETE", f"{OPENAI}/{made['id']}")

    assert (gone.status_code, gone.json()["deleted"]) == (200, True)
    assert await listed(server, key) == []


@pytest.mark.parametrize(
    ("needed", "method", "path", "body"),
    [
        ("READ_INTEGRATIONS", "GET", "/integrations/providers", None),
        ("READ_INTEGRATIONS", "GET", "/integrations/credentials", None),
        ("READ_INTEGRATIONS", "GET", OPENAI, None),
        ("MANAGE_INTEGRATIONS", "POST", OPENAI, KEY),
        ("DELETE_INTEGRATIONS", "DELETE", f"{OPENAI}/{{id}}", None),
    ],
)
async def test_each_wants_the_contracts_permission(
    server: RestServer, needed: str, method: str, path: str, body: Json | None
) -> None:
    path = path.format(id=(await add(server, await make_key(server), "openai", KEY))["id"])
    others = await make_key(server, permissions=[one for one in ALL if one != needed])
    before = await server.row_counts()

    refused = await external(server, others, method, path, body)

    assert refused.json() == {"detail": f"This needs the permission {needed}."}
    assert refused.status_code == 403
    assert await server.row_counts() == before
    enough = await make_key(server, permissions=[needed])
    assert (await external(server, enough, method, path, body)).status_code in (200, 201)


async def test_what_others_keep_is_like_what_is_not_there(server: RestServer) -> None:
    ann, bob = await make_key(server), await make_key(server, user=BOB)
    made = await add(server, ann, "openai", KEY)

    theirs = await external(server, bob, "DELETE", f"{OPENAI}/{made['id']}")
    nobodys = await external(server, bob, "DELETE", f"{OPENAI}/{UNKNOWN}")
    elsewhere = await external(
        server, ann, "DELETE", f"/integrations/github/credentials/{made['id']}"
    )

    assert [one.status_code for one in (theirs, nobodys, elsewhere)] == [404, 404, 404]
    assert theirs.text.replace(made["id"], UNKNOWN) == nobodys.text
    assert await listed(server, bob) == await listed(server, bob, "openai") == []
    assert len(await listed(server, ann)) == 1


async def test_the_audit_log_says_which_key_did_it_and_no_secret(server: RestServer) -> None:
    key = await make_key(server)
    made = await add(server, key, "openai", KEY)
    await external(server, key, "DELETE", f"{OPENAI}/{made['id']}")

    deleted, created = await server.context.audit.listed(AuditQuery(kind="credentials"))

    assert [one.entry.verb for one in (created, deleted)] == ["create", "delete"]
    for one in (created, deleted):
        assert one.entry.object_id == made["id"]
        assert one.entry.facts == {"provider": "openai"}
        assert (one.entry.actor.who, one.entry.actor.by_id) == ("ann", key["api_key"]["id"])
    assert CANARY not in repr((created, deleted))


#: What is wrong, provider, body, status, what it says.
REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("an unknown provider", "nobody", KEY, 404, "nobody"),
    ("a provider in capitals", "OpenAI", KEY, 404, "not found"),
    ("no body", "openai", None, 422, "required"),
    ("a list", "openai", [KEY], 422, "dictionary"),
    ("no type", "openai", {"title": "t", "api_key": CANARY}, 422, "type"),
    ("an unknown type", "openai", {**KEY, "type": "magic"}, 422, "magic"),
    ("tokens", "github", {**KEY, "type": "oauth2", "access_token": CANARY}, 422, "oauth2"),
    ("no title", "openai", {"type": "api_key", "api_key": CANARY}, 422, "title"),
    ("no key", "openai", {"type": "api_key", "title": CANARY}, 422, "api_key"),
    ("an empty key", "openai", {**KEY, "api_key": ""}, 422, "empty"),
    ("a key in a list", "openai", {**KEY, "api_key": [CANARY]}, 422, "string"),
    ("a key with U+0000", "openai", {**KEY, "api_key": f"{CANARY}\x00"}, 422, "U+0000"),
    ("a key with a line break", "openai", {**KEY, "api_key": f"{CANARY}\nX: y"}, 400, "line break"),
    ("an expiry in words", "openai", {**KEY, "expires_at": CANARY}, 422, "integer"),
    ("no password", "smtp", {"type": "user_password", "title": "t", "username": CANARY}, 422, "password"),
    ("no host", "http", {"type": "host_scoped", "title": "t", "headers": {"X": CANARY}}, 422, "host"),
    ("no headers", "http", {"type": "host_scoped", "title": CANARY, "host": "a.example"}, 422, "headers"),
    ("a host that is none", "http", {**HOST, "host": "///"}, 400, "host"),
    ("the header Host", "http", {**HOST, "headers": {"Host": CANARY}}, 400, "Host"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("provider", "body", "status", "says"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
async def test_a_wrong_body_is_refused_without_a_secret_in_the_answer(
    server: RestServer, provider: str, body: Any, status: int, says: str
) -> None:
    key = await make_key(server)
    before = await server.row_counts()

    response = await external(server, key, "POST", f"/integrations/{provider}/credentials", body)

    assert response.status_code == status, response.text
    assert list(response.json()) == ["detail"]
    assert says in response.text
    assert CANARY not in response.text
    assert await server.row_counts() == before
