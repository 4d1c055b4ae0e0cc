"""TranscribeYoutubeVideo: what is said in a video."""

from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.youtube.transcript import YOUTUBE, transcript_of, video_id
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    credentials_pin,
    pin,
    pins,
)

_VIDEO: Final = "https://youtu.be/dQw4w9WgXcQ?t=3"


class TranscribeYoutubeVideoBlock(Block):
    """
    Gives the captions of a video at YouTube as text.

    English before other languages, and what people wrote before what a machine heard. YouTube is
    asked directly: no proxy is used, and credentials for one may be left out.
    """

    id = "f3a8f7e1-4b1d-4e5f-9f2a-7c3d5a2e6b4c"
    categories = (Category.SOCIAL,)
    effect = Effect.READ
    retries = 2
    keyless = True
    examples = (
        Example(
            inputs={"youtube_url": _VIDEO},
            outputs=[
                ("video_id", "dQw4w9WgXcQ"),
                ("transcript", "Never gonna give\nyou & me up"),
            ],
        ),
        Example(inputs={"youtube_url": "https://youtu.be/00000000000"}, error="has no captions"),
        Example(inputs={"youtube_url": "https://example.com/video"}, error="no address of a video"),
    )

    @pins
    class Input:
        """Input pins."""

        youtube_url: str = pin(title="YouTube URL", description="The address of the video.")
        credentials: dict[str, Any] = credentials_pin(
            ["webshare_proxy"], [CredentialsKind.LOGIN], description="Not needed here."
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        video_id: str = pin(description="The id of the video.")
        transcript: str = pin(description="What is said, a line for each caption.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, str]]:
        """Yield the id, then the transcript."""
        video = video_id(inputs.youtube_url)
        yield "video_id", video
        yield "transcript", await transcript_of(video, YOUTUBE.calls(context))
