"""API keys: make, list, change, rotate, take back (spec/contract.md 5, "API keys")."""

from typing import Final

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.auditing import Audited
from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes
from backend.api.wire import api_keys as wire
from backend.core.api_keys import ApiKeyStatus
from backend.core.ids import ApiKeyId

_KEYS: Final = f"{PREFIX}/api-keys"
_ONE: Final = f"{_KEYS}/{{key_id}}"
_TAGS: Final = ("v1", "api-keys")
_KIND: Final = "api_key"


def add_api_key_routes(routes: Routes) -> None:
    """Add the routes of this noun; the last two are ours, beside the contract."""
    add = routes.add
    add("GET", _KEYS, list_keys, operation="getV1List user api keys", tags=_TAGS)
    add(
        "POST",
        _KEYS,
        create_key,
        operation="postV1Create new api key",
        tags=_TAGS,
        audit=Audited("create", _KIND),
    )
    add("GET", _ONE, get_key, operation="getV1Get specific api key", tags=_TAGS)
    for method, path, endpoint, operation, verb in (
        ("DELETE", _ONE, revoke_key, "deleteV1Revoke api key", "revoke"),
        ("PUT", f"{_ONE}/permissions", set_permissions, "putV1Update key permissions", "change"),
        ("POST", f"{_ONE}/suspend", suspend_key, "postV1Suspend api key", "suspend"),
        ("POST", f"{_ONE}/resume", resume_key, "postV1Resume api key", "resume"),
        ("POST", f"{_ONE}/rotate", rotate_key, "postV1Rotate api key", "rotate"),
    ):
        add(
            method,
            path,
            endpoint,
            operation=operation,
            tags=_TAGS,
            audit=Audited(verb, _KIND, "key_id"),
        )


async def list_keys(request: Request) -> Response:
    """Return the caller's keys, newest first."""
    found = await context_of(request).doors.api_keys.listed(caller_of(request).user_id)
    return answer([wire.api_key_info(one) for one in found])


async def create_key(request: Request, body: wire.CreateAPIKeyRequest) -> Response:
    """Make a key. Its text is in this answer, and nowhere else ever."""
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    return answer(wire.shown_key(await context.doors.api_keys.create(user_id, body.new())))


async def get_key(request: Request, key_id: str) -> Response:
    """Return a key."""
    found = await context_of(request).doors.api_keys.get(
        caller_of(request).user_id, ApiKeyId(key_id)
    )
    return answer(wire.api_key_info(found))


async def set_permissions(
    request: Request, key_id: str, body: wire.UpdatePermissionsRequest
) -> Response:
    """Replace what a key may do."""
    changed = await context_of(request).doors.api_keys.set_scopes(
        caller_of(request).user_id, ApiKeyId(key_id), body.permissions
    )
    return answer(wire.api_key_info(changed))


async def revoke_key(request: Request, key_id: str) -> Response:
    """Take a key back for ever."""
    return await _to(request, key_id, ApiKeyStatus.REVOKED)


async def suspend_key(request: Request, key_id: str) -> Response:
    """Let a key open nothing until it is resumed."""
    return await _to(request, key_id, ApiKeyStatus.SUSPENDED)


async def resume_key(request: Request, key_id: str) -> Response:
    """Let a suspended key open again what it may."""
    return await _to(request, key_id, ApiKeyStatus.ACTIVE)


async def _to(request: Request, key_id: str, status: ApiKeyStatus) -> Response:
    changed = await context_of(request).doors.api_keys.set_status(
        caller_of(request).user_id, ApiKeyId(key_id), status
    )
    return answer(wire.api_key_info(changed))


async def rotate_key(
    request: Request, key_id: str, body: wire.RotateAPIKeyRequest | None = None
) -> Response:
    """Give a key another text, which only this answer shows."""
    shown = await context_of(request).doors.api_keys.rotate(
        caller_of(request).user_id,
        ApiKeyId(key_id),
        grace_s=(body or wire.RotateAPIKeyRequest()).grace_period_s,
    )
    return answer(wire.shown_key(shown))
