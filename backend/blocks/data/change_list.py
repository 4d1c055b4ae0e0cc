"""RemoveFromList, ReplaceListItem: a list with one element less, or another one."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from backend.blocks.data.places import first_place_of, place_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

#: The pin named `list` hides the type of this name inside the class.
Items: TypeAlias = list[Any]


class RemoveFromListBlock(Block):
    """Makes a list without one element, which is chosen by its index or by its value."""

    id = "d93c5a93-ac7e-41c1-ae5c-ef67e6e9b826"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"list": ["a", "b", "a"], "value": "a"},
            outputs=[("updated_list", ["b", "a"])],
        ),
        Example(
            inputs={"list": ["a", "b"], "value": "a", "index": -1, "return_item": True},
            outputs=[("updated_list", ["a"]), ("removed_item", "b")],
        ),
        Example(inputs={"list": [0, False], "value": False}, outputs=[("updated_list", [0])]),
        Example(inputs={"list": ["a"], "value": "z"}, error="Index or value not found"),
        Example(inputs={"list": ["a"], "index": 1}, error="Index or value not found"),
        Example(inputs={"list": ["a"]}, error="Index or value not found"),
    )

    @pins
    class Input:
        """Input pins."""

        list: Items = pin(description="The list.")
        value: Any = pin(default=None, description="The value to remove, where it lies first.")
        index: int | None = pin(
            default=None, description="The index to remove instead; negative from the end."
        )
        return_item: bool = pin(default=False, description="Hand on what was removed, too.")

    @pins
    class Output:
        """Output pins."""

        updated_list: Items = pin(description="The new list.")
        removed_item: Any = pin(description="What was removed, if wanted.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield a new list; with both an index and a value, the index counts."""
        place = _place(inputs.list, inputs.index, inputs.value)
        yield "updated_list", [*inputs.list[:place], *inputs.list[place + 1 :]]
        if inputs.return_item:
            yield "removed_item", inputs.list[place]


def _place(items: Items, index: int | None, value: Any) -> int:
    place = index
    if index is None and value is not None:
        place = first_place_of(items, value)
    if place is None or not -len(items) <= place < len(items):
        raise ValueError("Index or value not found")
    return place % len(items)


class ReplaceListItemBlock(Block):
    """Makes a list with another element at an index."""

    id = "fbf62922-bea1-4a3d-8bac-23587f810b38"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"list": ["a", "b"], "index": -1, "value": 0},
            outputs=[("updated_list", ["a", 0]), ("old_item", "b")],
        ),
        Example(
            inputs={"list": ["a"], "index": 0, "value": ["b"]},
            outputs=[("updated_list", [["b"]]), ("old_item", "a")],
        ),
        Example(inputs={"list": ["a"], "index": 1, "value": "b"}, error="Index out of range"),
    )

    @pins
    class Input:
        """Input pins."""

        list: Items = pin(description="The list.")
        index: int = pin(description="The index, from 0; negative from the end.")
        value: Any = pin(description="The new element.")

    @pins
    class Output:
        """Output pins."""

        updated_list: Items = pin(description="The new list.")
        old_item: Any = pin(description="What was there before.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield a new list, then the element that is no longer in it."""
        place = place_of(inputs.list, inputs.index)
        yield "updated_list", [*inputs.list[:place], inputs.value, *inputs.list[place + 1 :]]
        yield "old_item", inputs.list[place]
