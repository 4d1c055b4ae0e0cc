"""Feeds and pages from a real HTTP server that knows what it has sent."""

import hashlib
import threading
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from backend.adapters.web import GuardedWebClient
from backend.core.errors import BadRequest, ServiceLimited, WebClientError, WebFailed
from backend.core.watch_settings import FeedWatch, PageWatch
from backend.engine.watch_web import FeedLooker, PageLooker
from backend.testing.processes import NoProcesses
from tests.unit.engine.watching import look


class Site(ThreadingHTTPServer):
    """One page at each address; it answers 304 to who has it already."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = ""
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answered: list[int] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.server.page.encode()
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        status = self.server.status
        if status == 200 and self.headers.get("If-None-Match") == tag:
            status = 304
        self.server.answered.append(status)
        self.send_response(status)
        for name, value in {"ETag": tag, **self.server.headers}.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 304:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
async def web(site: Site) -> AsyncIterator[GuardedWebClient]:
    made = GuardedWebClient([site.origin])
    yield made
    await made.aclose()


def feed(*names: str) -> str:
    items = "".join(f"<item><title>{one}</title><guid>{one}</guid></item>" for one in names)
    return f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'


def feed_at(site: Site, **changes: Any) -> FeedWatch:
    given = {"from_now": True, "is_gathered": False, **changes}
    return FeedWatch(url=f"{site.origin}/feed", every_s=60, **given)


def titles(items: list[Any]) -> list[str]:
    return [item.payload["entry"]["title"] for item in items]


async def test_what_is_there_at_first_is_nothing_new(site: Site, web: GuardedWebClient) -> None:
    looker, state = FeedLooker(web, NoProcesses()), dict[str, Any]()
    site.page = feed("b", "a")

    first = await look(looker, feed_at(site), state)
    second = await look(looker, feed_at(site), state)
    site.page = feed("d", "c", "b")
    third = await look(looker, feed_at(site), state)

    assert (first, second, titles(third)) == ([], [], ["c", "d"])
    assert site.answered == [200, 304, 200]


async def test_what_is_there_already_counts_where_its_owner_wants_it(
    site: Site, web: GuardedWebClient
) -> None:
    site.page = feed("b", "a")

    found = await look(FeedLooker(web, NoProcesses()), feed_at(site, from_now=False), {})

    assert titles(found) == ["a", "b"]


async def test_of_very_much_that_is_new_nothing_is_lost(site: Site, web: GuardedWebClient) -> None:
    """The second look must not be answered that nothing has changed."""
    site.page = feed(*(str(number) for number in reversed(range(150))))
    looker, state = FeedLooker(web, NoProcesses()), dict[str, Any]()

    found = [await look(looker, feed_at(site, from_now=False), state) for _ in range(3)]

    assert [len(one) for one in found] == [100, 50, 0]
    assert titles(found[0] + found[1]) == [str(number) for number in range(150)]


async def test_an_entry_has_the_same_key_after_a_crash(site: Site, web: GuardedWebClient) -> None:
    looker, state = FeedLooker(web, NoProcesses()), dict[str, Any]()
    site.page = feed("b", "a")
    every = feed_at(site, from_now=False)

    [before] = await look(looker, every, state, most=1)
    after = await look(looker, every, state)

    assert titles(after) == ["a", "b"]
    assert before.key == after[0].key


async def test_what_goes_together_goes_together_again_after_a_crash(
    site: Site, web: GuardedWebClient
) -> None:
    """Though others have come since: those go by themselves."""
    looker, state = FeedLooker(web, NoProcesses()), dict[str, Any]()
    every = feed_at(site, from_now=False, is_gathered=True)
    site.page = feed("b", "a")
    [before] = await look(looker, every, state, most=1)
    site.page = feed("c", "b", "a")

    again, more = await look(looker, every, state)

    assert again == before
    assert [one["title"] for one in again.payload["entries"]] == ["a", "b"]
    assert [one["title"] for one in more.payload["entries"]] == ["c"]
    assert await look(looker, every, state) == []


async def test_another_address_begins_anew(site: Site, web: GuardedWebClient) -> None:
    looker, state = FeedLooker(web, NoProcesses()), dict[str, Any]()
    site.page = feed("a")
    await look(looker, feed_at(site), state)
    site.page = feed("b")

    other = FeedWatch(url=f"{site.origin}/other", every_s=60, from_now=True, is_gathered=False)

    assert await look(looker, other, state) == []


async def test_a_server_that_asks_to_wait_says_how_long(site: Site, web: GuardedWebClient) -> None:
    site.status, site.headers = 429, {"Retry-After": "120"}

    with pytest.raises(ServiceLimited) as caught:
        await look(FeedLooker(web, NoProcesses()), feed_at(site), {})

    assert caught.value.retry_after_s == 120


async def test_what_is_no_feed_is_a_failure(site: Site, web: GuardedWebClient) -> None:
    looker = FeedLooker(web, NoProcesses())
    site.page = "nothing"
    with pytest.raises(BadRequest, match="no feed"):
        await look(looker, feed_at(site), {})
    site.status = 404
    with pytest.raises(WebClientError, match="404"):
        await look(looker, feed_at(site), {})


async def test_a_private_address_is_not_looked_at(site: Site) -> None:
    web = GuardedWebClient()

    with pytest.raises(BadRequest, match="TRUST_ENDPOINTS_FOR_REQUESTS"):
        await look(FeedLooker(web, NoProcesses()), feed_at(site), {})

    await web.aclose()


async def test_a_page_that_goes_back_and_forth_changes_each_time(
    site: Site, web: GuardedWebClient
) -> None:
    looker, state = PageLooker(web, NoProcesses()), dict[str, Any]()
    settings = PageWatch(url=f"{site.origin}/", selector=".price", every_s=60)
    found: list[list[Any]] = []
    for price in ("5", "5", "4", "5", "4"):
        site.page = f"<p>{len(found)}</p><p class=price>{price} EUR</p>"
        found.append(await look(looker, settings, state))

    changes = [(one[0].payload["old_text"], one[0].payload["new_text"]) for one in found if one]
    assert changes == [("5 EUR", "4 EUR"), ("4 EUR", "5 EUR"), ("5 EUR", "4 EUR")]
    assert len({one[0].key for one in found if one}) == 3
    assert found[2][0].payload["diff"] == "-5 EUR\n+4 EUR"


async def test_a_selector_that_finds_nothing_is_a_failure(
    site: Site, web: GuardedWebClient
) -> None:
    looker = PageLooker(web, NoProcesses())
    site.page = "<p>x</p>"

    with pytest.raises(WebFailed, match="finds nothing"):
        await look(looker, PageWatch(url=site.origin, selector=".a", every_s=60), {})
    with pytest.raises(BadRequest, match="no CSS selector"):
        await look(looker, PageWatch(url=site.origin, selector="[[", every_s=60), {})
