"""MediaDuration: how long a video or a sound is."""

from collections.abc import AsyncIterator

from backend.blocks.media.editing import duration_of
from backend.blocks.media.tiny import SOUND
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins


class MediaDurationBlock(Block):
    """Says how many seconds a video or a sound has."""

    id = "d8b91fd4-da26-42d4-8ecb-8b196c6d84b6"
    categories = (Category.MULTIMEDIA,)
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"media_in": SOUND, "is_video": False},
            outputs=[("duration", 0.01)],
        ),
        Example(inputs={"media_in": SOUND}, error="the file has no video"),
        Example(inputs={"media_in": "data:,hello"}, error="no media file that can be read"),
    )

    @pins
    class Input:
        """Input pins."""

        media_in: str = pin(
            format="file",
            description="A data: URI, a web address, or the reference of a stored file.",
        )
        is_video: bool = pin(default=True, description="Measure the pictures; otherwise the sound.")

    @pins
    class Output:
        """Output pins."""

        duration: float = pin(description="Seconds.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, float]]:
        """Yield the seconds."""
        kind = "video" if inputs.is_video else "audio"
        async with context.run_files().on_disk(inputs.media_in) as (_, [place]):
            yield "duration", await context.to_process(duration_of, str(place), kind)
