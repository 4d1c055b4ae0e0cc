"""Texts of strangers, made fit to stand in a letter: bounded, and without signs that deceive (pure)."""

import re
from typing import Any, Final

#: What is neither a sign nor a space: controls, marks that turn the direction of a line, signs of
#: no width, halves of pairs.
_DECEIVING: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def one_line(text: str, *, most: int) -> str:
    """Return *text* in one line of at most *most* characters; what was cut ends with an ellipsis."""
    # A name of a megabyte is not searched to its end: a few times as much as is shown will do.
    line = " ".join(_DECEIVING.sub(" ", text[: 8 * most]).split())
    is_cut = len(line) > most or len(text) > 8 * most
    return line[: most - 1].rstrip() + "…" if is_cut else line


def lines(text: str, *, most: int) -> str:
    """Return *text* with its lines, at most *most* characters; what was cut ends with an ellipsis."""
    kept = _DECEIVING.sub("", text[:most].replace("\r\n", "\n").replace("\r", "\n"))
    return kept.rstrip() + ("…" if len(text) > most else "")


def without_deceit(text: str) -> str:
    """Return *text*, or a piece of one, as it is, but for the signs that deceive; lines end with one sign."""
    return _DECEIVING.sub("", text.replace("\r", ""))


def cleaned(value: Any, *, most: int, depth: int = 4, items: int = 50) -> Any:
    """
    Return *value*, JSON, with all its texts clean and all its parts bounded.

    Texts under a key that ends with ``name`` are in one line of at most 100 characters; others may
    have lines.
    """
    if isinstance(value, str):
        return lines(value, most=most)
    if isinstance(value, dict):
        if depth == 0:
            return {}
        return {
            one_line(str(key), most=100): one_line(item, most=100)
            if isinstance(item, str) and str(key).endswith("name")
            else cleaned(item, most=most, depth=depth - 1, items=items)
            for key, item in list(value.items())[:items]
        }
    if isinstance(value, list | tuple):
        rest = value[:items] if depth else ()
        return [cleaned(item, most=most, depth=depth - 1, items=items) for item in rest]
    return value
