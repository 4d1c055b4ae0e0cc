"""Credentials over REST: kept sealed, listed, shown with masks, deleted."""

import pytest

from backend.core.credentials import MASK
from backend.services.audit import AuditQuery
from tests.contract.rest_server import BOB, RestServer
from tests.contract.stored import (
    API_KEY,
    CANARY,
    EVERY_KIND,
    INTEGRATIONS,
    OAUTH2,
    new_credentials,
)
from tests.contract.triggered import full

UNKNOWN = "00000000-0000-4000-8000-000000000000"
#: Of the Platform's own keys (spec/semantics.md 1.5).
SYSTEM = "53c25cb8-e3ee-465c-a4d1-e75a4c899c2a"


@pytest.mark.parametrize("provider", EVERY_KIND)
async def test_no_secret_comes_back_from_a_create(server: RestServer, provider: str) -> None:
    response = await server.ask(
        "POST", f"{INTEGRATIONS}/{provider}/credentials", EVERY_KIND[provider]
    )

    assert response.status_code == 201
    made = response.json()
    assert CANARY not in response.text
    assert MASK in response.text
    assert (made["provider"], made["type"]) == (provider, EVERY_KIND[provider]["type"])


@pytest.mark.parametrize("provider", [name for name in EVERY_KIND if name != "github"])
async def test_a_read_shows_a_mask_for_each_secret(server: RestServer, provider: str) -> None:
    made = await new_credentials(server, provider)

    response = await server.ask("GET", f"{INTEGRATIONS}/{provider}/credentials/{made['id']}")

    assert response.status_code == 200
    assert response.json() == made
    assert CANARY not in response.text


async def test_an_accounts_access_token_is_shown_to_its_owner_and_it_is_noted(
    server: RestServer,
) -> None:
    made = await new_credentials(server, "github")

    response = await server.ask("GET", f"{INTEGRATIONS}/github/credentials/{made['id']}")

    assert response.json()["access_token"] == OAUTH2["access_token"]
    assert response.json()["refresh_token"] == MASK
    assert "no-store" in response.headers["cache-control"]
    read, create, *_ = await server.context.audit.listed(AuditQuery(kind="credentials"))
    assert (read.entry.verb, read.entry.actor.who) == ("read_secret", "ann")
    assert (create.entry.verb, create.entry.facts) == ("create", {"provider": "github"})
    assert {read.entry.object_id, create.entry.object_id} == {made["id"]}


async def test_an_administrator_who_acts_for_somebody_sees_no_token(server: RestServer) -> None:
    made = await new_credentials(server, "github")
    headers = {**server.as_user("root", role="admin"), "X-Act-As-User-Id": "ann"}

    response = await server.client.get(
        f"{INTEGRATIONS}/github/credentials/{made['id']}", headers=headers
    )

    assert response.status_code == 200
    assert CANARY not in response.text


async def test_lists_tell_what_is_no_secret(server: RestServer) -> None:
    for provider in EVERY_KIND:
        await new_credentials(server, provider)

    listed = await server.ask("GET", f"{INTEGRATIONS}/credentials")
    of_one = await server.ask("GET", f"{INTEGRATIONS}/http/credentials")
    of_none = await server.ask("GET", f"{INTEGRATIONS}/nobody/credentials")

    assert [one["provider"] for one in listed.json()] == list(EVERY_KIND)
    assert CANARY not in listed.text
    [http] = of_one.json()
    assert (http["host"], http["username"], http["scopes"]) == ("api.example.com", None, None)
    github = listed.json()[-1]
    assert (github["username"], github["scopes"]) == ("ann", ["a", "b"])
    assert of_none.json() == []


async def test_the_database_holds_no_secret(server: RestServer) -> None:
    for provider in EVERY_KIND:
        await new_credentials(server, provider)

    text = server.store.text()

    assert text.count("api.example.com") >= 1
    assert CANARY not in text


async def test_somebody_elses_credentials_are_like_none(server: RestServer) -> None:
    made = await new_credentials(server, "openai")
    path = f"{INTEGRATIONS}/openai/credentials/{made['id']}"

    read = await server.ask("GET", path, user=BOB)
    gone = await server.ask("DELETE", path, user=BOB)
    unknown = await server.ask("GET", f"{INTEGRATIONS}/openai/credentials/{UNKNOWN}", user=BOB)

    assert (read.status_code, gone.status_code) == (404, 404)
    assert read.text.replace(made["id"], UNKNOWN) == unknown.text
    assert (await server.ask("GET", path)).status_code == 200


async def test_an_id_that_another_user_has_tells_nothing(server: RestServer) -> None:
    await new_credentials(server, "openai", id="the-same")

    again = await server.ask(
        "POST", f"{INTEGRATIONS}/openai/credentials", {**API_KEY, "id": "the-same"}
    )
    other = await server.ask(
        "POST", f"{INTEGRATIONS}/openai/credentials", {**API_KEY, "id": "the-same"}, user=BOB
    )

    assert again.status_code == 409
    assert other.status_code == 201


@pytest.mark.parametrize(
    ("provider", "id_"), [("openai", UNKNOWN), ("openai", SYSTEM), ("github", None)]
)
async def test_what_is_not_there_is_not_found(
    server: RestServer, provider: str, id_: str | None
) -> None:
    """Keys of the Platform itself, and those of another provider, are not there either."""
    made = await new_credentials(server, "openai")
    path = f"{INTEGRATIONS}/{provider}/credentials/{id_ or made['id']}"

    assert (await server.ask("GET", path)).status_code == 404
    assert (await server.ask("DELETE", path)).status_code == 404


async def test_deleted_is_deleted(server: RestServer) -> None:
    made = await new_credentials(server, "openai")
    path = f"{INTEGRATIONS}/openai/credentials/{made['id']}"

    gone = await server.ask("DELETE", path)

    assert gone.json() == {"deleted": True, "revoked": None}
    assert (await server.ask("GET", path)).status_code == 404
    assert (await server.ask("DELETE", path)).status_code == 404


async def test_what_a_preset_needs_is_deleted_only_by_force(server: RestServer) -> None:
    made = await new_credentials(server, "openai")
    reference = {"id": made["id"], "provider": "openai", "type": "api_key"}
    graph = await server.new_graph()
    body = full(graph, credentials={"openai_api_key_credentials": reference})
    assert (await server.ask("POST", "/api/library/presets", body)).status_code == 200
    path = f"{INTEGRATIONS}/openai/credentials/{made['id']}"

    asked = await server.ask("DELETE", path)
    forced = await server.ask("DELETE", f"{path}?force=true")

    assert (asked.json()["deleted"], asked.json()["need_confirmation"]) == (False, True)
    assert "Daily" in asked.json()["message"]
    assert forced.json() == {"deleted": True, "revoked": None}


async def test_a_secret_that_does_not_open_is_an_error_and_stays(server: RestServer) -> None:
    made = await new_credentials(server, "openai")
    path = f"{INTEGRATIONS}/openai/credentials/{made['id']}"
    _set_sealed(server, "gAAAAAB-broken")

    read = await server.ask("GET", path)
    listed = await server.ask("GET", f"{INTEGRATIONS}/credentials")

    assert read.status_code == 500
    assert "ENCRYPTION_KEY" in read.json()["detail"]
    assert [one["id"] for one in listed.json()] == [made["id"]]
    assert "gAAAAAB-broken" in server.store.text()


async def test_a_sealed_value_that_was_moved_to_another_user_does_not_open(
    server: RestServer,
) -> None:
    made = await new_credentials(server, "openai", id="one")
    await new_credentials(server, "openai", id="one", user=BOB)
    of_ann = "SELECT sealed FROM credentials WHERE user_id = 'ann'"
    server.store.change((f"UPDATE credentials SET sealed = ({of_ann}) WHERE user_id = 'bob'", ()))
    path = f"{INTEGRATIONS}/openai/credentials/{made['id']}"

    assert (await server.ask("GET", path)).status_code == 200
    moved = await server.ask("GET", path, user=BOB)

    assert moved.status_code == 500
    assert "another user" in moved.json()["detail"]


def _set_sealed(server: RestServer, text: str) -> None:
    server.store.change(("UPDATE credentials SET sealed = ?", (text,)))
