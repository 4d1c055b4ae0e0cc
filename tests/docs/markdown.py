"""The documents, and what stands in their blocks."""

import re
from dataclasses import dataclass

from tests.house.source import texts

_BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block."""

    language: str
    text: str


def documents() -> dict[str, str]:
    """All Markdown files by name."""
    return {name: text for name, text in texts().items() if name.endswith(".md")}


def blocks(text: str) -> list[Block]:
    """Give the fenced blocks of a document in order."""
    return [Block(language=match[1], text=match[2]) for match in _BLOCK.finditer(text)]


def prose(text: str) -> str:
    """Give a document without its blocks."""
    return _BLOCK.sub("", text)
