"""What a page says, and what has changed in it; worked out in a worker process."""

import difflib
from typing import Final

from backend.blocks.jina.reader import page_of, part_of

_MAX_LINES: Final = 2_000
_MAX_CHARS: Final = 50_000


def text_of(html: str, url: str, selector: str) -> str | None:
    """
    Return the text of a page, or of what *selector* finds in it; None if it finds nothing.

    Raises:
        ValueError: If *selector* is none.
        TooLarge: If the page has too many nodes.
    """
    part = part_of(html, selector) if selector else html
    return None if part is None else page_of(part, url)["markdown"]


def difference(before: str, after: str) -> str:
    """Return the lines that went (-) and that came (+), cut where there are very many."""
    old, new = before.splitlines()[:_MAX_LINES], after.splitlines()[:_MAX_LINES]
    lines = difflib.unified_diff(old, new, lineterm="", n=0)
    changed = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return "\n".join(changed)[:_MAX_CHARS]
