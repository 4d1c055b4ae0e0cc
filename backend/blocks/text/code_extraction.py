"""CodeExtraction: the code that stands between fences in a text, by its language."""

import re
from collections.abc import Iterator, Mapping
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

#: Names of languages by the pin on which their code comes out, in the order of the pins.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "html": ("html", "htm"),
    "css": ("css",),
    "javascript": ("javascript", "js"),
    "python": ("python", "py"),
    "sql": ("sql",),
    "java": ("java",),
    "cpp": ("cpp", "c++"),
    "csharp": ("csharp", "c#", "cs"),
    "json_code": ("json",),
    "bash": ("bash", "shell", "sh"),
    "php": ("php",),
    "ruby": ("ruby", "rb"),
    "yaml": ("yaml", "yml"),
    "markdown": ("markdown", "md"),
    "typescript": ("typescript", "ts"),
    "xml": ("xml",),
}

_PIN_OF: Final = {name: pin for pin, names in _NAMES.items() for name in names}

#: Fences, the name of a language, code, the same fences. Without an upper limit on the fence, a
#: long row of them would be looked for again and again.
_FENCED: Final = re.compile(r"(?<!`)(`{3,10}+)(?!`)[ \t]*+([^\s`]*+)(.*?)\1", re.DOTALL)


class CodeExtractionBlock(Block):
    """
    Takes the fenced code out of a text, sorted by language.

    Several pieces of one language are joined, with a blank line between them. Code in other
    languages, or without a name, stays in the text.
    """

    id = "d3a7d896-3b78-4f44-8b4b-48fbf4f0bcd8"
    categories = (Category.TEXT,)
    effect = Effect.PURE
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"text": "Look:\n\n```py\nif a:\n    b()\n```\n\nand\n```HTML\n<p>\n```\nDone."},
            outputs=[
                ("html", "<p>"),
                ("python", "if a:\n    b()"),
                ("remaining_text", "Look:\nand\nDone."),
            ],
        ),
        Example(
            inputs={"text": "```sh\n  ls\n```\n```bash\npwd\n```"},
            outputs=[("bash", "  ls\n\npwd"), ("remaining_text", "")],
        ),
        Example(
            inputs={"text": "```js go()```, then ```\nplain\n```"},
            outputs=[("javascript", "go()"), ("remaining_text", ", then ```\nplain\n```")],
        ),
        Example(
            inputs={"text": "```python\nno end"},
            outputs=[("remaining_text", "```python\nno end")],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        text: str = pin(description="The text, such as the answer of a model.")

    @pins
    class Output:
        """Output pins."""

        html: str = pin(description="HTML.")
        css: str = pin(description="CSS.")
        javascript: str = pin(description="JavaScript.")
        python: str = pin(description="Python.")
        sql: str = pin(description="SQL.")
        java: str = pin(description="Java.")
        cpp: str = pin(description="C++.")
        csharp: str = pin(description="C#.")
        json_code: str = pin(description="JSON.")
        bash: str = pin(description="Bash, or another shell.")
        php: str = pin(description="PHP.")
        ruby: str = pin(description="Ruby.")
        yaml: str = pin(description="YAML.")
        markdown: str = pin(description="Markdown.")
        typescript: str = pin(description="TypeScript.")
        xml: str = pin(description="XML.")
        remaining_text: str = pin(description="The text without that code and blank lines.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        """Yield the code of each language of which there is any, then the remaining text."""
        found: dict[str, list[str]] = {name: [] for name in _NAMES}

        def take(fenced: re.Match[str]) -> str:
            language = _PIN_OF.get(fenced[2].lower())
            if language is None:
                return fenced[0]
            found[language].append(_unframed(fenced[3]))
            return ""

        remaining = _FENCED.sub(take, inputs.text)
        for language, pieces in found.items():
            code = "\n\n".join(piece for piece in pieces if piece)
            if code:
                yield language, code
        yield "remaining_text", _without_blank_lines(remaining)


def _unframed(code: str) -> str:
    """Return *code* without blanks around it; the indentation of its first line is its own."""
    rest_of_line, _, lines = code.partition("\n")
    return (rest_of_line.lstrip() + "\n" + lines if rest_of_line.strip() else lines).rstrip()


def _without_blank_lines(text: str) -> str:
    return "\n".join(line for line in text.split("\n") if line.strip()).strip()
