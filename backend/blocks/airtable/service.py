"""Airtable: bases, their tables and records."""

from typing import Any, Final

from backend.sdk import Category, CredentialsKind, credentials_pin
from backend.sdk.calling import CallingBase
from backend.sdk.services import Service, ServiceCalls, pages, path_of

AIRTABLE: Final = Service(provider="airtable", name="Airtable", url="https://api.airtable.com/v0")
MINE: Final = {"id": "mine", "provider": "airtable", "type": "api_key"}
MOST_BASES: Final = 10_000
#: More it does not take at once.
MOST_RECORDS_AT_ONCE: Final = 10


class AirtableBase(CallingBase):
    """A block of Airtable."""

    service = AIRTABLE
    categories = (Category.DATA,)


def account_pin() -> Any:
    """Return the pin that takes a token or an account of Airtable."""
    return credentials_pin(
        ["airtable"],
        [CredentialsKind.KEY, CredentialsKind.OAUTH2],
        of_package=True,
        description="A personal access token, or an account.",
    )


async def table_of(calls: ServiceCalls, base_id: str, table: str) -> dict[str, Any]:
    """
    Return what Airtable says of a table, by its id or name.

    Raises:
        ValueError: If the base has none of it.
    """
    found = await calls.object("GET", f"meta/bases/{path_of(base_id)}/tables")
    for each in calls.entries(found, "tables"):
        if table in (each.get("id"), each.get("name")):
            return each
    raise ValueError(f"the base has no table {table!r}")


async def all_bases(calls: ServiceCalls) -> list[dict[str, Any]]:
    """Return all bases that the credentials open, `MOST_BASES` at the most."""

    async def page(offset: str | None) -> tuple[list[dict[str, Any]], str | None]:
        found = await calls.object("GET", "meta/bases", query={"offset": offset})
        mark = found.get("offset")
        return calls.entries(found, "bases"), mark if isinstance(mark, str) and mark else None

    return await pages(page, most=MOST_BASES)
