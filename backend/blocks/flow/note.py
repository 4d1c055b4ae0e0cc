"""Note: words for people who look at the graph. The engine never starts it."""

from collections.abc import Iterator

from backend.sdk import Block, BlockContext, BlockType, Category, Effect, Example, pin, pins


class NoteBlock(Block):
    """Shows a note beside the other blocks of a graph. It does nothing when the graph runs."""

    id = "cc10ff7b-7753-4ff2-9af6-9399b1a7eddc"
    categories = (Category.BASIC,)
    block_type = BlockType.NOTE
    effect = Effect.PURE
    examples = (Example(inputs={"text": "Ask Ann first."}, outputs=[("output", "Ask Ann first.")]),)

    @pins
    class Input:
        """Input pins."""

        text: str = pin(description="The note.")

    @pins
    class Output:
        """Output pins."""

        output: str = pin(description="The note.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the note."""
        yield "output", inputs.text
