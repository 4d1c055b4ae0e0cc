"""AgentFileInput: a file that a run is given."""

from collections.abc import AsyncIterator
from typing import Any

from backend.sdk import Block, BlockContext, BlockType, Category, Effect, Example, pin, pins


class AgentFileInputBlock(Block):
    """Takes a file into the graph when a run starts, and keeps it with the run."""

    id = "95ead23f-8283-4654-aef3-10c053b74a31"
    categories = (Category.BASIC, Category.INPUT)
    block_type = BlockType.INPUT
    static_output = True
    no_error_pin = True
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"name": "letter", "value": "data:text/plain;base64,aGk="},
            outputs=[("result", "workspace://example-run_39ccc98214a9832992fd1a4f9f4914e2")],
        ),
        Example(
            inputs={"name": "letter", "value": "data:,hi", "base_64": True},
            outputs=[("result", "data:text/plain;base64,aGk=")],
        ),
        Example(inputs={"name": "letter"}, outputs=[]),
        Example(inputs={"name": "letter", "value": ""}, outputs=[]),
        Example(inputs={"name": "letter", "value": "../secret"}, error="is no file"),
    )

    @pins
    class Input:
        """Input pins."""

        name: str = pin(description="The name under which the file is given.")
        value: str | None = pin(
            default=None,
            title="Default Value",
            advanced=False,
            description="Used when the run gives none.",
            schema={"anyOf": [{"type": "string", "format": "file"}, {"type": "null"}]},
        )
        title: str | None = pin(default=None, description="Shown instead of the name.")
        description: str | None = pin(default=None, description="Says what to give.")
        placeholder_values: list[Any] = pin(
            default_factory=list, hidden=True, description="Not used for files."
        )
        advanced: bool = pin(default=False, description="Folded away in the form.")
        secret: bool = pin(default=False, description="Not shown, and left out of exports.")
        base_64: bool = pin(
            default=False,
            title="Produce Base64 Output",
            description="Hand on the file itself, as a data: URI. For small files.",
        )

    @pins
    class Output:
        """Output pins."""

        result: str = pin(description="The reference, or the data: URI.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the file if there is one."""
        if not inputs.value:
            return
        files = context.run_files()
        if inputs.base_64:
            yield "result", await files.data_uri(inputs.value)
        else:
            yield "result", (await files.store(inputs.value)).reference
