"""OpenAIImageGeneratorBlock: pictures from words, and from other pictures, by models of OpenAI."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Body,
    Category,
    CredentialsKind,
    Effect,
    Example,
    FormBody,
    JsonBody,
    WebFile,
    WebLimits,
    credentials_pin,
    pin,
    pins,
)
from backend.sdk.services import Service

#: A large picture takes minutes, and comes inside of the answer.
OPENAI: Final = Service(
    provider="openai",
    name="OpenAI",
    url="https://api.openai.com/v1",
    limits=WebLimits(timeout_s=300.0, max_bytes=64 * 1024 * 1024),
)
_MINE: Final = {"id": "mine", "provider": "openai", "type": "api_key"}
_MOST_PICTURES: Final = 16  # of one request, by the API
_MOST_BYTES: Final = 50 * 1024 * 1024  # of one picture, by the API


class PictureSize(StrEnum):
    """The shape of the picture, pixels."""

    AUTO = "auto"
    SQUARE = "1024x1024"
    LANDSCAPE = "1536x1024"
    PORTRAIT = "1024x1536"


class PictureQuality(StrEnum):
    """How much work goes into it; better ones cost more."""

    AUTO = "auto"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class PictureBackground(StrEnum):
    """What is behind it."""

    AUTO = "auto"
    TRANSPARENT = "transparent"
    OPAQUE = "opaque"


class PictureFormat(StrEnum):
    """The kind of file."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


class OpenAIImageGeneratorBlock(Block):
    """
    Makes a picture from words with a model of OpenAI, or changes pictures as the words say.

    The picture is kept with the run. Any server that speaks as OpenAI's does will do, if the
    operator puts the provider there.
    """

    id = "0f1d4b0c-2f0e-4c8a-9a57-5f7e3a6f9d21"
    categories = (Category.AI, Category.MULTIMEDIA)
    # As with any model, doing it twice changes nothing but the bill; what was answered is kept.
    effect = Effect.READ
    retries = 2
    examples = (
        Example(inputs={"prompt": " ", "credentials": _MINE}, error="the prompt is empty"),
        Example(
            inputs={"prompt": "A cat", "model": "no-such-model", "credentials": _MINE},
            error="OpenAI answers with status 400: The model does not exist",
        ),
        Example(
            inputs={
                "prompt": "A cat",
                "background": "transparent",
                "output_format": "jpeg",
                "credentials": _MINE,
            },
            error="a picture of the format jpeg has no transparent background",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["openai"], [CredentialsKind.KEY], description="A key of OpenAI."
        )
        prompt: str = pin(description="What is to be seen.", placeholder="A cat in the snow")
        images: list[str] = pin(
            default_factory=list,
            title="Input Images",
            description="Pictures to change or to take from, 16 at the most; none: it is new.",
            schema={
                "default": [],
                "items": {"format": "file", "type": "string"},
                "type": "array",
            },
        )
        model: str = pin(
            default="gpt-image-1", advanced=True, description="The model that makes it."
        )
        size: PictureSize = pin(
            default=PictureSize.AUTO, title="Size", description="Its shape, in pixels."
        )
        quality: PictureQuality = pin(
            default=PictureQuality.AUTO,
            title="Quality",
            description="How much work goes into it: more costs more.",
        )
        background: PictureBackground = pin(
            default=PictureBackground.AUTO, title="Background", description="What is behind it."
        )
        output_format: PictureFormat = pin(
            default=PictureFormat.PNG, title="Output Format", description="The kind of file."
        )

    @pins
    class Output:
        """Output pins."""

        image: str = pin(format="file", description="The picture.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the picture."""
        _check(inputs)
        calls = OPENAI.calls(context, inputs.credentials)

        async def make(_key: str) -> str:
            path = "images/edits" if inputs.images else "images/generations"
            body = await _body(inputs, context)
            answer = await calls.send("POST", path, body=body, key=True)
            found = calls.json_of(answer)
            rows = calls.entries(found if isinstance(found, dict) else {}, "data")
            if not rows or not isinstance(rows[0].get("b64_json"), str):
                raise calls.nonsense("it has no picture")
            source = f"data:image/{inputs.output_format};base64,{rows[0]['b64_json']}"
            return (await context.run_files().store(source)).reference

        yield "image", await context.once("picture", make)


def _check(inputs: OpenAIImageGeneratorBlock.Input) -> None:
    if not inputs.prompt.strip():
        raise ValueError("the prompt is empty")
    if len(inputs.images) > _MOST_PICTURES:
        raise ValueError(f"there are {len(inputs.images)} pictures, and 16 are the most")
    transparent = inputs.background is PictureBackground.TRANSPARENT
    if transparent and inputs.output_format is PictureFormat.JPEG:
        raise ValueError("a picture of the format jpeg has no transparent background")


async def _body(inputs: OpenAIImageGeneratorBlock.Input, context: BlockContext) -> Body:
    told = {
        "model": inputs.model,
        "prompt": inputs.prompt,
        "size": str(inputs.size),
        "quality": str(inputs.quality),
        "background": str(inputs.background),
        "output_format": str(inputs.output_format),
    }
    if not inputs.images:
        return JsonBody(value={**told, "n": 1})
    return FormBody(
        fields=told, files=[await _picture(context, source) for source in inputs.images]
    )


async def _picture(context: BlockContext, source: str) -> WebFile:
    async with context.run_files().open(source) as file:
        content = await asyncio.to_thread(file.content.read, _MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{file.name} is larger than the 50 MB that OpenAI takes")
    return WebFile(name="image[]", filename=file.name, content=content, media_type=file.media_type)
