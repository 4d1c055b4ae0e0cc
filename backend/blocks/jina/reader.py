"""The local reader: a page of the web as Markdown, made on this machine. Runs in a worker process."""

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from backend.sdk import TooLarge

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

#: Of a page, and of its text: converting takes seconds for so much.
#: Of what a selector finds.
MAX_PARTS: Final = 1_000
MAX_NODES: Final = 100_000
#: Reading a page takes time by the square of its depth: three minutes for 100,000.
MAX_DEPTH: Final = 1_000
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]{0,30})")
#: These are never inside their own kind, closed or not.
_FLAT_TAGS: Final = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "dd",
        "dt",
        "embed",
        "hr",
        "img",
        "input",
        "li",
        "link",
        "meta",
        "option",
        "p",
        "param",
        "path",
        "rect",
        "source",
        "td",
        "th",
        "tr",
        "track",
        "wbr",
    ]
)
#: What lies deeper becomes plain text: the converter walks down by recursion.
_FLAT_DEPTH: Final = 100
#: A part that calls itself the main one is believed if it says so much.
_ENOUGH_CHARS: Final = 200
_NOISE: Final = (
    "script", "style", "noscript", "template", "iframe", "frame", "object", "embed", "applet",
    "svg", "canvas", "nav", "dialog", "button", "input", "select", "textarea", "audio", "video",
    "[hidden]", "[aria-hidden=true]", "[role=navigation]", "[role=banner]", "[role=contentinfo]",
    "[role=search]", "[role=dialog]",
)  # fmt: skip
#: Around the text, unless it is inside of what the page itself calls an article.
_FRAME: Final = ("body > header", "body > footer", "aside")
_MAIN: Final = ("main", "[role=main]", "article")


def page_of(html: str, url: str) -> dict[str, str]:
    """
    Return the ``title`` of a page, and its text as ``markdown``.

    What is no text for readers goes: scripts, frames, navigation. Addresses of links and images
    become absolute.

    Args:
        url: Where the page is.

    Raises:
        TooLarge: If it has more than `MAX_NODES` nodes, or more than `MAX_DEPTH` inside each other.
    """
    from markdownify import MarkdownConverter  # noqa: PLC0415 - heavy
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - heavy

    if _unclosed(html) > MAX_DEPTH:
        raise TooLarge(f"the page has more than {MAX_DEPTH} nodes inside each other")
    tree = LexborHTMLParser(html)
    if tree.root is not None:
        _deep_nodes(tree.root)
    title = tree.css_first("title")
    heading = " ".join(title.text().split()) if title is not None else ""
    tree.strip_tags(list(_NOISE[: _NOISE.index("[hidden]")]))
    for selector in (*_NOISE[_NOISE.index("[hidden]") :], *_FRAME):
        for node in tree.css(selector):
            node.decompose()
    root = _main(tree)
    if root is None:
        return {"title": heading, "markdown": ""}
    for node in _deep_nodes(root):
        node.replace_with(node.text(separator=" "))
    _make_absolute(root, _base(tree, url))
    converter = MarkdownConverter(heading_style="atx", bullets="-", strip=["picture"])
    lines = (line.rstrip() for line in str(converter.convert(root.html or "")).splitlines())
    return {"title": heading, "markdown": _few_empty(lines)}


def part_of(html: str, selector: str) -> str | None:
    """
    Return what *selector*, one of CSS, finds in a page, as HTML; None if that is nothing.

    Raises:
        ValueError: If it is no selector.
        TooLarge: As `page_of`.
    """
    from selectolax.lexbor import (  # noqa: PLC0415 - heavy
        LexborHTMLParser,
        SelectolaxError,
    )

    if _unclosed(html) > MAX_DEPTH:
        raise TooLarge(f"the page has more than {MAX_DEPTH} nodes inside each other")
    tree = LexborHTMLParser(html)
    if tree.root is not None:
        _deep_nodes(tree.root)
    try:
        found = tree.css(selector)
    except SelectolaxError as exc:
        raise ValueError(f"{selector[:60]!r} is no CSS selector") from exc
    parts = [node.html or "" for node in found[:MAX_PARTS]]
    return "".join(f"<div>{part}</div>" for part in parts) if parts else None


def _unclosed(html: str) -> int:
    """Return about how deep *html* is, without parsing it: tags that are opened and not closed."""
    open_tags: Counter[str] = Counter()
    deepest = 0
    for match in _TAG.finditer(html):
        name = match[2].lower()
        if name in _FLAT_TAGS:
            continue
        open_tags[name] += -1 if match[1] else 1
        deepest = max(deepest, open_tags[name])
    return deepest


def _main(tree: "LexborHTMLParser") -> "LexborNode | None":
    for selector in _MAIN:
        found = tree.css(selector)
        if len(found) == 1 and len(found[0].text()) >= _ENOUGH_CHARS:
            return found[0]
    return tree.body


def _deep_nodes(root: "LexborNode") -> "list[LexborNode]":
    """Return the elements at `_FLAT_DEPTH` below *root*. Raises TooLarge for too many nodes."""
    found: list[LexborNode] = []
    count, depth, node = 0, 0, root
    while True:
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise TooLarge(
                f"the page has more than {MAX_NODES} nodes, or {MAX_DEPTH} inside each other"
            )
        if depth == _FLAT_DEPTH and node.is_element_node:
            found.append(node)
        below = node.first_child
        if below is not None:
            node, depth = below, depth + 1
            continue
        while depth and node.next is None:
            above = node.parent
            assert above is not None
            node, depth = above, depth - 1
        beside = node.next
        if not depth or beside is None:
            return found
        node = beside


def _base(tree: "LexborHTMLParser", url: str) -> str:
    """Return what relative addresses of the page begin at."""
    base = tree.css_first("base[href]")
    return _joined(url, base.attributes.get("href") or "") if base is not None else url


def _make_absolute(root: "LexborNode", base: str) -> None:
    for selector, name in (("a[href]", "href"), ("img[src]", "src")):
        for node in root.css(selector):
            address = _joined(base, node.attributes.get(name) or "")
            if address:
                attributes: Any = node.attrs
                attributes[name] = address
            elif name == "href":
                node.unwrap()
            else:
                node.decompose()


def _joined(base: str, address: str) -> str:
    """Return *address* seen from *base*; empty if it leads to no page."""
    try:
        joined = urljoin(base, address.strip())
        return joined if urlsplit(joined).scheme in ("http", "https", "mailto") else ""
    except ValueError:
        return ""


def _few_empty(lines: Any) -> str:
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip()
