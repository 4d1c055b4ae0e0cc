"""The webhook of an account at Slant 3D: it can be told, and neither asked for nor taken back."""

from typing import Final

from backend.adapters.registrars.calls import ProviderCalls
from backend.core.credentials import ApiKeyCredentials, Credentials
from backend.ports.registrars import Hook, Registered, RegistrationRefused
from backend.ports.web import WebClient


class Slant3dRegistrar:
    """
    See backend.ports.registrars.WebhookRegistrar.

    An account has one address: what is told last counts.
    """

    provider = "slant3d"
    has_one = True
    can_ping = False

    def __init__(self, web: WebClient, base_url: str) -> None:
        """Take the guarded way out, and where the operator says that Slant 3D is."""
        self._calls = ProviderCalls(
            "Slant 3D", web, "https://www.slant3dapi.com/api", moved=base_url
        )

    def resource_of(self, given: str) -> str:
        return given.strip()

    async def register(self, hook: Hook, credentials: Credentials) -> Registered:
        if not isinstance(credentials, ApiKeyCredentials):
            raise RegistrationRefused("Slant 3D takes a key only.")
        await self._calls.send(
            "POST",
            "/customer/webhookSubscribe",
            headers={"api-key": credentials.api_key.reveal()},
            body={"endPoint": hook.url},
        )
        return Registered(provider_id="account")

    async def remove(self, hook: Hook, credentials: Credentials) -> None:
        """Do nothing: what comes to an address that is gone is answered with 404."""

    async def is_there(self, hook: Hook, credentials: Credentials) -> bool:
        del hook, credentials
        return True  # it cannot be asked

    async def ping(self, hook: Hook, credentials: Credentials) -> None:
        del hook, credentials
        raise RegistrationRefused("Slant 3D cannot be asked to try a webhook.")


REGISTRAR: Final = Slant3dRegistrar
