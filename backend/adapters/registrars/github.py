"""Webhooks of repositories at GitHub."""

import re
from typing import Any, Final

from backend.adapters.registrars.calls import ProviderCalls
from backend.core.credentials import Credentials
from backend.core.errors import BadRequest, Unavailable
from backend.ports.registrars import Hook, Registered
from backend.ports.web import WebClient

_REPOSITORY: Final = re.compile(
    r"(?:(?:https?://)?(?:www\.)?github\.com/)?"
    r"((?!\.+/)[A-Za-z0-9_.-]{1,100})/((?!\.+$)[A-Za-z0-9_.-]{1,100}?)(?:\.git)?/?",
    re.ASCII,
)
_EXISTS: Final = 422
_GONE: Final = 404
_PAGE: Final = 100
#: A repository has at most 20 hooks for each event; far more than these would be a defect.
_PAGES: Final = 5


class GithubRegistrar:
    """See backend.ports.registrars.WebhookRegistrar."""

    provider = "github"
    has_one = False
    can_ping = True

    def __init__(self, web: WebClient, base_url: str) -> None:
        """Take the guarded way out, and where the operator says that GitHub is; empty: where it is."""
        self._calls = ProviderCalls("GitHub", web, "https://api.github.com", moved=base_url)

    def resource_of(self, given: str) -> str:
        match = _REPOSITORY.fullmatch(given.strip())
        if match is None:
            raise BadRequest(f"{given[:200]!r} is no repository of GitHub: write owner/name")
        # GitHub does not tell Cats from cats.
        return f"{match[1]}/{match[2]}".lower()

    async def register(self, hook: Hook, credentials: Credentials) -> Registered:
        body = {
            "name": "web",
            "active": True,
            "events": sorted({event.partition(".")[0] for event in hook.events}),
            "config": {
                "url": hook.url,
                "content_type": "json",
                "secret": hook.secret,
                "insecure_ssl": "0",
            },
        }
        answer = await self._send("POST", hook, "", credentials, body=body, fine=(_EXISTS,))
        if answer.status == _EXISTS:
            known = await self._find(hook, credentials)
            if known:
                return Registered(provider_id=known)
            # It was refused for another reason: let it be said.
            answer = await self._send("POST", hook, "", credentials, body=body)
        return Registered(provider_id=_id_in(self._calls.value(answer)))

    async def remove(self, hook: Hook, credentials: Credentials) -> None:
        known = hook.provider_id or await self._find(hook, credentials)
        if known:
            await self._send("DELETE", hook, f"/{known}", credentials, fine=(_GONE,))

    async def is_there(self, hook: Hook, credentials: Credentials) -> bool:
        answer = await self._send("GET", hook, f"/{hook.provider_id}", credentials, fine=(_GONE,))
        if answer.status == _GONE:
            return False
        found = self._calls.value(answer)
        config = found.get("config") if isinstance(found, dict) else None
        leads_here = isinstance(config, dict) and config.get("url") == hook.url
        return leads_here and found.get("active") is not False

    async def ping(self, hook: Hook, credentials: Credentials) -> None:
        await self._send("POST", hook, f"/{hook.provider_id}/pings", credentials)

    async def _find(self, hook: Hook, credentials: Credentials) -> str:
        for page in range(1, _PAGES + 1):
            path = f"?per_page={_PAGE}&page={page}"
            answer = await self._send("GET", hook, path, credentials, fine=(_GONE,))
            found = self._calls.value(answer)
            if not isinstance(found, list):
                return ""
            for one in found:
                config = one.get("config") if isinstance(one, dict) else None
                if isinstance(config, dict) and config.get("url") == hook.url:
                    return _id_in(one)
            if len(found) < _PAGE:
                return ""
        return ""

    async def _send(
        self, method: str, hook: Hook, path: str, credentials: Credentials, **more: Any
    ) -> Any:
        headers = {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": credentials.authorization().reveal(),
        }
        return await self._calls.send(
            method, f"/repos/{hook.resource}/hooks{path}", headers=headers, **more
        )


def _id_in(found: Any) -> str:
    given = found.get("id") if isinstance(found, dict) else None
    if not isinstance(given, int) or isinstance(given, bool):
        raise Unavailable("GitHub's answer has no id of a webhook.")
    return str(given)


REGISTRAR: Final = GithubRegistrar
