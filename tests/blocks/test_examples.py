"""Every example of every block is true, by the way the engine takes."""

import pytest

from backend.blocks.build_index import discover
from backend.sdk import Block, BlockContext, BlockType, Example
from backend.testing.blocks import check_example

EXAMPLES = [
    pytest.param(block, example, id=f"{block.__name__}-{index}")
    for block in discover()
    for index, example in enumerate(block.examples)
]

#: A graph of its own is no example; SendWebRequest and the clock have tests of their own.
WITHOUT_EXAMPLES = {"AgentExecutorBlock"}


@pytest.mark.parametrize(("block", "example"), EXAMPLES)
async def test_the_example_is_true(
    block: type[Block], example: Example, played: BlockContext
) -> None:
    await check_example(block(), example, played)


@pytest.mark.parametrize("block", discover(), ids=lambda block: block.__name__)
def test_a_block_has_examples_and_a_description(block: type[Block]) -> None:
    assert block.__doc__
    assert block.examples or block.__name__ in WITHOUT_EXAMPLES
    assert block.block_type in BlockType
