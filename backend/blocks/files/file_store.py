"""FileStore: a file from anywhere becomes one of the run's own."""

from collections.abc import AsyncIterator
from typing import Any

from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class FileStoreBlock(Block):
    """Keeps a file with the run and hands on a reference to it, or the file itself as text."""

    id = "cbb50872-625b-42f0-8203-a2ae78242d8a"
    categories = (Category.BASIC, Category.MULTIMEDIA)
    static_output = True
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"file_in": "data:text/plain;base64,aGk="},
            outputs=[("file_out", "workspace://example-run_39ccc98214a9832992fd1a4f9f4914e2")],
        ),
        Example(
            inputs={"file_in": "data:,hi", "base_64": True},
            outputs=[("file_out", "data:text/plain;base64,aGk=")],
        ),
        Example(inputs={"file_in": "/etc/passwd"}, error="'/etc/passwd' is no file"),
        Example(inputs={"file_in": "file:///etc/passwd"}, error="is no file"),
        Example(inputs={"file_in": "workspace://run_of_another"}, error="There is no file"),
    )

    @pins
    class Input:
        """Input pins."""

        file_in: str = pin(
            format="file",
            description="A data: URI, a web address, or the reference of a stored file.",
        )
        base_64: bool = pin(
            default=False,
            title="Produce Base64 Output",
            description="Hand on the file itself, as a data: URI. For small files.",
        )

    @pins
    class Output:
        """Output pins."""

        file_out: str = pin(format="file", description="The reference, or the data: URI.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield what the next block can use as a file."""
        files = context.run_files()
        if inputs.base_64:
            yield "file_out", await files.data_uri(inputs.file_in)
        else:
            yield "file_out", (await files.store(inputs.file_in)).reference
