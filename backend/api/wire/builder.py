"""The builder's menu on the wire."""

from typing import Any

from backend.api.wire.library import library_agent
from backend.core.block import BlockSpec, wire_form
from backend.core.catalog import Catalog
from backend.core.library import LibraryAgent
from backend.ports.builder import Search

Values = dict[str, Any]


def search_item(item: LibraryAgent | BlockSpec, catalog: Catalog, *, now_us: int) -> Values:
    """Return what a search found: ``BlockInfo`` or ``LibraryAgent``."""
    if isinstance(item, BlockSpec):
        return dict(wire_form(item))
    return library_agent(item, catalog, now_us=now_us)


def search_entry(search: Search) -> Values:
    """Return a search of before: ``SearchEntry``."""
    return {
        "search_query": search.query,
        "filter": search.kinds,
        "by_creator": search.creators,
        "search_id": search.id,
    }
