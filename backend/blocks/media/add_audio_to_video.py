"""AddAudioToVideo: the pictures of one file with the sound of another."""

import math
from collections.abc import AsyncIterator
from typing import Final

from backend.blocks.media.editing import with_sound
from backend.blocks.media.tiny import SOUND, VIDEO
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.files import pieces_from

#: Nothing is meant to be louder than this.
_LOUDEST: Final = 100


class AddAudioToVideoBlock(Block):
    """
    Gives a video another sound, which ends with the pictures.

    The pictures are copied, not encoded anew; so is the sound, unless its volume changes or the
    format of the video cannot hold it.
    """

    id = "3503748d-62b6-4425-91d6-725b064af509"
    categories = (Category.MULTIMEDIA,)
    effect = Effect.IDEMPOTENT
    examples = (
        Example(
            inputs={"video_in": VIDEO, "audio_in": SOUND},
            outputs=[("video_out", "workspace://example-run_94962786b0a68c778a888907451d73f4")],
        ),
        Example(inputs={"video_in": SOUND, "audio_in": SOUND}, error="the file has no video"),
        Example(inputs={"video_in": VIDEO, "audio_in": VIDEO}, error="the file has no audio"),
        Example(
            inputs={"video_in": VIDEO, "audio_in": SOUND, "volume": -1}, error="volume must be"
        ),
    )

    @pins
    class Input:
        """Input pins."""

        video_in: str = pin(
            format="file",
            description="The pictures: a data: URI, a web address, or a stored file's reference.",
        )
        audio_in: str = pin(
            format="file",
            description="The sound: a data: URI, a web address, or a stored file's reference.",
        )
        volume: float = pin(default=1.0, description="1 leaves the sound as it is, 0.5 halves it.")

    @pins
    class Output:
        """Output pins."""

        video_out: str = pin(format="file", description="The reference of the result.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield the result."""
        if not (math.isfinite(inputs.volume) and 0 <= inputs.volume <= _LOUDEST):
            raise ValueError(f"volume must be from 0 to {_LOUDEST}, not {inputs.volume:g}")
        files = context.run_files()
        async with files.on_disk(inputs.video_in, inputs.audio_in) as (folder, [video, audio]):
            made = folder / "made"
            wanted = {
                "volume": inputs.volume,
                "most_s": files.media_s,
                "most_bytes": files.limits.file_bytes,
            }
            facts = await context.to_process(with_sound, str(video), str(audio), str(made), wanted)
            name = f"video_with_audio.{facts['ending']}"
            stored = await files.save(pieces_from(made), name=name, media_type=facts["media_type"])
        yield "video_out", stored.reference
