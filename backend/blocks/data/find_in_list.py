"""FindInList, GetListItem, ListIsEmpty: what is in a list, and where."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from backend.blocks.data.places import first_place_of, place_of
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

#: The pin named `list` hides the type of this name inside the class.
Items: TypeAlias = list[Any]


class FindInListBlock(Block):
    """Looks for a value in a list and says where it lies first."""

    id = "5e2c6d0a-1e37-489f-b1d0-8e1812b23333"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"list": ["a", "b", "b"], "value": "b"},
            outputs=[("index", 1), ("found", True)],
        ),
        Example(
            inputs={"list": ["a"], "value": "z"},
            outputs=[("found", False), ("not_found_value", "z")],
        ),
        Example(inputs={"list": [True, 1], "value": 1}, outputs=[("index", 1), ("found", True)]),
        Example(inputs={"list": ["a"]}, error="value"),
    )

    @pins
    class Input:
        """Input pins."""

        list: Items = pin(description="The list.")
        value: Any = pin(description="What to look for.")

    @pins
    class Output:
        """Output pins."""

        index: int = pin(description="Where it lies, from 0; only if it is there.")
        found: bool = pin(description="Whether it is there.")
        not_found_value: Any = pin(description="The value; only if it is not there.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the index and true, or false and the value."""
        place = first_place_of(inputs.list, inputs.value)
        if place is None:
            yield "found", False
            yield "not_found_value", inputs.value
        else:
            yield "index", place
            yield "found", True


class GetListItemBlock(Block):
    """Hands on the element at an index of a list; negative ones count from the end."""

    id = "262ca24c-1025-43cf-a578-534e23234e97"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"list": ["a", "b"], "index": 1}, outputs=[("item", "b")]),
        Example(inputs={"list": ["a", 0], "index": "-1"}, outputs=[("item", 0)]),
        Example(inputs={"list": ["a", "b"], "index": 2}, error="Index out of range"),
        Example(inputs={"list": [], "index": -1}, error="Index out of range"),
    )

    @pins
    class Input:
        """Input pins."""

        list: Items = pin(description="The list.")
        index: int = pin(description="The index, from 0; negative from the end.")

    @pins
    class Output:
        """Output pins."""

        item: Any = pin(description="The element.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the element."""
        yield "item", inputs.list[place_of(inputs.list, inputs.index)]


class ListIsEmptyBlock(Block):
    """Says whether a list has no elements."""

    id = "896ed73b-27d0-41be-813c-c1c1dc856c03"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"list": []}, outputs=[("is_empty", True)]),
        Example(inputs={"list": [None]}, outputs=[("is_empty", False)]),
    )

    @pins
    class Input:
        """Input pins."""

        list: Items = pin(description="The list.")

    @pins
    class Output:
        """Output pins."""

        is_empty: bool = pin(description="Whether it is empty.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, bool]]:
        """Yield the answer."""
        yield "is_empty", not inputs.list
