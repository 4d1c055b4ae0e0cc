"""ScreenshotWebPage: a picture of a page."""

import base64
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    WebLimits,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service

#: It opens the page in a browser before it answers.
SCREENSHOTONE: Final = Service(
    provider="screenshotone",
    name="ScreenshotOne",
    url="https://api.screenshotone.com",
    query="access_key",
    limits=WebLimits(timeout_s=120.0, max_bytes=32 * 1024 * 1024),
)
_MINE: Final = {"id": "mine", "provider": "screenshotone", "type": "api_key"}


class PictureFormat(StrEnum):
    """Kinds of pictures."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


class ScreenshotWebPageBlock(Block):
    """Takes a picture of a page of the web with ScreenshotOne."""

    id = "3a7c4b8d-6e2f-4a5d-b9c1-f8d23c5a9b0e"
    categories = (Category.DATA,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"url": "https://example.com/none", "credentials": _MINE},
            error="The host does not resolve",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["screenshotone"], [CredentialsKind.KEY], description="A key of ScreenshotOne."
        )
        url: str = pin(description="The address of the page.")
        viewport_width: int = pin(default=1920, description="Pixels.")
        viewport_height: int = pin(default=1080, description="Pixels.")
        full_page: bool = pin(default=False, description="The whole page, not what is seen first.")
        format: PictureFormat = pin(
            default=PictureFormat.PNG, title="Format", description="The kind of picture."
        )
        block_ads: bool = pin(default=True, description="Leave out advertisements.")
        block_cookie_banners: bool = pin(
            default=True, description="Leave out questions about cookies."
        )
        block_chats: bool = pin(default=True, description="Leave out windows for chats.")
        cache: bool = pin(default=False, description="A picture that was taken before will do.")

    @pins
    class Output:
        """Output pins."""

        image: str = pin(format="file", description="The picture.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the picture."""
        calls = SCREENSHOTONE.calls(context, inputs.credentials)
        answer = await calls.send(
            "GET",
            "take",
            query={
                "url": inputs.url,
                "viewport_width": inputs.viewport_width,
                "viewport_height": inputs.viewport_height,
                "full_page": inputs.full_page,
                "format": inputs.format,
                "block_ads": inputs.block_ads,
                "block_cookie_banners": inputs.block_cookie_banners,
                "block_chats": inputs.block_chats,
                "cache": inputs.cache,
            },
        )
        if not (answer.header("content-type") or "").startswith("image/"):
            raise calls.nonsense("it is no picture")
        picture = base64.b64encode(answer.content).decode()
        stored = await context.run_files().store(f"data:image/{inputs.format};base64,{picture}")
        yield "image", stored.reference
