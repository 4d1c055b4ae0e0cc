"""Where a tool server is, as the inputs of a node say it."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from backend.sdk import (
    BadRequest,
    BlockContext,
    HostScopedCredentials,
    OAuth2Credentials,
    ToolServer,
    UserId,
    is_below,
)

#: Before the name of a server of this machine.
_LOCAL: Final = "stdio"


def address_of(written: str) -> str:
    """Return the address that *written* is. Raises BadRequest if it is none of a tool server."""
    url = written.strip()
    scheme = urlsplit(url).scheme
    if scheme == _LOCAL:
        return f"{_LOCAL}:{url.partition(':')[2].strip()}"
    if scheme not in ("http", "https"):
        raise BadRequest(
            "the address of a tool server begins with https:// or http://; a server of this machine"
            f" is {_LOCAL}: and the name that the administrator has given it; no other command is run"
        )
    return url


def shown(url: str) -> str:
    """Return *url* as people and models may read it: a query may hold a key."""
    parts = urlsplit(url)
    if parts.scheme == _LOCAL:
        return f"{_LOCAL}:{parts.path}"
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


async def server_of(
    url: str, credentials: Mapping[str, Any] | None, context: BlockContext
) -> ToolServer:
    """
    Return the server at *url*, with the headers or tokens that *credentials* keep for it.

    Raises:
        BadRequest: If they are neither, or for another server.
        As `BlockContext.credentials`.
    """
    user_id = UserId(context.user_id)
    if not credentials:
        return ToolServer(url=url, user_id=user_id)
    lent = await context.credentials(credentials)
    if isinstance(lent, OAuth2Credentials):
        # A token shown to another server could be used by that one.
        if not is_below(url, str(lent.metadata.get("resource") or "")):
            raise BadRequest("these credentials were given for another tool server")
        return ToolServer(url=url, user_id=user_id, headers={"Authorization": lent.authorization()})
    if not isinstance(lent, HostScopedCredentials):
        raise BadRequest("these credentials are no headers for a host, and no account of a server")
    if not lent.matches(url):
        raise BadRequest(f"these credentials are for {lent.host}, and the server is another")
    return ToolServer(url=url, user_id=user_id, headers=lent.headers)
