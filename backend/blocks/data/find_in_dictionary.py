"""FindInDictionary: one value out of a dictionary, a list or their JSON text."""

from collections.abc import Iterator
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    NotJson,
    pin,
    pins,
    read_json,
)

_NOTHING: Final = object()

#: A text with more digits is a key, not an index.
_MOST_DIGITS: Final = 9


class FindInDictionaryBlock(Block):
    """Looks a key up in a dictionary, or an index in a list, and hands on what it finds."""

    id = "0e50422c-6dee-4145-83d6-3a5a392f65de"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"input": {"a": 0}, "key": "a"}, outputs=[("output", 0)]),
        Example(inputs={"input": '{"a": [1]}', "key": "a"}, outputs=[("output", [1])]),
        Example(inputs={"input": ["x", "y"], "key": 1}, outputs=[("output", "y")]),
        Example(inputs={"input": ["x", "y"], "key": "1"}, outputs=[("output", "y")]),
        Example(inputs={"input": {"1": "one"}, "key": 1}, outputs=[("output", "one")]),
        Example(inputs={"input": [{"a": 1}, {"b": 2}, {"a": 3}], "key": "a"},
                outputs=[("output", [1, 3])]),
        Example(inputs={"input": {"a": 1}, "key": "b"}, outputs=[("missing", {"a": 1})]),
        Example(inputs={"input": "plain words", "key": "a"}, outputs=[("missing", "plain words")]),
    )  # fmt: skip

    @pins
    class Input:
        """Input pins."""

        input: Any = pin(description="A dictionary, a list, or the JSON text of one.")
        key: str | int = pin(description="The key, or the index in a list.")

    @pins
    class Output:
        """Output pins."""

        output: Any = pin(description="What lies under the key.")
        missing: Any = pin(description="The input, if nothing lies there.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield what was found, or the whole input as missing."""
        searched = _parsed(inputs.input)
        found = _find(searched, inputs.key)
        if found is _NOTHING:
            yield "missing", searched
        else:
            yield "output", found


def _parsed(value: Any) -> Any:
    """Return what the text holds; a text that is no JSON is just a text."""
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except NotJson:
        return value


def _find(searched: Any, key: str | int) -> Any:
    if isinstance(searched, dict):
        # The keys of JSON are texts: 1 means "1".
        return searched.get(str(key), _NOTHING)
    if not isinstance(searched, list):
        return _NOTHING
    index = _index(key)
    if index is not None:
        return searched[index] if -len(searched) <= index < len(searched) else _NOTHING
    return [item[key] for item in searched if isinstance(item, dict) and key in item]


def _index(key: str | int) -> int | None:
    """Return *key* as an index; whole numbers come as texts out of many other blocks."""
    if isinstance(key, int):
        return key
    digits = key.strip().removeprefix("-")
    return (
        int(key) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None
    )
