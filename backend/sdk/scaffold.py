"""The first draft of a package with one block: its names and its files. Writes nothing itself."""

import json
import re
from dataclasses import dataclass
from string import Template
from typing import Final

from backend.core.errors import BadRequest

#: Long enough for every block so far; a longer name fits into no menu.
MAX_NAME_LENGTH: Final = 60
_PREFIX: Final = "agpt"
_SUFFIX: Final = "block"
#: AgentInputBlock and AgentOutputBlock, with which every agent speaks.
_INPUT_BLOCK: Final = "c0a8e994-ebf1-4a9c-a4d8-89d09c86741b"
_OUTPUT_BLOCK: Final = "363ae599-353e-4804-937e-b2ee3cef3da4"


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a block and its package are called in each place."""

    words: tuple[str, ...]  #: lower case

    @property
    def block(self) -> str:
        """The class."""
        return "".join(word.capitalize() for word in self.words) + "Block"

    @property
    def distribution(self) -> str:
        """What `pip` calls the package; its folder, too."""
        return "-".join((_PREFIX, *self.words))

    @property
    def module(self) -> str:
        """What Python imports."""
        return "_".join((_PREFIX, *self.words))


def names_of(text: str) -> Names:
    """
    Read the name of a block: `shout-words`, `shout_words`, `ShoutWords`, `ShoutWordsBlock`.

    Raises:
        BadRequest: If no class and no package can be called so; says why.
    """
    if len(text) > MAX_NAME_LENGTH:
        raise BadRequest(f"The name of a block has at most {MAX_NAME_LENGTH} characters.")
    if not re.fullmatch(r"[A-Za-z0-9]+([-_ ][A-Za-z0-9]+)*", text):
        raise BadRequest(
            f"{text!r} cannot name a block: use the letters a to z and digits, and between words a"
            " hyphen, like shout-words."
        )
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])", text)]
    if words[-1] == _SUFFIX:
        words.pop()
    if words and words[0] == _PREFIX:
        words.pop(0)
    if not words:
        raise BadRequest(f"{text!r} says nothing about the block: name it by what it does.")
    if words[0][0].isdigit():
        raise BadRequest(f"{text!r} cannot name a block: it begins with a digit.")
    return Names(words=tuple(words))


def package_files(names: Names, block_id: str) -> dict[str, str]:
    """
    Return the files of a package by their paths in its folder.

    Its tests pass at once, and once it is installed `agpt run agent.json` uses its block.

    Args:
        names: From `names_of`.
        block_id: A UUID that no other block has.
    """
    facts = {
        "block": names.block,
        "distribution": names.distribution,
        "module": names.module,
        "point": "_".join(names.words),
        "id": block_id,
    }
    files = {
        "README.md": _README,
        "pyproject.toml": _PROJECT,
        f"{names.module}/__init__.py": _PACKAGE,
        f"{names.module}/block.py": _BLOCK,
        "tests/test_blocks.py": _TEST,
    }
    written = {path: Template(text).substitute(facts) for path, text in files.items()}
    return {**written, "agent.json": _agent(names, block_id)}


def _agent(names: Names, block_id: str) -> str:
    agent = {
        "name": f"Try {names.block}",
        "description": "One input, the block, one output.",
        "nodes": [
            {"id": "input", "block_id": _INPUT_BLOCK, "input_default": {"name": "text"}},
            {"id": "block", "block_id": block_id, "input_default": {}},
            {"id": "output", "block_id": _OUTPUT_BLOCK, "input_default": {"name": "result"}},
        ],
        "links": [
            _link("input", "result", "block", "text"),
            _link("block", "result", "output", "value"),
        ],
    }
    return json.dumps(agent, indent=2) + "\n"


def _link(source: str, source_pin: str, sink: str, sink_pin: str) -> dict[str, str]:
    return {
        "source_id": source,
        "source_name": source_pin,
        "sink_id": sink,
        "sink_name": sink_pin,
    }


_README: Final = """\
# $distribution

A block for agpt-server: `$block`, in `$module/block.py`.

- Try it: `pytest` runs its examples.
- Install it where the server is installed: `pip install -e .`, then restart the server.
- Run it: `agpt run agent.json -i text=hello`.
"""

_PROJECT: Final = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "$distribution"
version = "0.1.0"
description = "A block for agpt-server: $block."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["agpt-server"]

# By this the server finds the blocks: the list BLOCKS of the module that is named here.
[project.entry-points."agpt.blocks"]
$point = "$module"

[tool.hatch.build.targets.wheel]
packages = ["$module"]

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
"""

_PACKAGE: Final = """\
\"""Blocks for agpt-server. The server asks for BLOCKS; a block that is not listed is not there.\"""

from backend.sdk import Block

from $module.block import $block

BLOCKS: list[type[Block]] = [$block]
"""

_BLOCK: Final = """\
\"""$block: writes a text in capital letters.\"""

from collections.abc import Iterator

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class $block(Block):
    \"""Writes a text in capital letters.\"""

    # Saved agents know the block by its id: never change it, and never give it to another block.
    id = "$id"
    categories = (Category.TEXT,)

    # What would happen if the block ran twice? After a crash the server must know.
    #   PURE          nothing: the outputs follow from the inputs alone
    #   READ          nothing, but it looks at the outside: a clock, a file, the web
    #   IDEMPOTENT    it changes the outside, and twice is the same as once: PUT, DELETE
    #   KEYED         it hands context.idempotency_key to somebody who does each key only once
    #   AT_MOST_ONCE  it must not happen again: if in doubt, the step fails and is not repeated
    effect = Effect.PURE

    # Each one is shown in the documents and run by the tests.
    examples = (
        Example(inputs={"text": "hello"}, outputs=[("result", "HELLO")]),
        Example(inputs={}, error="'text' is a required property"),
    )

    @pins
    class Input:
        \"""Input pins. One with a default may be left out.\"""

        text: str = pin(description="The text.")

    @pins
    class Output:
        \"""Output pins. The pin `error` is there by itself.\"""

        result: str = pin(description="The text in capital letters.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        \"""Yield the text. A block that waits for something has `async def run`.\"""
        yield "result", inputs.text.upper()
"""

_TEST: Final = """\
\"""The blocks do what their examples say.\"""

import asyncio

import pytest
from backend.sdk import Block, Example
from backend.testing.blocks import check_example

from $module import BLOCKS


@pytest.mark.parametrize(
    ("block", "example"), [(block, example) for block in BLOCKS for example in block.examples]
)
def test_the_example_is_true(block: type[Block], example: Example) -> None:
    \"""Inputs and outputs are checked as the server checks them.\"""
    asyncio.run(check_example(block(), example))
"""
