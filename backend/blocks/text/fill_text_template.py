"""FillTextTemplate: a text with gaps, and the values for them."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.templates import fill


class FillTextTemplateBlock(Block):
    """Fills values into a text. Gaps are written {{ name }}, after the rules of Jinja."""

    id = "db7d8f02-2f44-4c55-ab7a-eae0941f0c30"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={
                "format": "{{a}}, {{b}}{{c}}",
                "values": {"a": "Hello", "b": "World", "c": "!"},
            },
            outputs=[("output", "Hello, World!")],
        ),
        Example(
            inputs={
                "format": "{% for i in items %}{{ i.name }}={{ i.price | format('%.2f') }};{% endfor %}",
                "values": {"items": [{"name": "tea", "price": 2.5}]},
            },
            outputs=[("output", "tea=2.50;")],
        ),
        Example(inputs={"format": "[{{ nobody }}]", "values": {}}, outputs=[("output", "[]")]),
        Example(
            inputs={"format": "{{ x }}", "values": {"x": "<i>"}, "escape_html": True},
            outputs=[("output", "&lt;i&gt;")],
        ),
        Example(inputs={"format": "{{ 9 ** 9999 }}", "values": {}}, error="may not exceed"),
    )

    @pins
    class Input:
        """Input pins."""

        values: dict[str, Any] = pin(description="Values by name.")
        format: str = pin(description="The text with its gaps.")
        escape_html: bool = pin(default=False, description="Make the values safe to show as HTML.")

    @pins
    class Output:
        """Output pins."""

        output: str = pin(description="The filled text.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the filled text."""
        yield "output", fill(inputs.format, inputs.values, escape_html=inputs.escape_html)
