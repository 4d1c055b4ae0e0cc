"""The webhook of a bot at Telegram: it has one. Its address holds the bot's token, and is told to nobody."""

import re
from typing import Any, Final

from backend.adapters.registrars.calls import ProviderCalls
from backend.core.credentials import ApiKeyCredentials, Credentials
from backend.core.errors import Unavailable
from backend.ports.registrars import Hook, Registered, RegistrationRefused
from backend.ports.web import WebClient

_BOT: Final = re.compile(r"[0-9]{1,20}:[A-Za-z0-9_-]{10,100}", re.ASCII)
_GONE: Final = (401, 404)


class TelegramRegistrar:
    """See backend.ports.registrars.WebhookRegistrar."""

    provider = "telegram"
    has_one = True
    can_ping = False

    def __init__(self, web: WebClient, base_url: str) -> None:
        """Take the guarded way out, and where the operator says that Telegram is."""
        self._calls = ProviderCalls("Telegram", web, "https://api.telegram.org", moved=base_url)

    def resource_of(self, given: str) -> str:
        return given.strip()

    async def register(self, hook: Hook, credentials: Credentials) -> Registered:
        body = {
            "url": hook.url,
            "secret_token": hook.secret,
            "allowed_updates": sorted({event.partition(".")[0] for event in hook.events}),
        }
        await self._ask("setWebhook", credentials, body)
        return Registered(provider_id="bot")

    async def remove(self, hook: Hook, credentials: Credentials) -> None:
        found = await self._ask("getWebhookInfo", credentials, {}, is_gone=True)
        # Another server, or another webhook of ours, may have the bot by now: it stays theirs.
        if isinstance(found, dict) and found.get("url") == hook.url:
            await self._ask("deleteWebhook", credentials, {}, is_gone=True)

    async def is_there(self, hook: Hook, credentials: Credentials) -> bool:
        found = await self._ask("getWebhookInfo", credentials, {}, is_gone=True)
        return isinstance(found, dict) and found.get("url") == hook.url

    async def ping(self, hook: Hook, credentials: Credentials) -> None:
        del hook, credentials
        raise RegistrationRefused("Telegram cannot be asked to try a webhook.")

    async def _ask(
        self, method: str, credentials: Credentials, body: Any, *, is_gone: bool = False
    ) -> Any:
        token = credentials.api_key.reveal() if isinstance(credentials, ApiKeyCredentials) else ""
        if not _BOT.fullmatch(token):
            raise RegistrationRefused("These credentials are no token of a bot at Telegram.")
        fine = _GONE if is_gone else ()
        answer = await self._calls.send("POST", f"/bot{token}/{method}", body=body, fine=fine)
        if answer.status in fine:
            return None
        found = self._calls.value(answer)
        if not isinstance(found, dict) or found.get("ok") is not True:
            raise Unavailable(f"Telegram's answer cannot be understood: {self._calls.said(answer)}")
        return found.get("result")


REGISTRAR: Final = TelegramRegistrar
