"""Notion: its blocks as Markdown, and Markdown as its blocks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from backend.blocks.notion.service import text_parts, words_of

_MARKS: Final = (("code", "`"), ("bold", "**"), ("italic", "_"), ("strikethrough", "~~"))
#: How a line begins, and what it then is.
_LINES: Final = (
    (re.compile(r"### +(.*)"), "heading_3"),
    (re.compile(r"## +(.*)"), "heading_2"),
    (re.compile(r"# +(.*)"), "heading_1"),
    (re.compile(r"[-*+] +\[([ xX])\] +(.*)"), "to_do"),
    (re.compile(r"[-*+] +(.*)"), "bulleted_list_item"),
    (re.compile(r"\d{1,4}[.)] +(.*)"), "numbered_list_item"),
    (re.compile(r"> ?(.*)"), "quote"),
)
_RULE: Final = re.compile(r"(-{3,}|\*{3,}|_{3,})")
_BEGINS: Final = {
    "heading_1": "# ",
    "heading_2": "## ",
    "heading_3": "### ",
    "bulleted_list_item": "- ",
    "numbered_list_item": "1. ",
    "quote": "> ",
    "callout": "> ",
    "toggle": "- ",
}
_LISTS: Final = frozenset({"bulleted_list_item", "numbered_list_item", "to_do", "toggle"})


def markdown_of(blocks: Sequence[Mapping[str, Any]], depth: int = 0) -> str:
    """
    Return *blocks* as Markdown.

    Args:
        blocks: As the service has them; those with others inside have them as ``children``.
    """
    lines: list[str] = []
    last = ""
    for block in blocks:
        kind = str(block.get("type"))
        if lines and not (kind in _LISTS and last in _LISTS):
            lines.append("")
        text = _block(kind, block.get(kind) or {})
        indent = "    " * depth
        lines += [indent + line if line else "" for line in text.split("\n")]
        if block.get("children"):
            inside = depth + 1 if kind in _LISTS else depth
            lines += [*([] if kind in _LISTS else [""]), markdown_of(block["children"], inside)]
        last = kind
    return "\n".join(lines)


def _block(kind: str, facts: Mapping[str, Any]) -> str:
    text = "".join(map(_marked, facts.get("rich_text") or []))
    match kind:
        case "code":
            return f"```{facts.get('language') or ''}\n{words_of(facts.get('rich_text'))}\n```"
        case "to_do":
            return f"- [{'x' if facts.get('checked') else ' '}] {text}"
        case "divider":
            return "---"
        case "child_page" | "child_database":
            return f"**{facts.get('title') or ''}**"
        case "equation":
            return f"$${facts.get('expression') or ''}$$"
        case "table_row":
            cells = ["".join(map(_marked, cell)) for cell in facts.get("cells") or []]
            return f"| {' | '.join(cells)} |"
        case "image" | "file" | "pdf" | "video" | "audio" | "bookmark" | "embed":
            return _link(kind, facts)
    return _BEGINS.get(kind, "") + text


def _link(kind: str, facts: Mapping[str, Any]) -> str:
    place = facts.get(str(facts.get("type"))) or facts
    url = str(place.get("url") or "") if isinstance(place, Mapping) else ""
    words = words_of(facts.get("caption")) or kind
    return f"{'!' if kind == 'image' else ''}[{words}]({url})"


def _marked(part: Mapping[str, Any]) -> str:
    text = str(part.get("plain_text") or "")
    looks = part.get("annotations") or {}
    for look, mark in _MARKS:
        if looks.get(look) and text.strip():
            text = f"{mark}{text}{mark}"
    return f"[{text}]({part['href']})" if part.get("href") else text


def blocks_of(markdown: str) -> list[dict[str, Any]]:
    """Return *markdown* as blocks, line by line; what stands within a line stays as it is written."""
    return list(_blocks(markdown))


def _blocks(markdown: str) -> Iterator[dict[str, Any]]:
    paragraph: list[str] = []
    code: list[str] | None = None
    for line in [*markdown.splitlines(), ""]:
        bare = line.strip()
        if bare.startswith("```"):
            if code is None:
                yield from _paragraph(paragraph)
                code = [bare[3:].strip()]
            else:
                yield _code(code)
                code = None
        elif code is not None:
            code.append(line)
        elif (block := _line(bare)) is not None or not bare:
            yield from _paragraph(paragraph)
            if block is not None:
                yield block
        else:
            paragraph.append(bare)
    if code is not None:
        yield _code(code)


def _paragraph(lines: list[str]) -> Iterator[dict[str, Any]]:
    if lines:
        yield _of("paragraph", {"rich_text": text_parts("\n".join(lines))})
        lines.clear()


def _code(lines: Sequence[str]) -> dict[str, Any]:
    text = text_parts("\n".join(lines[1:]))
    return _of("code", {"rich_text": text, "language": lines[0] or "plain text"})


def _line(line: str) -> dict[str, Any] | None:
    """Return the block that *line* is by itself; None: it is a part of a paragraph."""
    if _RULE.fullmatch(line):
        return _of("divider", {})
    for pattern, kind in _LINES:
        if match := pattern.fullmatch(line):
            facts: dict[str, Any] = {"rich_text": text_parts(match[match.lastindex or 1])}
            if kind == "to_do":
                facts["checked"] = match[1] != " "
            return _of(kind, facts)
    return None


def _of(kind: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {"object": "block", "type": kind, kind: facts}
