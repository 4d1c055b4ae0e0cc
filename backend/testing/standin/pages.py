"""Plays pages of the web at example.com: an article, a feed, and what is none of these."""

from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Final

from backend.testing.blocks import MOMENT
from backend.testing.standin.messages import Asked, Reply, html, text

_PAGE: Final = """<!doctype html><html><head><title> A
 page </title><script>track()</script></head>
<body><nav><a href="/">Home</a></nav>
<h1>Hello</h1><p>Read <a href="more">more</a><a href="javascript:alert(1)">.</a></p>
<footer>Imprint</footer></body></html>"""


class Pages:
    """Answers for the host example.com."""

    def answer(self, asked: Asked) -> Reply:
        """Return the page."""
        match asked.path:
            case "/page":
                return html(_PAGE)
            case "/robots.txt":
                return text("User-agent: *\n")
            case "/picture.png":
                return Reply(body=b"\x89PNG", media_type="image/png")
            case "/feed.xml":
                return text(_feed(), media_type="application/rss+xml")
            case _:
                return html("<h1>Not here</h1>", status=404)


def _feed() -> str:
    new, old = MOMENT - timedelta(hours=1), MOMENT - timedelta(days=3)
    items = _item("New &amp; good", "new", new) + _item("Old", "old", old)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>News</title>'
        f"<link>https://example.com</link><description>All news</description>{items}"
        "</channel></rss>"
    )


def _item(title: str, name: str, at: datetime) -> str:
    return (
        f"<item><title>{title}</title><link>https://example.com/{name}</link>"
        f"<guid>{name}</guid><description>About {name}</description>"
        f"<author>ann@example.com</author><category>a</category><category>b</category>"
        f"<pubDate>{format_datetime(at)}</pubDate></item>"
    )
