"""TextReplace, TextSplit, WordCharacterCount: plain work on texts."""

from collections.abc import Iterator
from typing import Any, Final

from backend.sdk import (
    SMALL_INPUTS,
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    Place,
    TooLarge,
    pin,
    pins,
)

#: No text grows longer than this by a replacement.
MAX_CHARS: Final = 16 * 1024 * 1024


class TextReplaceBlock(Block):
    """Replaces a text by another one, wherever it stands."""

    id = "7e7c87ab-3469-4bcc-9abe-67705091b713"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    examples = (
        Example(
            inputs={"text": "a.b.c", "old": ".", "new": " - "}, outputs=[("output", "a - b - c")]
        ),
        Example(inputs={"text": "abc", "old": "b", "new": ""}, outputs=[("output", "ac")]),
        Example(inputs={"text": "abc", "old": "x", "new": "y"}, outputs=[("output", "abc")]),
        Example(inputs={"text": "abc", "old": "", "new": "-"}, error="old is empty"),
    )

    @pins
    class Input:
        """Input pins."""

        text: str = pin(description="The text.")
        old: str = pin(description="What is replaced: taken literally, case counts.")
        new: str = pin(description="What comes in its place.")

    @pins
    class Output:
        """Output pins."""

        output: str = pin(description="The new text.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the new text."""
        text, old, new = inputs.text, inputs.old, inputs.new
        if not old:
            raise ValueError("old is empty: nothing cannot be replaced")
        if len(text) + text.count(old) * (len(new) - len(old)) > MAX_CHARS:
            raise TooLarge(f"the new text would be longer than {MAX_CHARS} characters")
        yield "output", text.replace(old, new)


class TextSplitBlock(Block):
    """Cuts a text into pieces wherever another text stands."""

    id = "d5ea33c8-a575-477a-b42f-2fe3be5055ec"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"text": "a, b ,,c", "delimiter": ","},
            outputs=[("texts", ["a", "b", "", "c"])],
        ),
        Example(
            inputs={"text": "a, b", "delimiter": ",", "strip": False},
            outputs=[("texts", ["a", " b"])],
        ),
        Example(inputs={"text": "", "delimiter": ","}, outputs=[("texts", [])]),
        Example(inputs={"text": "abc", "delimiter": ""}, error="delimiter is empty"),
    )

    @pins
    class Input:
        """Input pins."""

        text: str = pin(description="The text.")
        delimiter: str = pin(description="What stands between the pieces.")
        strip: bool = pin(default=True, description="Take the blanks off both ends of each piece.")

    @pins
    class Output:
        """Output pins."""

        texts: list[str] = pin(description="The pieces.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, list[str]]]:
        """Yield the pieces; an empty text has none."""
        if not inputs.text:
            yield "texts", []
            return
        if not inputs.delimiter:
            raise ValueError("the delimiter is empty: there is no place to cut")
        pieces = inputs.text.split(inputs.delimiter)
        yield "texts", [piece.strip() for piece in pieces] if inputs.strip else pieces


class WordCharacterCountBlock(Block):
    """Counts the words and the characters of a text."""

    id = "ab2a782d-22cf-4587-8a70-55b59b3f9f90"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"text": "Hello, wide  world\n"},
            outputs=[("word_count", 3), ("character_count", 19)],
        ),
        Example(inputs={"text": ""}, outputs=[("word_count", 0), ("character_count", 0)]),
        Example(inputs={"text": "naïve 🙂"}, outputs=[("word_count", 2), ("character_count", 7)]),
    )

    @pins
    class Input:
        """Input pins."""

        text: str = pin(description="The text.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        word_count: int = pin(description="Words, as blanks part them.")
        character_count: int = pin(description="Characters, blanks included.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield both counts."""
        yield "word_count", len(inputs.text.split())
        yield "character_count", len(inputs.text)
