r"""TextDecoder: ``\n`` and the like become what they stand for."""

import re
from collections.abc import Iterator
from typing import Final

from backend.sdk import (
    SMALL_INPUTS,
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    Place,
    pin,
    pins,
)

#: Numbers of four digits are taken together: two of them may be halves of one character.
_ESCAPE: Final = re.compile(
    r"""
    (?:\\u[0-9a-fA-F]{4})++
    | \\(?:[\\'"abfnrtv\n]|[0-3]?[0-7]{1,2}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|N\{[\x20-\x7a]{1,100}\})
    """,
    re.VERBOSE,
)


class TextDecoderBlock(Block):
    r"""Turns escapes such as \n, \t or \u00e9 into the characters they stand for."""

    id = "2570e8fe-8447-43ed-84c7-70d657923231"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"text": r"one\ntwo\t\"three\""}, outputs=[("decoded_text", 'one\ntwo\t"three"')]
        ),
        Example(inputs={"text": r"東京 \u00e9é \x41"}, outputs=[("decoded_text", "東京 éé A")]),
        Example(inputs={"text": r"\ud83d\ude42 \\n"}, outputs=[("decoded_text", "🙂 \\n")]),
        Example(
            inputs={"text": r"C:\Users \ud83d \x4"},
            outputs=[("decoded_text", r"C:\Users \ud83d \x4")],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        text: str = pin(description="The text with escapes.", placeholder="Hello\\nworld")

    @pins
    class Output:
        """Output pins."""

        decoded_text: str = pin(description="The text without them.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the text; what is no escape, or stands for no character, stays as it is."""
        yield "decoded_text", _ESCAPE.sub(_decoded, inputs.text)


def _decoded(escape: re.Match[str]) -> str:
    try:
        text = escape[0].encode("ascii").decode("unicode_escape")
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError:
        return escape[0]
