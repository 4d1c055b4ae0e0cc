"""CreateList: gathers values in a list, or in several of a bounded size."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from backend.sdk import Block, BlockContext, Category, Effect, Example, json_text, pin, pins

#: The pin named `list` hides the type of this name inside the class.
Items: TypeAlias = list[Any]

#: Models cut text into pieces of about four bytes of UTF-8: four letters of English, rather fewer
#: characters of other scripts. The true count is the model's own affair.
_BYTES_PER_TOKEN: Final = 4


class CreateListBlock(Block):
    """
    Makes a list of the values that are linked to it; on demand several lists of a bounded size.

    Tokens are estimated: one for every four bytes of a value's text.
    """

    id = "a912d5c7-6e00-4542-b2a9-8034136930e4"
    categories = (Category.DATA,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"values": [1, "b"]}, outputs=[("list", [1, "b"])]),
        Example(inputs={"values": []}, outputs=[("list", [])]),
        Example(
            inputs={"values": [1, 2, 3], "max_size": 2},
            outputs=[("list", [1, 2]), ("list", [3])],
        ),
        Example(
            inputs={"values": ["eight by", "tea", "cup"], "max_tokens": 2},
            outputs=[("list", ["eight by"]), ("list", ["tea", "cup"])],
        ),
        Example(inputs={"values": [1], "max_size": -1}, error="max_size cannot be negative"),
    )

    @pins
    class Input:
        """Input pins."""

        values: Items = pin(description="The values.")
        max_size: int | None = pin(default=None, description="The most values in one list.")
        max_tokens: int | None = pin(
            default=None, description="The most tokens in one list, as estimated."
        )

    @pins
    class Output:
        """Output pins."""

        list: Items = pin(description="The list; one after the other if there are several.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Items]]:
        """Yield the lists. A value that is larger than the bound has a list of its own."""
        most, most_tokens = inputs.max_size or 0, inputs.max_tokens or 0
        if min(most, most_tokens) < 0:
            which = "max_size" if most < 0 else "max_tokens"
            raise ValueError(f"{which} cannot be negative")
        chunk: Items = []
        tokens = 0
        for value in inputs.values:
            added = _tokens(value) if most_tokens else 0
            full = (most and len(chunk) == most) or tokens + added > most_tokens > 0
            if chunk and full:
                yield "list", chunk
                chunk, tokens = [], 0
            chunk.append(value)
            tokens += added
        if chunk or not inputs.values:
            yield "list", chunk


def _tokens(value: Any) -> int:
    text = value if isinstance(value, str) else json_text(value)
    return max(1, -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN))
