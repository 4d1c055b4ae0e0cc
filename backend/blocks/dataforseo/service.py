"""DataForSEO: its keywords, asked for and taken apart in one way."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    WebLimits,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service, ServiceCalls

DATAFORSEO: Final = Service(
    provider="dataforseo",
    name="DataForSEO",
    url="https://api.dataforseo.com",
    limits=WebLimits(timeout_s=120.0, max_bytes=16 * 1024 * 1024),
)
MINE: Final = {"id": "mine", "provider": "dataforseo", "type": "user_password"}
_FINE: Final = range(20_000, 30_000)


def _maybe(name: str, **kind: Any) -> dict[str, Any]:
    return {
        "advanced": True,
        "anyOf": [kind, {"type": "null"}],
        "default": None,
        "secret": False,
        "title": name.replace("_", " ").title(),
    }


#: The schema of one keyword, without its title.
KEYWORD: Final[dict[str, Any]] = {
    "properties": {
        "keyword": {"advanced": False, "secret": False, "title": "Keyword", "type": "string"},
        "search_volume": _maybe("search_volume", type="integer"),
        "competition": _maybe("competition", type="number"),
        "cpc": _maybe("cpc", type="number"),
        "keyword_difficulty": _maybe("keyword_difficulty", type="integer"),
        "serp_info": _maybe("serp_info", additionalProperties=True, type="object"),
        "clickstream_data": _maybe("clickstream_data", additionalProperties=True, type="object"),
    },
    "required": ["keyword"],
    "type": "object",
}


async def result_of(calls: ServiceCalls, path: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the result of one task that is done at once.

    Raises:
        ValueError: If the service refuses the task; it says so in an answer of success.
        Unavailable: If it does not answer, or not as it should.
    """
    given = {name: value for name, value in task.items() if value is not None}
    answer = await calls.object("POST", path, value=[given])
    tasks = calls.entries(answer, "tasks") if answer.get("tasks") else []
    for said in (answer, *tasks):
        code = said.get("status_code")
        if not isinstance(code, int):
            raise calls.nonsense("it has no status")
        if code not in _FINE:
            raise ValueError(f"DataForSEO says {code}: {str(said.get('status_message'))[:300]}")
    if not tasks or not isinstance(tasks[0].get("result"), list):
        raise calls.nonsense("it has no result")
    results = calls.entries(tasks[0], "result")
    return results[0] if results else {}


def keyword_of(found: Mapping[str, Any], inputs: Any) -> dict[str, Any]:
    """Return what is known of one keyword, as the pin has it. Raises KeyError without a keyword."""
    info = found.get("keyword_info") or {}
    known = {
        "keyword": found["keyword"],
        "search_volume": info.get("search_volume"),
        "competition": info.get("competition"),
        "cpc": info.get("cpc"),
        "keyword_difficulty": (found.get("keyword_properties") or {}).get("keyword_difficulty"),
    }
    if inputs.include_serp_info:
        known["serp_info"] = found.get("serp_info")
    if inputs.include_clickstream_data:
        known["clickstream_data"] = found.get("clickstream_keyword_info")
    return known


@pins
class KeywordsInput:
    """What both kinds of search take."""

    credentials: dict[str, Any] = credentials_pin(
        ["dataforseo"],
        [CredentialsKind.LOGIN],
        of_package=True,
        description="Login and password of the API.",
    )
    keyword: str = pin(description="The keyword to begin with.")
    location_code: int | None = pin(
        default=2840, description="Where people search: a code of DataForSEO."
    )
    language_code: str | None = pin(default="en", description="The language in which they search.")
    include_seed_keyword: bool = pin(default=True, description="Tell of the first keyword, too.")
    include_serp_info: bool = pin(default=False, description="Tell what a search finds.")
    include_clickstream_data: bool = pin(default=False, description="Tell what people click.")
    limit: int = pin(default=100, ge=1, le=3000, description="Keywords at the most.")


class KeywordsBase(Block):
    """
    A search for keywords.

    Attributes:
        kind: As its address names it.
        asks: Pins of its input that go into the task, with the same names.
        inside: Where in an entry the keyword is; empty: it is the entry.
        each: The pin of one keyword; *every*: that of all.
    """

    categories = (Category.DATA, Category.SEARCH)
    effect = Effect.READ
    retries = 2
    kind: ClassVar[str]
    asks: ClassVar[tuple[str, ...]] = (
        "keyword",
        "location_code",
        "language_code",
        "include_seed_keyword",
        "include_serp_info",
        "include_clickstream_data",
        "limit",
    )
    inside: ClassVar[str] = ""
    each: ClassVar[str]
    every: ClassVar[str]

    async def run(
        self, inputs: KeywordsInput, context: BlockContext
    ) -> AsyncIterator[tuple[str, Any]]:
        """Yield all keywords with what is known of them, then each."""
        calls = DATAFORSEO.calls(context, inputs.credentials)
        path = f"v3/dataforseo_labs/google/{self.kind}/live"
        result = await result_of(calls, path, {name: getattr(inputs, name) for name in self.asks})
        try:
            items = calls.entries({"items": result.get("items") or []}, "items")
            found = [
                keyword_of(each[self.inside] if self.inside else each, inputs) for each in items
            ]
        except (KeyError, TypeError, AttributeError) as exc:
            raise calls.nonsense("it has no keywords") from exc
        yield self.every, found
        yield "total_count", result.get("total_count") or len(found)
        yield "seed_keyword", result.get("seed_keyword") or inputs.keyword
        for keyword in found:
            yield self.each, keyword


def examples_of(each: str, every: str) -> tuple[Example, ...]:
    """Return what is true of both kinds."""
    found = {
        "keyword": "cat food",
        "search_volume": 90500,
        "competition": 1,
        "cpc": 1.2,
        "keyword_difficulty": 55,
    }
    return (
        Example(
            inputs={"keyword": "cat", "limit": 1, "credentials": MINE},
            outputs=[(every, [found]), ("total_count", 1), ("seed_keyword", "cat"), (each, found)],
        ),
        Example(
            inputs={"keyword": "", "credentials": MINE}, error="40501: Invalid Field: 'keyword'"
        ),
    )
