"""Plays Firecrawl and ScreenshotOne."""

from typing import Any

from backend.testing.standin.messages import KEY, Asked, Reply


class Firecrawl:
    """Reads any page; a crawl finds two, of which the second comes in a part of its own."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as its second API does."""
        if not asked.has_bearer:
            return _refused(401, "Unauthorized: Invalid token")
        if asked.method == "GET":
            return self._job(asked.path, asked.one("skip"))
        told = asked.json()
        place = told.get("url") or told.get("query") or told.get("urls")
        if not place:
            thing = "query" if asked.path == "/v2/search" else "URL"
            return _refused(400, f"Invalid {thing}")
        match asked.path:
            case "/v2/scrape":
                return _done(data=_page(told["url"], told["formats"]))
            case "/v2/map":
                return _done(links=[{"url": "https://example.com/a", "title": "A"}])
            case "/v2/search":
                return _done(data={"web": [{"url": "https://example.com/a", "title": place}]})
            case "/v2/crawl":
                return _done(id="broken" if place.endswith("broken") else "crawl-1")
            case _:
                return _done(id=told.get("prompt") or "values")

    def _job(self, path: str, skip: str) -> Reply:
        _, _, kind, name = path.split("/")
        if kind == "extract":
            return _done(status="completed", data={"answer": name})
        if name == "broken":
            return _done(status="failed", error="the site is away")
        if skip:
            return _done(status="completed", data=[{"markdown": "# 2"}])
        more = "https://api.firecrawl.dev/v2/crawl/crawl-1?skip=1"
        return _done(status="completed", data=[{"markdown": "# 1"}], next=more)


def _page(url: str, formats: list[Any]) -> dict[str, Any]:
    known = {"markdown": f"# Page of {url}", "rawHtml": f"<h1>Page of {url}</h1>"}
    return {name: text for name, text in known.items() if name in formats}


def _done(**values: Any) -> Reply:
    return Reply(value={"success": True, **values})


def _refused(status: int, words: str) -> Reply:
    return Reply(status=status, value={"success": False, "error": words})


class ScreenshotOne:
    """Takes the smallest picture of any page but one."""

    def answer(self, asked: Asked) -> Reply:
        """Answer as /take does."""
        if asked.one("access_key") != KEY:
            return _screenshot_refused("access_key_invalid", "The access key is invalid")
        if asked.one("url").endswith("/none"):
            return _screenshot_refused("host_returned_error", "The host does not resolve")
        return Reply(body=b"\x89PNG\r\n\x1a\n", media_type=f"image/{asked.one('format')}")


def _screenshot_refused(code: str, words: str) -> Reply:
    return Reply(
        status=400, value={"is_successful": False, "error_code": code, "error_message": words}
    )
