"""RemoveFromDictionary, ReplaceDictionaryValue, DictionaryIsEmpty."""

from collections.abc import Iterator, Mapping
from typing import Any

from backend.sdk import (
    SMALL_INPUTS,
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    Place,
    pin,
    pins,
)


def _name_in(dictionary: Mapping[str, Any], key: str | int) -> str:
    """Return *key* as it stands in *dictionary*: the keys of JSON are texts, so 1 means "1"."""
    name = str(key)
    if name not in dictionary:
        raise ValueError(f"Key '{name}' not found in dictionary")
    return name


class RemoveFromDictionaryBlock(Block):
    """Makes a dictionary without one of its entries."""

    id = "46afe2ea-c613-43f8-95ff-6692c3ef6876"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"dictionary": {"a": 1, "b": None}, "key": "b", "return_value": True},
            outputs=[("updated_dictionary", {"a": 1}), ("removed_value", None)],
        ),
        Example(
            inputs={"dictionary": {"1": "one", "2": "two"}, "key": 1},
            outputs=[("updated_dictionary", {"2": "two"})],
        ),
        Example(inputs={"dictionary": {}, "key": "a"}, error="Key 'a' not found in dictionary"),
    )

    @pins
    class Input:
        """Input pins."""

        dictionary: dict[str, Any] = pin(description="The dictionary.")
        key: str | int = pin(description="The key to remove.")
        return_value: bool = pin(default=False, description="Hand on what was removed, too.")

    @pins
    class Output:
        """Output pins."""

        updated_dictionary: dict[str, Any] = pin(description="The new dictionary.")
        removed_value: Any = pin(description="What was removed, if wanted.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield a new dictionary."""
        name = _name_in(inputs.dictionary, inputs.key)
        yield "updated_dictionary", {k: v for k, v in inputs.dictionary.items() if k != name}
        if inputs.return_value:
            yield "removed_value", inputs.dictionary[name]


class ReplaceDictionaryValueBlock(Block):
    """Makes a dictionary with another value under one of its keys."""

    id = "27e31876-18b6-44f3-ab97-f6226d8b3889"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"dictionary": {"a": 1, "b": 2}, "key": "a", "value": 0},
            outputs=[("updated_dictionary", {"a": 0, "b": 2}), ("old_value", 1)],
        ),
        Example(
            inputs={"dictionary": {"7": "x"}, "key": 7, "value": "y"},
            outputs=[("updated_dictionary", {"7": "y"}), ("old_value", "x")],
        ),
        Example(
            inputs={"dictionary": {"a": 1}, "key": "b", "value": 2},
            error="Key 'b' not found in dictionary",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        dictionary: dict[str, Any] = pin(description="The dictionary.")
        key: str | int = pin(description="The key, which must be there.")
        value: Any = pin(description="The new value.")

    @pins
    class Output:
        """Output pins."""

        updated_dictionary: dict[str, Any] = pin(description="The new dictionary.")
        old_value: Any = pin(description="What was there before.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield a new dictionary, then the value that is no longer in it."""
        name = _name_in(inputs.dictionary, inputs.key)
        yield "updated_dictionary", {**inputs.dictionary, name: inputs.value}
        yield "old_value", inputs.dictionary[name]


class DictionaryIsEmptyBlock(Block):
    """Says whether a dictionary has no entries."""

    id = "a3cf3f64-6bb9-4cc6-9900-608a0b3359b0"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"dictionary": {}}, outputs=[("is_empty", True)]),
        Example(inputs={"dictionary": {"": None}}, outputs=[("is_empty", False)]),
    )

    @pins
    class Input:
        """Input pins."""

        dictionary: dict[str, Any] = pin(description="The dictionary.")

    @pins
    class Output:
        """Output pins."""

        is_empty: bool = pin(description="Whether it is empty.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, bool]]:
        """Yield the answer."""
        yield "is_empty", not inputs.dictionary
