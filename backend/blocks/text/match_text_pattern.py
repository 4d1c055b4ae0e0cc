"""MatchTextPattern, ExtractTextInformation: regular expressions."""

from collections.abc import Iterator
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    Place,
    pin,
    pins,
    to_string,
)
from backend.sdk.patterns import PatternInvalid, find

MAX_TEXT_CHARS: Final = 1_000_000
MAX_MATCHES: Final = 1_000
MAX_MATCH_CHARS: Final = 10_000

_CASE: Final = "Tell capital letters from small ones."
_DOT: Final = "The dot stands for the end of a line, too."


class MatchTextPatternBlock(Block):
    """Hands on a value by one of two ways: does a regular expression fit a text, or not."""

    id = "3060088f-6ed9-4928-9ba7-9c92823a7ccd"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    place = Place.THREAD  # also for little: a few characters can keep an expression busy
    examples = (
        Example(
            inputs={"text": "Order 66", "match": r"\d+", "data": "go"},
            outputs=[("positive", "go")],
        ),
        Example(
            inputs={"text": "TRUE", "match": "true", "data": 0, "case_sensitive": False},
            outputs=[("positive", 0)],
        ),
        Example(
            inputs={"text": {"a": 1}, "match": '"a": 2', "data": {"x": 1}},
            outputs=[("negative", {"x": 1})],
        ),
        Example(inputs={"text": "a", "match": "(", "data": 1}, error="no regular expression"),
        Example(inputs={"text": "a", "match": "(?:b{999}){999}", "data": 1}, error="repeat"),
    )

    @pins
    class Input:
        """Input pins."""

        text: Any = pin(description="The text; of other values, their JSON text.")
        match: str = pin(description="The regular expression.")
        data: Any = pin(description="The value to hand on.")
        case_sensitive: bool = pin(default=True, description=_CASE)
        dot_all: bool = pin(default=True, description=_DOT)

    @pins
    class Output:
        """Output pins."""

        positive: Any = pin(description="The value, if the expression fits anywhere in the text.")
        negative: Any = pin(description="The value, if it does not.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the value, whatever it is, on the pin of the way taken."""
        found = find(
            inputs.match,
            to_string(inputs.text),
            case_sensitive=inputs.case_sensitive,
            dot_all=inputs.dot_all,
        )
        yield "positive" if found else "negative", inputs.data


class ExtractTextInformationBlock(Block):
    """
    Takes out of a text what a regular expression fits.

    Looks at the first million characters, finds at most 1,000 matches, and of each hands on at
    most 10,000 characters.
    """

    id = "3146e4fe-2cdd-4f29-bd12-0c9d5bb4deb0"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    place = Place.THREAD
    examples = (
        Example(
            inputs={"text": "<b>one</b><b>two</b>", "pattern": "<b>(.*?)</b>", "group": 1},
            outputs=[("positive", "one"), ("matched_results", ["one"]), ("matched_count", 1)],
        ),
        Example(
            inputs={"text": "a1b22", "pattern": r"\d+", "find_all": True},
            outputs=[
                ("positive", "1"),
                ("positive", "22"),
                ("matched_results", ["1", "22"]),
                ("matched_count", 2),
            ],
        ),
        Example(
            inputs={"text": {"name": "Zoë"}, "pattern": r'(?<=": ")[^"]+'},
            outputs=[("positive", "Zoë"), ("matched_results", ["Zoë"]), ("matched_count", 1)],
        ),
        Example(
            inputs={"text": "abc", "pattern": "b", "group": 2},
            outputs=[("negative", "abc"), ("matched_results", []), ("matched_count", 0)],
        ),
        Example(inputs={"text": "a", "pattern": "(?:a|bc){1000000}"}, error="repeat"),
    )

    @pins
    class Input:
        """Input pins."""

        text: Any = pin(description="The text; of other values, their JSON text.")
        pattern: str = pin(description="The regular expression.")
        group: int = pin(default=0, description="The group that is wanted; 0 is the whole match.")
        case_sensitive: bool = pin(default=True, description=_CASE)
        dot_all: bool = pin(default=True, description=_DOT)
        find_all: bool = pin(default=False, description="Find all matches, not just the first.")

    @pins
    class Output:
        """Output pins."""

        positive: str = pin(description="One match; one after the other if there are several.")
        negative: str = pin(description="The text, if nothing matches.")
        matched_results: list[str] = pin(description="All matches.")
        matched_count: int = pin(description="How many there are.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the matches one by one, then all of them, then their number."""
        text = to_string(inputs.text)
        found = _matches(inputs, text[:MAX_TEXT_CHARS])
        for match in found:
            yield "positive", match
        if not found:
            yield "negative", text
        yield "matched_results", found
        yield "matched_count", len(found)


def _matches(inputs: ExtractTextInformationBlock.Input, text: str) -> list[str]:
    """Return the matches; none of a malformed expression, or where the group took no part."""
    try:
        found = find(
            inputs.pattern,
            text,
            most=MAX_MATCHES if inputs.find_all else 1,
            group=inputs.group,
            case_sensitive=inputs.case_sensitive,
            dot_all=inputs.dot_all,
        )
    except PatternInvalid:
        return []
    return [match[:MAX_MATCH_CHARS] for match in found if match is not None]
