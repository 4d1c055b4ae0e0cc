"""FileDropTrigger: each file that is put into a folder starts the agent."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

from backend.sdk import (
    Block,
    BlockContext,
    BlockType,
    Category,
    Effect,
    Example,
    WebhookConfig,
    pin,
    pins,
)


class Afterwards(StrEnum):
    """What becomes of a file that was taken."""

    MOVE = "move"
    LEAVE = "leave"


class FileDropTriggerBlock(Block):
    """
    Starts the agent when a file is put into a folder on the server's machine.

    The folder lies below the drop folder of the agent's owner. A file is taken when it has not
    changed for a while; then it is moved into the folder done beside it, or left.
    """

    id = "23e82062-e32c-4086-a8b2-c18bcc05acfc"
    categories = (Category.INPUT,)
    block_type = BlockType.WEBHOOK_MANUAL
    webhook = WebhookConfig(provider="folder", webhook_type="file")
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"folder": "invoices", "payload": {}},
            error="there is no file: this agent is started by its folder",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        payload: dict[str, Any] = pin(
            default_factory=dict, hidden=True, description="What was found."
        )
        folder: str = pin(
            description="The name of a folder below your drop folder.", placeholder="invoices"
        )
        pattern: str = pin(default="*", description="Names of the files, as in a shell.")
        interval: int = pin(default=5, description="Seconds between two looks.")
        settle: int = pin(
            default=2, description="A file that has not changed for so many seconds is whole."
        )
        afterwards: Afterwards = pin(
            default=Afterwards.MOVE,
            description="Move it into the folder done when it was taken, or leave it.",
        )

    @pins
    class Output:
        """Output pins."""

        file: str = pin(description="The file.", schema={"type": "string", "format": "file"})
        name: str = pin(description="Its name.")
        size: int = pin(description="Its size in bytes.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Keep the file with the run, and yield it."""
        reference = inputs.payload.get("file")
        if not isinstance(reference, str):
            raise ValueError("there is no file: this agent is started by its folder")  # noqa: TRY004 - of the node, not of our code
        # The folder's own copy goes after some days; the run keeps one as long as it is there.
        stored = await context.run_files().store(reference)
        yield "file", stored.reference
        yield "name", str(inputs.payload.get("name", stored.name))
        yield "size", stored.size_bytes
