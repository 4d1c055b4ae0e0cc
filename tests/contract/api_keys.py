"""API keys and the external API, as tests use them."""

from typing import Any

import httpx2

from tests.contract.rest_server import ANN, Json, RestServer

KEYS = "/api/api-keys"
EXTERNAL = "/external-api/v1"
ALL = [
    "IDENTITY",
    "EXECUTE_GRAPH",
    "READ_GRAPH",
    "EXECUTE_BLOCK",
    "READ_BLOCK",
    "READ_STORE",
    "USE_TOOLS",
    "MANAGE_INTEGRATIONS",
    "READ_INTEGRATIONS",
    "DELETE_INTEGRATIONS",
]


def new_key(**changes: Any) -> Json:
    """Return what a key that may do everything is made with."""
    return {"name": "key", "permissions": ALL, **changes}


async def make_key(server: RestServer, *, user: str = ANN, **changes: Any) -> Json:
    """Make a key and return the answer, with its text."""
    response = await server.ask("POST", KEYS, new_key(**changes), user=user)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def external(
    server: RestServer,
    key: Json | str | None,
    method: str,
    path: str,
    body: Any = None,
    **more: Any,
) -> httpx2.Response:
    """Ask the external API with a key as `make_key` returns it, or with the text of one."""
    headers = dict(more.pop("headers", {}))
    if key is not None:
        headers["X-API-Key"] = key if isinstance(key, str) else key["plain_text_key"]
    if body is not None:
        more["json"] = body
    return await server.client.request(method, EXTERNAL + path, headers=headers, **more)


async def key_of(owner: Any) -> str:
    """Make a key of an owner in the ownership matrix, and return its id."""
    return str((await make_key(owner.server, user=owner.user))["api_key"]["id"])


async def text_of_key(owner: Any) -> str:
    """Make a key of an owner in the ownership matrix, and return its text."""
    return str((await make_key(owner.server, user=owner.user))["plain_text_key"])
