"""The one block that a check brings along: a call outside that must happen at most once.

No block of this package has that effect; it is for blocks that change something outside and cannot
say so twice. The private server of a check finds it as it finds other people's blocks.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.sdk import Block, BlockContext, Category, Effect, Example, JsonBody, pin, pins


class SelfcheckOnceBlock(Block):
    """Tells an address that something has happened, and must not tell it twice."""

    id = "0d9b1a0e-5a52-4c0c-9a0f-6a53c2a9d3f1"
    categories = (Category.DEVELOPER_TOOLS,)
    effect = Effect.AT_MOST_ONCE
    examples = (Example(inputs={"url": "no address", "run": "r"}, error="no address"),)

    @pins
    class Input:
        """Input pins."""

        url: str = pin(description="Who is told.")
        run: str = pin(description="The name of the run.")

    @pins
    class Output:
        """Output pins."""

        run: str = pin(description="The name of the run, when it has been told.")
        error: str = pin(description="Why it could not be told.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Call once, and hand on the name."""
        answer = await context.guarded_web().send(
            "POST",
            inputs.url,
            headers={"Idempotency-Key": context.idempotency_key},
            body=JsonBody(value={"run": inputs.run}),
        )
        if not answer.ok:
            raise RuntimeError(f"the counter answers {answer.status}")
        yield "run", inputs.run


BLOCKS: Final = [SelfcheckOnceBlock]
