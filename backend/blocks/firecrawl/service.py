"""Firecrawl, and how its blocks hand on what it has read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from backend.sdk import CredentialsKind, JsonObject, WebLimits, credentials_pin, pin, pins
from backend.sdk.services import Service, ServiceCalls, path_of, until

MEGABYTE: Final = 1024 * 1024
#: It opens pages in a browser before it answers.
FIRECRAWL: Final = Service(
    provider="firecrawl",
    name="Firecrawl",
    url="https://api.firecrawl.dev",
    limits=WebLimits(timeout_s=120.0, max_bytes=16 * MEGABYTE),
)
MINE: Final = {"id": "mine", "provider": "firecrawl", "type": "api_key"}
#: Of a crawl or an extraction, from its begin to its end.
LONGEST_S: Final = 1800.0
_EVERY_S: Final = 2.0
_MOST_PARTS: Final = 100
#: By format: where it lies in what was read, and the pin at which it comes out.
_PINS: Final = {
    "markdown": ("markdown", "markdown"),
    "html": ("html", "html"),
    "rawHtml": ("rawHtml", "raw_html"),
    "links": ("links", "links"),
    "screenshot": ("screenshot", "screenshot"),
    "screenshot@fullPage": ("screenshot", "screenshot_full_page"),
    "json": ("json", "json_data"),
    "changeTracking": ("changeTracking", "change_tracking"),
}

#: The schema of one format in a pin.
FORMAT: Final = {
    "enum": [*_PINS],
    "title": "ScrapeFormat",
    "type": "string",
}


@pins
class PagesInput:
    """How pages are read."""

    credentials: dict[str, Any] = credentials_pin(
        ["firecrawl"], [CredentialsKind.KEY], of_package=True, description="A key of Firecrawl."
    )
    url: str = pin(description="The address of the page.")
    limit: int = pin(default=10, description="Pages at the most.")
    only_main_content: bool = pin(default=True, description="Leave out what frames the text.")
    max_age: int = pin(default=3600000, description="Milliseconds that a kept copy may be old.")
    wait_for: int = pin(default=0, description="Milliseconds to wait for the scripts of a page.")
    formats: list[str] = pin(
        default_factory=lambda: ["markdown"],
        schema={"default": ["markdown"], "items": FORMAT, "type": "array"},
        description="What to give of a page.",
    )


@pins
class PagesOutput:
    """The forms of what was read; *data*, all of it, is of another type for one page and many."""

    data: Any = pin(description="All that was read.")
    markdown: str = pin(description="The page as Markdown.")
    html: str = pin(description="The page as cleaned HTML.")
    raw_html: str = pin(description="The page as it is.")
    links: list[str] = pin(description="Where it leads.")
    screenshot: str = pin(description="The address of a picture of what is seen first.")
    screenshot_full_page: str = pin(description="The address of a picture of the whole page.")
    json_data: dict[str, Any] = pin(description="Values that were read from the page.")
    change_tracking: dict[str, Any] = pin(description="What has changed since it was last read.")


def options_of(inputs: PagesInput) -> JsonObject:
    """Return how a page is to be read, as the service takes it."""
    return {
        "formats": formats_of(inputs.formats),
        "onlyMainContent": inputs.only_main_content,
        "maxAge": inputs.max_age,
        "waitFor": inputs.wait_for,
    }


def formats_of(formats: Sequence[str]) -> list[Any]:
    """Return *formats* as the service takes them."""
    whole_page = {"type": "screenshot", "fullPage": True}
    return [whole_page if each == "screenshot@fullPage" else each for each in formats]


def parts_of(page: Mapping[str, Any], formats: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield what *page* has of each format, at its pin; what was not read is passed over."""
    for each in formats:
        place, pin = _PINS[each]
        if page.get(place) is not None:
            yield pin, page[place]


async def finished(calls: ServiceCalls, kind: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a job when it has been done.

    Raises:
        ValueError: If it failed, or was stopped.
        Unavailable: If it was not done in time, or the service does not answer.
    """
    name = job.get("id")
    if not isinstance(name, str):
        raise calls.nonsense("it names no job")

    async def ask() -> dict[str, Any] | None:
        found = await calls.object("GET", f"v2/{kind}/{path_of(name)}")
        if found.get("status") in ("failed", "cancelled"):
            raise ValueError(f"the {kind} {found['status']}: {str(found.get('error') or '')[:300]}")
        return found if found.get("status") == "completed" else None

    return await until(ask, every_s=_EVERY_S, most_s=LONGEST_S, what=f"the {kind}")


async def all_pages(
    calls: ServiceCalls, found: Mapping[str, Any], *, most: int
) -> list[dict[str, Any]]:
    """Return the pages of a crawl that is done: they may come in parts."""
    pages = calls.entries(found, "data")
    for _ in range(_MOST_PARTS):
        following = found.get("next")
        if not isinstance(following, str) or len(pages) >= most:
            break
        # It names its own host; only the place counts, or a stranger could send us elsewhere.
        query = following.partition("?")[2]
        path = following.partition("?")[0].partition("/v2/")[2]
        found = await calls.object("GET", f"v2/{path}" + (f"?{query}" if query else ""))
        pages = [*pages, *calls.entries(found, "data")]
    return pages[:most]
