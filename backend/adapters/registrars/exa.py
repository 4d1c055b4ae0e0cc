"""Webhooks of websets at Exa, which signs with a secret that it tells once."""

import re
from typing import Any, Final

from backend.adapters.registrars.calls import ProviderCalls
from backend.core.credentials import ApiKeyCredentials, Credentials
from backend.core.errors import Unavailable
from backend.core.webhook_providers import EXA_EVENTS
from backend.ports.registrars import Hook, Registered, RegistrationRefused
from backend.ports.web import WebClient

_GONE: Final = 404
#: What can stand in an address as it is.
_CURSOR: Final = re.compile(r"[A-Za-z0-9_.~=-]{1,500}", re.ASCII)
_PAGE: Final = 200
#: An account has a few; far more than these would be a defect.
_PAGES: Final = 5
_HOOKS: Final = "/websets/v0/webhooks"
_THEIRS: Final = {ours: theirs for theirs, ours in EXA_EVENTS.items()}


class ExaRegistrar:
    """See backend.ports.registrars.WebhookRegistrar."""

    provider = "exa"
    has_one = False
    can_ping = False

    def __init__(self, web: WebClient, base_url: str) -> None:
        """Take the guarded way out, and where the operator says that Exa is."""
        self._calls = ProviderCalls("Exa", web, "https://api.exa.ai", moved=base_url)

    def resource_of(self, given: str) -> str:
        return given.strip()

    async def register(self, hook: Hook, credentials: Credentials) -> Registered:
        events = sorted(_THEIRS[event] for event in hook.events if event in _THEIRS)
        if not events:
            raise RegistrationRefused(f"Exa has none of these events: {', '.join(hook.events)}.")
        # Of one that is there already nobody knows the secret any more.
        await self.remove(hook, credentials)
        body = {"events": events, "url": hook.url}
        found = self._calls.value(await self._send("POST", "", credentials, body=body))
        secret = found.get("secret") if isinstance(found, dict) else None
        if not isinstance(secret, str) or not secret:
            raise Unavailable("Exa's answer has no secret of a webhook.")
        return Registered(provider_id=_id_in(found), secret=secret)

    async def remove(self, hook: Hook, credentials: Credentials) -> None:
        known = hook.provider_id or await self._find(hook, credentials)
        if known:
            await self._send("DELETE", f"/{known}", credentials, fine=(_GONE,))

    async def is_there(self, hook: Hook, credentials: Credentials) -> bool:
        answer = await self._send("GET", f"/{hook.provider_id}", credentials, fine=(_GONE,))
        found = None if answer.status == _GONE else self._calls.value(answer)
        return (
            isinstance(found, dict)
            and found.get("url") == hook.url
            and found.get("status") != "inactive"
        )

    async def ping(self, hook: Hook, credentials: Credentials) -> None:
        del hook, credentials
        raise RegistrationRefused("Exa cannot be asked to try a webhook.")

    async def _find(self, hook: Hook, credentials: Credentials) -> str:
        cursor = ""
        for _ in range(_PAGES):
            path = f"?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else "")
            page = self._calls.value(await self._send("GET", path, credentials))
            entries = page.get("data") if isinstance(page, dict) else None
            for one in entries if isinstance(entries, list) else ():
                if isinstance(one, dict) and one.get("url") == hook.url:
                    return _id_in(one)
            following = page.get("nextCursor") if isinstance(page, dict) else None
            if not isinstance(following, str) or not _CURSOR.fullmatch(following):
                return ""
            cursor = following
        return ""

    async def _send(self, method: str, path: str, credentials: Credentials, **more: Any) -> Any:
        if not isinstance(credentials, ApiKeyCredentials):
            raise RegistrationRefused("Exa takes a key only.")
        headers = {"x-api-key": credentials.api_key.reveal()}
        return await self._calls.send(method, f"{_HOOKS}{path}", headers=headers, **more)


def _id_in(found: Any) -> str:
    given = found.get("id") if isinstance(found, dict) else None
    if not isinstance(given, str) or not given:
        raise Unavailable("Exa's answer has no id of a webhook.")
    return given


REGISTRAR: Final = ExaRegistrar
