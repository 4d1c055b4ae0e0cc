"""DescribeWeather: words for temperature and wind."""

from collections.abc import Iterator
from typing import Final

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

#: Degrees Celsius below which each word holds.
_WORDS: Final = ((0.0, "freezing"), (10.0, "cold"), (20.0, "mild"), (30.0, "warm"))
_WINDY_KMH: Final = 30.0


class DescribeWeatherBlock(Block):
    """Says in words how warm and how windy it is."""

    id = "2efe1357-f2cb-4d17-87ae-c4932e5e926e"
    categories = (Category.TEXT,)
    # The words follow from the numbers alone, so after a crash they are simply found again.
    effect = Effect.PURE
    examples = (
        Example(inputs={"temperature": -3}, outputs=[("words", "freezing")]),
        Example(inputs={"temperature": 12.5, "wind": 8}, outputs=[("words", "mild")]),
        Example(inputs={"temperature": 31, "wind": 45}, outputs=[("words", "hot and windy")]),
        Example(inputs={"wind": 45}, error="'temperature' is a required property"),
    )

    @pins
    class Input:
        """Input pins."""

        temperature: float = pin(description="In degrees Celsius.")
        wind: float = pin(default=0.0, description="In kilometres an hour.", ge=0)

    @pins
    class Output:
        """Output pins."""

        words: str = pin(description="Such as: mild, or cold and windy.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the words."""
        warmth = next((word for below, word in _WORDS if inputs.temperature < below), "hot")
        yield "words", f"{warmth} and windy" if inputs.wind >= _WINDY_KMH else warmth
