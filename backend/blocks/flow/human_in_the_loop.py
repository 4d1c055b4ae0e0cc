"""The block that waits for a person."""

from collections.abc import Iterator
from typing import Any

from backend.sdk import Block, BlockContext, BlockType, Category, Effect, Example, pin, pins


class HumanInTheLoopBlock(Block):
    """
    Pause for a person, who approves or rejects the data and may change it on the way.

    The run waits as long as it takes, over restarts too. A rejection is no failure: it comes out
    on a pin of its own.
    """

    id = "8b2a7b3c-6e9d-4a5f-8c1b-2e3f4a5b6c7d"
    categories = (Category.BASIC,)
    block_type = BlockType.HUMAN_IN_THE_LOOP
    # What was decided is kept with the run: asked again, the answer is the same.
    effect = Effect.PURE
    # In examples people approve of everything.
    examples = (
        Example(
            inputs={"data": {"to": "Ann", "text": "Hello"}, "name": "Send this letter?"},
            outputs=[
                ("approved_data", {"to": "Ann", "text": "Hello"}),
                ("review_message", "Execution approved by reviewer"),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        data: Any = pin(description="What is to be approved.")
        name: str = pin(description="What the person is asked, in a few words.")
        editable: bool = pin(
            default=True, advanced=True, description="Whether the person may change the data."
        )

    @pins
    class Output:
        """Output pins."""

        approved_data: Any = pin(description="The data, as it was approved.")
        rejected_data: Any = pin(description="The data, if it was rejected.")
        review_message: str = pin(default="", description="What the person wrote.")

    def run(self, inputs: Input, context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Ask, or take what was answered."""
        people = context.people()
        if not people.wanted:
            yield "approved_data", inputs.data
            yield "review_message", "Auto-approved (safe mode disabled)"
            return
        decision = people.decide(inputs.data, instructions=inputs.name, editable=inputs.editable)
        said = "approved" if decision.approved else "rejected"
        yield f"{said}_data", decision.payload
        yield "review_message", decision.message or f"Execution {said} by reviewer"
