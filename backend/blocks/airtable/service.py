"""Airtable: bases, their tables and records."""

from typing import Any, Final

from backend.sdk.services import Service, ServiceCalls, pages

AIRTABLE: Final = Service(provider="airtable", name="Airtable", url="https://api.airtable.com/v0")
MINE: Final = {"id": "mine", "provider": "airtable", "type": "api_key"}
MOST_BASES: Final = 10_000
#: More it does not take at once.
MOST_RECORDS_AT_ONCE: Final = 10


async def all_bases(calls: ServiceCalls) -> list[dict[str, Any]]:
    """Return all bases that the credentials open, `MOST_BASES` at the most."""

    async def page(offset: str | None) -> tuple[list[dict[str, Any]], str | None]:
        found = await calls.object("GET", "meta/bases", query={"offset": offset})
        mark = found.get("offset")
        return calls.entries(found, "bases"), mark if isinstance(mark, str) and mark else None

    return await pages(page, most=MOST_BASES)
