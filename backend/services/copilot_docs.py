"""The copilot's tools that look things up in the documentation that was shipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from backend.core.errors import BadRequest, NotFound
from backend.core.json import JsonObject
from backend.core.page_search import PageIndex, Section
from backend.ports.pages import Pages
from backend.services.copilot_calls import Does, ToolCalled

_FOUND: Final = 6
_SNIPPET: Final = 600
#: Characters of a page that one call shows.
_PIECE: Final = 12_000


@dataclass(kw_only=True)
class CopilotDocs:
    """See the module. The pages are read and counted when somebody first asks."""

    pages: Pages
    _index: PageIndex | None = field(default=None, init=False)

    @property
    def tools(self) -> Mapping[str, Does]:
        """Return what does each tool, by its name."""
        return {"search_docs": self._search, "get_doc_page": self._page}

    async def _search(self, called: ToolCalled) -> JsonObject:
        query = called.text("query")
        if not query:
            raise BadRequest("query: a few words are needed")
        if self._index is None:
            self._index = PageIndex(await self.pages.all())
        found = self._index.search(query, most=_FOUND)
        if not found:
            return {"type": "no_results", "message": "No page fits; try other words."}
        return {
            "type": "doc_search_results",
            "message": f"the {len(found)} sections that fit best",
            "query": query,
            "results": [_form(one) for one in found],
            "count": len(found),
        }

    async def _page(self, called: ToolCalled) -> JsonObject:
        path, pages = called.text("path"), await self.pages.all()
        if path not in pages:
            raise NotFound(f"There is no page {path[:_SNIPPET]!r}; search_docs gives the paths.")
        text = pages[path]
        start = called.number("offset", 0, len(text))
        piece = text[start : start + _PIECE]
        told: JsonObject = {
            "type": "doc_page",
            "message": path,
            "path": path,
            "title": text.partition("\n")[0].lstrip("# "),
            "content": piece,
        }
        if start + len(piece) < len(text):
            told["next_offset"] = start + len(piece)
        return told


def _form(section: Section) -> JsonObject:
    snippet = section.text[:_SNIPPET]
    return {
        "path": section.path,
        "title": section.title,
        "section": section.heading,
        "snippet": snippet + ("…" if len(section.text) > _SNIPPET else ""),
    }
