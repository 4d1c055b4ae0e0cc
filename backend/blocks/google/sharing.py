"""Who may see a file in Google's Drive."""

from backend.sdk import Json
from backend.sdk.services import Query, ServiceCalls, path_of


async def open_to_all(drive: ServiceCalls, file_id: str, role: str) -> None:
    """Let all who have the link in, as *role*."""
    await _let_in(drive, file_id, {"type": "anyone", "role": role})


async def share_with(
    drive: ServiceCalls, file_id: str, email: str, role: str, *, mail: str | None
) -> None:
    """Let somebody in, as *role*; they get a *mail* with these words, or none if that is None."""
    query: Query = {"sendNotificationEmail": mail is not None, "emailMessage": mail or None}
    value: Json = {"type": "user", "role": role, "emailAddress": email}
    await _let_in(drive, file_id, value, query)


async def close_to_all(drive: ServiceCalls, file_id: str) -> None:
    """Let nobody in who has nothing but the link."""
    # Who is not named is either anyone or a domain; there is one such right of each kind.
    query: Query = {"fields": "permissions(id,type)", "pageSize": 100}
    found = await drive.object("GET", _rights(file_id), query=query)
    for right in drive.entries(found, "permissions"):
        if right.get("type") == "anyone":
            await drive.send("DELETE", _rights(file_id, drive.need(right, str, "id")))


async def _let_in(
    drive: ServiceCalls, file_id: str, value: Json, query: Query | None = None
) -> None:
    made = await drive.object("POST", _rights(file_id), query=query, value=value)
    drive.need(made, str, "id")


def _rights(file_id: str, *more: str) -> str:
    return path_of("files", file_id, "permissions", *more)
