"""AgentOutput: one result of a run, under a name."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import (
    BadRequest,
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    pin,
    pins,
)


class AgentOutputBlock(Block):
    """Hands a value out of the graph as a result of the run, as it is or put into a template."""

    id = "363ae599-353e-4804-937e-b2ee3cef3da4"
    categories = (Category.BASIC, Category.OUTPUT)
    block_type = BlockType.OUTPUT
    static_output = True
    no_error_pin = True
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"name": "answer", "value": 42},
            outputs=[("output", 42), ("name", "answer")],
        ),
        Example(
            inputs={"name": "who", "value": "World", "format": "Hello, {{ who }}!"},
            outputs=[("output", "Hello, World!")],
        ),
        Example(
            inputs={"name": "tag", "value": "<b>", "format": "{{ tag }}", "escape_html": True},
            outputs=[("output", "&lt;b&gt;")],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        value: Any = pin(default=None, advanced=False, description="The result.")
        name: str = pin(description="The name under which the result is found.")
        title: str | None = pin(default=None, description="Shown instead of the name.")
        description: str | None = pin(default=None, description="Says what the result is.")
        format: str = pin(
            default="", description="A Jinja template; the value stands in it under its name."
        )
        escape_html: bool = pin(default=False, description="Make the value safe to show as HTML.")
        advanced: bool = pin(default=False, description="Folded away in the list of results.")
        secret: bool = pin(default=False, description="Not shown.")

    @pins
    class Output:
        """Output pins."""

        output: Any = pin(description="The result, after the template if there is one.")
        name: Any = pin(description="The name; only without a template.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the result and its name, or the filled template alone."""
        if not inputs.format:
            yield "output", inputs.value
            yield "name", inputs.name
            return
        # Most graphs use no template here, and its engine costs 30 ms to import.
        from backend.sdk.templates import fill  # noqa: PLC0415

        try:
            filled = fill(
                inputs.format, {inputs.name: inputs.value}, escape_html=inputs.escape_html
            )
        except BadRequest as exc:
            filled = f"Error: {exc}, {inputs.value}"
        yield "output", filled
