"""Webhooks of bases at Airtable: it rings when something has changed, and keeps what for a week.

Where it is described: airtable.com/developers/web/api, webhooks. One that nobody refreshes or asks
for a week is deleted there; both put its end off by another week.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from backend.adapters.registrars.calls import ProviderCalls
from backend.core.credentials import ApiKeyCredentials, Credentials, OAuth2Credentials
from backend.core.errors import BadRequest, Unavailable
from backend.core.triggers import SEVERAL
from backend.ports.registrars import Change, Hook, Pulled, Registered, RegistrationRefused
from backend.ports.web import WebClient

_GONE: Final = 404
_BASE: Final = re.compile(r"app[A-Za-z0-9]{1,50}", re.ASCII)
_TABLE: Final = re.compile(r"(?:tbl|viw)[A-Za-z0-9]{14}", re.ASCII)
_MAX_NAME: Final = 255
DATA, FIELDS, METADATA = "tableData", "tableFields", "tableMetadata"
#: By what is there of a table that changed.
_EVENTS: Final[Mapping[str, str]] = {
    "createdRecordsById": DATA,
    "changedRecordsById": DATA,
    "destroyedRecordIds": DATA,
    "changedViewsById": DATA,
    "createdFieldsById": FIELDS,
    "changedFieldsById": FIELDS,
    "destroyedFieldIds": FIELDS,
    "changedMetadata": METADATA,
}


class AirtableRegistrar:
    """See backend.ports.registrars.PullingRegistrar."""

    provider = "airtable"
    has_one = False
    can_ping = False

    def __init__(self, web: WebClient, base_url: str) -> None:
        """Take the guarded way out, and where the operator says that Airtable is."""
        self._calls = ProviderCalls("Airtable", web, "https://api.airtable.com/v0", moved=base_url)

    def resource_of(self, given: str) -> str:
        base, _, table = (part.strip() for part in given.partition("/"))
        if not _BASE.fullmatch(base):
            raise BadRequest(f"{base[:100]!r} is no id of a base: it begins with app")
        if not table or len(table) > _MAX_NAME:
            raise BadRequest(f"table_id_or_name has 1 to {_MAX_NAME} characters")
        return f"{base}/{table}"

    async def register(self, hook: Hook, credentials: Credentials) -> Registered:
        base, _, table = hook.resource.partition("/")
        scope = await self._scope(base, table, credentials)
        # Of one that is there already nobody knows the secret any more.
        await self.remove(hook, credentials)
        filters = {"dataTypes": sorted(hook.events), "recordChangeScope": scope}
        body = {
            "notificationUrl": hook.url,
            "specification": {"options": {"filters": filters}},
        }
        found = await self._value("POST", f"/bases/{base}/webhooks", credentials, body=body)
        mac_key = found.get("macSecretBase64")
        if not isinstance(mac_key, str) or not mac_key:
            raise Unavailable("Airtable's answer has no secret of a webhook.")
        return Registered(provider_id=_id_in(found), secret=mac_key)

    async def remove(self, hook: Hook, credentials: Credentials) -> None:
        known = hook.provider_id
        if not known and (found := await self._find(hook, credentials)) is not None:
            known = _id_in(found)
        if known:
            await self._send("DELETE", _path(hook, known), credentials, fine=(_GONE,))

    async def is_there(self, hook: Hook, credentials: Credentials) -> bool:
        """Refreshes it too, and lets it ring again where Airtable gave that up."""
        found = await self._find(hook, credentials)
        if found is None or found.get("isHookEnabled") is False or _is_over(found):
            return False
        if found.get("expirationTime"):
            await self._send("POST", f"{_path(hook, _id_in(found))}/refresh", credentials)
        if found.get("areNotificationsEnabled") is False:
            path = f"{_path(hook, _id_in(found))}/enableNotifications"
            await self._send("POST", path, credentials, body={"enable": True})
        return True

    async def ping(self, hook: Hook, credentials: Credentials) -> None:
        del hook, credentials
        raise RegistrationRefused("Airtable cannot be asked to try a webhook.")

    async def pull(self, hook: Hook, credentials: Credentials, first: int) -> Pulled:
        path = f"{_path(hook, hook.provider_id)}/payloads?cursor={first}"
        answer = await self._send("GET", path, credentials, fine=(_GONE,))
        if answer.status == _GONE:
            raise Unavailable(f"Airtable has no webhook of {hook.resource} any more.")
        found = self._calls.value(answer)
        payloads = found.get("payloads") if isinstance(found, dict) else None
        if not isinstance(payloads, list):
            raise Unavailable("Airtable's answer has no payloads of a webhook.")
        changes = [
            Change(number=number, event=_event_of(one), payload=one)
            for number, one in enumerate(payloads, first)
            if isinstance(one, dict)
        ]
        following = found.get("cursor")
        return Pulled(
            changes=changes,
            next=max(first + len(payloads), following if type(following) is int else 0),
            has_more=found.get("mightHaveMore") is True,
        )

    async def _scope(self, base: str, table: str, credentials: Credentials) -> str:
        """Return the id of a table; a name is looked up. Raises RegistrationRefused."""
        if _TABLE.fullmatch(table):
            return table
        found = await self._value("GET", f"/meta/bases/{base}/tables", credentials)
        for one in _entries(found, "tables"):
            if table in (one.get("id"), one.get("name")):
                return _id_in(one)
        raise RegistrationRefused(f"The base has no table {table!r}.")

    async def _find(self, hook: Hook, credentials: Credentials) -> dict[str, Any] | None:
        found = await self._value("GET", _path(hook), credentials)
        for one in _entries(found, "webhooks"):
            if one.get("notificationUrl") == hook.url:
                return one
        return None

    async def _value(self, method: str, path: str, lent: Credentials, **more: Any) -> Any:
        found = self._calls.value(await self._send(method, path, lent, **more))
        return found if isinstance(found, dict) else {}

    async def _send(self, method: str, path: str, credentials: Credentials, **more: Any) -> Any:
        match credentials:
            case ApiKeyCredentials():
                token = credentials.api_key
            case OAuth2Credentials():
                token = credentials.access_token
            case _:
                raise RegistrationRefused("Airtable takes a token or an account only.")
        headers = {"authorization": f"Bearer {token.reveal()}"}
        return await self._calls.send(method, path, headers=headers, **more)


def _path(hook: Hook, webhook: str = "") -> str:
    base = hook.resource.partition("/")[0]
    return f"/bases/{base}/webhooks" + (f"/{quote(webhook, safe='')}" if webhook else "")


def _id_in(found: Mapping[str, Any]) -> str:
    given = found.get("id")
    if not isinstance(given, str) or not given:
        raise Unavailable("Airtable's answer has no id.")
    return given


def _entries(found: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    given = found.get(name)
    return (one for one in (given if isinstance(given, list) else ()) if isinstance(one, dict))


def _is_over(found: Mapping[str, Any]) -> bool:
    """Say whether a webhook's time is over; what cannot be read is not."""
    try:
        return datetime.fromisoformat(str(found.get("expirationTime"))) < datetime.now(UTC)
    except (ValueError, TypeError):
        return False


def _event_of(payload: Mapping[str, Any]) -> str:
    """Return what happened; all of it where nothing says what, as in news of an error."""
    tables = payload.get("changedTablesById")
    happened = {
        _EVENTS[name]
        for table in (tables.values() if isinstance(tables, dict) else ())
        for name in (table if isinstance(table, dict) else ())
        if name in _EVENTS
    }
    if payload.get("createdTablesById") or payload.get("destroyedTableIds"):
        happened.add(METADATA)
    return SEVERAL.join(sorted(happened or {DATA, FIELDS, METADATA}))


REGISTRAR: Final = AirtableRegistrar
