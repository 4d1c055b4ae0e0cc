"""CombineTexts: one text out of several."""

from collections.abc import Iterator

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class CombineTextsBlock(Block):
    """Puts texts one after the other, with something between them if wanted."""

    id = "e30a4d42-7b7d-4e6a-b36e-1f9b8e3b7d85"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    examples = (
        Example(inputs={"input": ["a", "b"], "delimiter": ", "}, outputs=[("output", "a, b")]),
        Example(inputs={"input": []}, outputs=[("output", "")]),
        Example(inputs={"input_$_0": "a", "input_$_1": 3}, outputs=[("output", "a3")]),
    )

    @pins
    class Input:
        """Input pins."""

        input: list[str] = pin(description="The texts.")
        delimiter: str = pin(default="", description="What stands between them.")

    @pins
    class Output:
        """Output pins."""

        output: str = pin(description="The whole text.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the whole text."""
        yield "output", inputs.delimiter.join(inputs.input)
