"""StepThroughItems: one output per element."""

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

MAX_ITEMS: Final = 10_000
MAX_TEXT_CHARS: Final = 1024 * 1024


class StepThroughItemsBlock(Block):
    """Hands on the elements of a list or dictionary one by one, each with its index or key."""

    id = "f66a3543-28d3-4ab5-8945-9b336371e2ce"
    categories = (Category.LOGIC,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"items": ["a", "b"]},
            outputs=[("item", "a"), ("key", 0), ("item", "b"), ("key", 1)],
        ),
        Example(
            inputs={"items_object": {"x": 1}, "items_str": "[null]"},
            outputs=[("item", 1), ("key", "x"), ("item", None), ("key", 0)],
        ),
        Example(inputs={}, outputs=[]),
        Example(inputs={"items_str": "[1,"}, error="not valid JSON"),
        Example(inputs={"items_str": "7"}, error="neither a list nor a dictionary"),
    )

    @pins
    class Input:
        """Input pins."""

        items: list[Any] = pin(
            default_factory=list, advanced=False, description="The elements, as a list."
        )
        items_object: dict[str, Any] = pin(
            default_factory=dict, advanced=False, description="The elements, as a dictionary."
        )
        items_str: str = pin(default="", advanced=False, description="The elements, as JSON text.")

    @pins
    class Output:
        """Output pins."""

        item: Any = pin(description="One element.")
        key: Any = pin(description="Its index or key.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield each element and its key, from all sources that have any, in their order."""
        for source in (inputs.items, inputs.items_object, _parsed(inputs.items_str)):
            if len(source) > MAX_ITEMS:
                raise ValueError(f"Too many items: {len(source)} > {MAX_ITEMS}")
            pairs = source.items() if isinstance(source, dict) else enumerate(source)
            for key, item in pairs:
                yield "item", item
                yield "key", key


def _parsed(text: str) -> list[Any] | dict[str, Any]:
    if not text:
        return []
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"Input too large: {len(text)} > {MAX_TEXT_CHARS} characters")
    try:
        parsed = read_json(text)
    except NotJson as exc:
        raise ValueError(f"items_str is {exc}") from exc
    if not isinstance(parsed, list | dict):
        raise ValueError("items_str is neither a list nor a dictionary")  # noqa: TRY004 - the values are people's
    return parsed
