"""ExtractWebsiteContent: a page of the web as text for a model."""

import re
from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.jina.reader import page_of
from backend.blocks.jina.service import MINE, READER
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    WebClientError,
    WebFailed,
    WebLimits,
    WebResponse,
    WebServerError,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import path_of

_PAGE: Final = WebLimits(timeout_s=30.0, max_bytes=4 * 1024 * 1024)
_HTML: Final = ("text/html", "application/xhtml+xml", "")
_TEXTS: Final = ("application/json", "application/xml", "application/javascript")
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})")
_LOOKED_THROUGH: Final = 4096  #: bytes in which a page may say its charset
_READ: Final = (
    "Title: A page\n\nURL Source: https://example.com/page\n\nMarkdown Content:\n"
    "# Hello\n\nRead [more](https://example.com/more)."
)


class ExtractWebsiteContentBlock(Block):
    """
    Reads a page of the web as Markdown.

    With a key it is Jina's reader that reads, so that pages made by scripts are read too. Without
    one this server fetches the page and converts it. `raw_content` gives the page as it is.
    """

    id = "436c3984-57fd-4b85-8e9a-459b356883bd"
    categories = (Category.SEARCH,)
    effect = Effect.READ
    retries = 2
    keyless = True
    #: A page may be made so that reading it takes long: its worker process is ended then.
    time_limit_s = 120.0
    examples = (
        Example(
            inputs={"url": "https://example.com/page", "credentials": MINE},
            outputs=[
                (
                    "content",
                    (
                        "Title: Example\n\nURL Source: https://example.com/page\n\n"
                        "Markdown Content:\n# Hello"
                    ),
                )
            ],
        ),
        Example(inputs={"url": "https://example.com/page"}, outputs=[("content", _READ)]),
        Example(
            inputs={"url": "https://example.com/robots.txt", "raw_content": True},
            outputs=[("content", "User-agent: *\n")],
        ),
        Example(inputs={"url": "https://example.com/missing"}, error="answers with status 404"),
        Example(inputs={"url": "https://example.com/picture.png"}, error="holds no text"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["jina"],
            [CredentialsKind.KEY],
            description="A key of Jina; without one it is read here.",
        )
        url: str = pin(description="The address of the page.")
        raw_content: bool = pin(default=False, description="Give the page as it is.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        content: str = pin(description="What the page says.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield the page."""
        url = inputs.url.strip()
        if "://" not in url:
            url = f"https://{url}"
        if inputs.raw_content:
            yield "content", _text(await _fetched(url, context))
        elif inputs.credentials:
            calls = READER.calls(context, inputs.credentials)
            answer = await calls.send("GET", path_of(url), headers={"Accept": "text/plain"})
            yield "content", answer.text()
        else:
            yield "content", await _read_here(url, context)


async def _read_here(url: str, context: BlockContext) -> str:
    answer = await _fetched(url, context)
    if _media_type(answer) not in _HTML:
        return _text(answer)
    page = await context.to_process(page_of, _text(answer), answer.url)
    return (
        f"Title: {page['title']}\n\nURL Source: {answer.url}\n\n"
        f"Markdown Content:\n{page['markdown']}"
    )


async def _fetched(url: str, context: BlockContext) -> WebResponse:
    """Return the page at *url*, which holds text."""
    answer = await context.guarded_web().send(
        "GET", url, headers={"Accept": "text/html, text/*;q=0.9, */*;q=0.5"}, limits=_PAGE
    )
    said = f"{answer.url_origin} answers with status {answer.status}"
    if answer.status >= 500:  # noqa: PLR2004 - the border of HTTP
        raise WebServerError(said, status=answer.status)
    if answer.status >= 400:  # noqa: PLR2004 - the border of HTTP
        raise WebClientError(said, status=answer.status)
    media_type = _media_type(answer)
    is_text = media_type.startswith("text/") or media_type.endswith(("+xml", "+json"))
    if not (is_text or media_type in (*_HTML, *_TEXTS)):
        raise WebFailed(f"{url} holds no text but {media_type}")
    return answer


def _media_type(answer: WebResponse) -> str:
    return (answer.header("content-type") or "").partition(";")[0].strip().lower()


def _text(answer: WebResponse) -> str:
    """Return the text of *answer*, which may name its charset inside itself."""
    inside = _CHARSET.search(answer.content[:_LOOKED_THROUGH])
    if inside is None or "charset=" in (answer.header("content-type") or "").lower():
        return answer.text()
    try:
        return answer.content.decode(inside[1].decode("ascii"), "replace")
    except (LookupError, ValueError):
        return answer.text()
