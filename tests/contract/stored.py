"""Credentials for the tests of contract: a vault with a key of its own."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from backend.adapters.dispatch.local import LocalDispatcher
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.credentials import SqlCredentials
from backend.adapters.vault import FernetVault
from backend.adapters.web import GuardedWebClient
from backend.core.catalog import Catalog
from backend.services.credentials import CredentialsService
from backend.services.credits import CreditService
from backend.services.executions import ExecutionService
from backend.services.graphs import GraphService
from backend.services.oauth_calls import OAuthCalls, OAuthClient
from backend.services.sealed import Sealer
from backend.services.sign_ins import SignInService
from backend.services.tokens import TokenService
from backend.setting_keys import new_key
from backend.testing.clock import FakeClock

INTEGRATIONS = "/api/integrations"

#: What nobody but its owner may ever see again.
CANARY = "canary-4f1d~8c+e7/9=a0b"

API_KEY = {"type": "api_key", "provider": "x", "title": "Mine", "api_key": CANARY}
USER_PASSWORD = {
    "type": "user_password",
    "provider": "x",
    "title": None,
    "username": f"{CANARY}-name",
    "password": CANARY,
}
HOST_SCOPED = {
    "type": "host_scoped",
    "provider": "x",
    "host": "api.example.com",
    "headers": {"Authorization": f"Token {CANARY}", "X-Key": CANARY},
}
OAUTH2 = {
    "type": "oauth2",
    "provider": "x",
    "title": "Account",
    "username": "ann",
    "access_token": f"{CANARY}-access",
    "refresh_token": f"{CANARY}-refresh",
    "scopes": ["a", "b"],
}
EVERY_KIND: Mapping[str, dict[str, Any]] = {
    "openai": API_KEY,
    "smtp": USER_PASSWORD,
    "http": HOST_SCOPED,
    "github": OAUTH2,
}


def make_credentials(
    storage: SqlStorage,
    clock: FakeClock,
    clients: Mapping[str, OAuthClient],
    trusted: Sequence[str] = (),
) -> tuple[CredentialsService, SignInService]:
    """Return the services over *storage*."""
    store = SqlCredentials(storage.database)
    sealer = Sealer(FernetVault([new_key()]))
    calls = OAuthCalls(GuardedWebClient(trusted))
    tokens = TokenService(store=store, sealer=sealer, calls=calls, clients=clients, clock=clock)
    credentials = CredentialsService(store=store, sealer=sealer, tokens=tokens, clock=clock)
    sign_ins = SignInService(
        credentials=credentials,
        store=store,
        sealer=sealer,
        calls=calls,
        clients=clients,
        clock=clock,
        new_token=lambda: secrets.token_urlsafe(48),
        frontend_base_url="http://front",
    )
    return credentials, sign_ins


def executions_of(
    storage: SqlStorage,
    dispatcher: LocalDispatcher,
    graphs: GraphService,
    catalog: Catalog,
    credits_: CreditService,
    clock: FakeClock,
) -> ExecutionService:
    """Return who starts runs, with the credentials of *storage*."""
    return ExecutionService(
        storage=storage,
        credentials=SqlCredentials(storage.database),
        dispatcher=dispatcher,
        graphs=graphs,
        catalog=catalog,
        clock=clock,
        credits_=credits_,
    )


async def new_credentials(server: Any, provider: str, *, user: str = "ann", **changes: Any) -> Any:
    """Keep credentials for *provider* and return them as answered."""
    response = await server.ask(
        "POST",
        f"{INTEGRATIONS}/{provider}/credentials",
        {**EVERY_KIND[provider], **changes},
        user=user,
    )
    assert response.status_code == 201, response.text
    return response.json()
