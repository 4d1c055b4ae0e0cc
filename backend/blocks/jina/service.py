"""Jina's hosts, and the search engine that an operator may run instead of one."""

from typing import Final

from backend.sdk import WebLimits
from backend.sdk.services import Service

READER: Final = Service(provider="jina", name="Jina Reader", url="https://r.jina.ai", place="r")
API: Final = Service(provider="jina", name="Jina", url="https://api.jina.ai", place="api")
SEARCH: Final = Service(provider="jina", name="Jina Search", url="https://s.jina.ai", place="s")
#: It reads many pages before it answers.
GROUNDING: Final = Service(
    provider="jina",
    name="Jina Grounding",
    url="https://g.jina.ai",
    place="g",
    limits=WebLimits(timeout_s=180.0),
)
#: Where it is, only the operator knows.
SEARXNG: Final = Service(provider="searxng", name="SearXNG", url="")
MINE: Final = {"id": "mine", "provider": "jina", "type": "api_key"}
