"""Services and pages that know whatever agents of other people ask of them."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from backend.adapters.web import GuardedWebClient
from backend.ports.web import WebDownload, WebLimits, WebResponse
from backend.testing.providers import (
    Reply,
    Request,
)
from backend.testing.standin import Asked as Call
from backend.testing.standin import Reply as Said
from backend.testing.standin import StandIn as Services

#: A video whose captions the stand-in for YouTube has.
VIDEO: Final = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"
_SHEETS: Final = "/sheets/v4/spreadsheets/"


#: What any page of the web says here.
_PAGE: Final = b"""<html><head><title>A page</title></head><body><article><h1>A page</h1>
<p>This page says a few things, so that there is something to read, and to sum up.</p>
<p>It says them at some length: nobody takes a page of one sentence for an article.</p>
</article></body></html>"""
_FEED: Final = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>
<link>https://example.com</link><description>All of it</description>
<item><title>One</title><link>https://example.com/1</link><description>It was</description>
<pubDate>Thu, 01 Jan 2026 00:00:00 GMT</pubDate><author>Ada</author></item></channel></rss>"""


def page_for(request: Request) -> Reply:
    """Answer any request to the web that is for no service."""
    if request.method != "GET":
        return Reply.json({"ok": True, "path": request.path})
    if re.search("rss|feed|atom", request.path):
        return Reply(headers={"content-type": "application/rss+xml"}, body=_FEED)
    return Reply(headers={"content-type": "text/html; charset=utf-8"}, body=_PAGE)


class WillingServices(Services):
    """Services that know whatever they are asked about."""

    def answer(self, asked: Call) -> Said:
        if asked.provider == "wikipedia":
            asked = replace(asked, path=asked.path.rpartition("/")[0] + "/Ada Lovelace")
        if asked.provider == "youtube" and asked.path.endswith("/player"):
            wanted = {**asked.json(), "videoId": VIDEO[-11:]}
            asked = replace(asked, body=json.dumps(wanted).encode())
        if asked.provider == "openweathermap":
            asked = replace(asked, query={**asked.query, "q": ["Oslo"]})
        if asked.provider == "reddit":
            asked = replace(asked, path=re.sub("^/r/[^/]+", "/r/cats", asked.path))
        if asked.provider == "google" and asked.path.startswith(_SHEETS):
            _, slash, place = asked.path.removeprefix(_SHEETS).partition("/")
            asked = replace(asked, path=f"{_SHEETS}other{slash}{place}")
        return super().answer(asked)


class HereWeb:
    """The guarded web client; whatever host is named, a stand-in is who answers."""

    def __init__(self, web: GuardedWebClient, services: str, pages: str) -> None:
        self._web = web
        self._services = services
        self._origin = pages

    async def send(self, method: str, url: str, **given: Any) -> WebResponse:
        if url.startswith(f"{self._services}/"):
            return await self._web.send(method, url, **given)
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        given["trusted_origins"] = (self._origin,)
        return await self._web.send(
            method, f"{self._origin}/{parts.netloc}{parts.path}{query}", **given
        )

    @asynccontextmanager
    async def download(
        self, url: str, *, limits: WebLimits | None = None
    ) -> AsyncIterator[WebDownload]:
        parts = urlsplit(url)
        place = f"{self._origin}/{parts.netloc}{parts.path}"
        async with self._web.download(place, limits=limits) as answer:
            yield answer

    async def aclose(self) -> None:
        """The client is closed by whoever made it."""
