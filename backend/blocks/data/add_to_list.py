"""AddToList: a longer list."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

#: The pin named `list` hides the type of this name inside the class.
Items: TypeAlias = list[Any]
_new = list


class AddToListBlock(Block):
    """Makes a list with one or more entries added, at its end or at a position."""

    id = "aeb08fc1-2fc1-4141-bc8e-f758f183a822"
    categories = (Category.BASIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"list": [1], "entry": 2, "entries": [3]},
            outputs=[("updated_list", [1, 3, 2])],
        ),
        Example(inputs={"list": ["b"], "entry": "a", "position": 0},
                outputs=[("updated_list", ["a", "b"])]),
        Example(inputs={"entry": 0}, outputs=[("updated_list", [0])]),
        Example(inputs={"list": ["a"], "entry": ""}, outputs=[("updated_list", ["a", ""])]),
        Example(inputs={"list": "a"}, outputs=[("updated_list", ["a"])]),
    )  # fmt: skip

    @pins
    class Input:
        """Input pins."""

        list: Items = pin(default_factory=_new, advanced=False, description="The list.")
        entry: Any = pin(default=None, advanced=False, description="One entry to add.")
        entries: Items = pin(default_factory=_new, description="More entries, added before it.")
        position: int | None = pin(
            default=None, description="Where to put them, from 0; negative from the end."
        )

    @pins
    class Output:
        """Output pins."""

        updated_list: Items = pin(description="The new list.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Items]]:
        """Yield a new list; 0, "" and false are entries like all others."""
        added = [*inputs.entries] if inputs.entry is None else [*inputs.entries, inputs.entry]
        place = len(inputs.list) if inputs.position is None else inputs.position
        yield "updated_list", [*inputs.list[:place], *added, *inputs.list[place:]]
