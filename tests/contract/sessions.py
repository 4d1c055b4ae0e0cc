"""Sessions of users who have no password."""

from backend.core.accounts import AccountRecord
from backend.core.ids import UserId
from backend.services.sessions import Place
from tests.contract.rest_server import RestServer


async def begin_session(server: RestServer, user: str) -> str:
    """Begin a session, as if *user* had been recognised, and return its id."""
    account = AccountRecord(id=UserId(user), email=f"{user}@example.com")
    return (await server.context.sessions.begin(account, Place(address="127.0.0.1"))).session_id
