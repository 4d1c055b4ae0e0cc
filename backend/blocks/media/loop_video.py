"""LoopVideo: a video again and again, without encoding it anew."""

from collections.abc import AsyncIterator

from backend.blocks.media.editing import looped
from backend.blocks.media.tiny import VIDEO
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.files import pieces_from


class LoopVideoBlock(Block):
    """
    Repeats a video a number of times, or until it has a certain length.

    Pictures and sound are copied, not encoded anew; the last round ends at a whole frame.
    """

    id = "8bf9eef6-5451-4213-b265-25306446e94b"
    categories = (Category.MULTIMEDIA,)
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"video_in": VIDEO, "n_loops": 3},
            outputs=[("video_out", "workspace://example-run_759ed7d5d4008e22a764ef5e50630892")],
        ),
        Example(inputs={"video_in": VIDEO}, error="give duration or n_loops"),
        Example(
            inputs={"video_in": VIDEO, "n_loops": 1_000_000}, error="setting MAX_MEDIA_DURATION_S"
        ),
        Example(inputs={"video_in": "data:,a", "n_loops": 2}, error="no media file"),
    )

    @pins
    class Input:
        """Input pins."""

        video_in: str = pin(
            format="file",
            description="A data: URI, a web address, or the reference of a stored file.",
        )
        duration: float | None = pin(
            default=None, ge=0.0, description="Seconds that the result has; goes before n_loops."
        )
        n_loops: int | None = pin(default=None, ge=1, description="How often it is played.")

    @pins
    class Output:
        """Output pins."""

        video_out: str = pin(description="The reference of the result.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield the result."""
        if not inputs.duration and not inputs.n_loops:
            raise ValueError("give duration or n_loops, so that the video ends")
        files = context.run_files()
        async with files.on_disk(inputs.video_in) as (folder, [place]):
            made = folder / "made"
            wanted = {
                "duration": inputs.duration,
                "loops": inputs.n_loops,
                "most_s": files.media_s,
                "most_bytes": files.limits.file_bytes,
            }
            facts = await context.to_process(looped, str(place), str(made), wanted)
            stored = await files.save(
                pieces_from(made), name=f"looped.{facts['ending']}", media_type=facts["media_type"]
            )
        yield "video_out", stored.reference
