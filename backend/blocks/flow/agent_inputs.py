"""The inputs of a run that say what kind of value they take: texts, numbers, dates, choices."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, BlockType, Category, Effect, Example, pin, pins

_TITLE = "Default Value"
_USED = "Used when the run gives no value."


@pins
class _Shared:
    """The pins that all of them have."""

    name: str = pin(description="The name under which the value is given.")
    value: Any = pin(default=None, description=_USED)
    title: str | None = pin(default=None, description="Shown instead of the name.")
    description: str | None = pin(default=None, description="Says what to enter.")
    placeholder_values: list[Any] = pin(
        default_factory=list, hidden=True, description="Values to choose from."
    )
    advanced: bool = pin(default=False, description="Folded away in the form.")
    secret: bool = pin(default=False, description="Not shown, and left out of exports.")


class _TypedInputBase(Block):
    """Takes a value of one kind into the graph when a run starts."""

    categories = (Category.BASIC, Category.INPUT)
    block_type = BlockType.INPUT
    static_output = True
    no_error_pin = True
    effect = Effect.PURE

    def run(self, inputs: _Shared, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the value if there is one."""
        if inputs.value is not None:
            yield "result", inputs.value


def _text_in(format_name: str) -> dict[str, Any]:
    return {"anyOf": [{"type": "string", "format": format_name}, {"type": "null"}]}


@pins
class _Text:
    """A text comes out."""

    result: str = pin(description="The value.")


class AgentShortTextInputBlock(_TypedInputBase):
    """Takes a short text into the graph: one line."""

    id = "7fcd3bcb-8e1b-4e69-903d-32d3d4a92158"
    examples = (
        Example(inputs={"name": "city", "value": "Oslo"}, outputs=[("result", "Oslo")]),
        Example(inputs={"name": "city", "value": ""}, outputs=[("result", "")]),
        Example(inputs={"name": "count", "value": 7}, outputs=[("result", "7")]),
    )
    Output = _Text

    @pins
    class Input(_Shared):
        """Input pins."""

        value: str | None = pin(
            default=None,
            title=_TITLE,
            advanced=False,
            description=_USED,
            schema=_text_in("short-text"),
        )


class AgentLongTextInputBlock(_TypedInputBase):
    """Takes a long text into the graph: any number of lines."""

    id = "90a56ffb-7024-4b2b-ab50-e26c5e5ab8ba"
    examples = (Example(inputs={"name": "poem", "value": "a\nb"}, outputs=[("result", "a\nb")]),)
    Output = _Text

    @pins
    class Input(_Shared):
        """Input pins."""

        value: str | None = pin(
            default=None,
            title=_TITLE,
            advanced=False,
            description=_USED,
            schema=_text_in("long-text"),
        )


class AgentNumberInputBlock(_TypedInputBase):
    """Takes a whole number into the graph."""

    id = "96dae2bb-97a2-41c2-bd2f-13a3b5a8ea98"
    examples = (
        Example(inputs={"name": "n", "value": 0}, outputs=[("result", 0)]),
        Example(inputs={"name": "n", "value": "7.9"}, outputs=[("result", 7)]),
    )

    @pins
    class Input(_Shared):
        """Input pins."""

        value: int | None = pin(default=None, title=_TITLE, advanced=False, description=_USED)

    @pins
    class Output:
        """Output pins."""

        result: int = pin(description="The value.")


class AgentToggleInputBlock(_TypedInputBase):
    """Takes a yes or no into the graph."""

    id = "cbf36ab5-df4a-43b6-8a7f-f7ed8652116e"
    examples = (
        Example(inputs={"name": "go", "value": "true"}, outputs=[("result", True)]),
        Example(inputs={"name": "go"}, outputs=[("result", False)]),
    )

    @pins
    class Input(_Shared):
        """Input pins."""

        value: bool = pin(default=False, title=_TITLE, advanced=False, description=_USED)

    @pins
    class Output:
        """Output pins."""

        result: bool = pin(description="The value.")


class AgentDropdownInputBlock(_TypedInputBase):
    """Takes one of several texts into the graph."""

    id = "655d6fdf-a334-421c-b733-520549c07cd1"
    examples = (
        Example(
            inputs={"name": "size", "value": "S", "placeholder_values": ["S", "M"]},
            outputs=[("result", "S")],
        ),
    )
    Output = _Text

    @pins
    class Input(_Shared):
        """Input pins."""

        value: str | None = pin(default=None, title=_TITLE, advanced=False, description=_USED)
        placeholder_values: list[Any] = pin(
            default_factory=list,
            title="Dropdown Options",
            advanced=False,
            description="Values to choose from.",
        )
