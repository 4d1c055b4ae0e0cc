"""Pictures from words, by models of Replicate."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.blocks.replicate.service import MINE, key_pin, predicted, text_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

_PICTURE: Final = "https://example.com/picture.webp"


class ImageGenModel(StrEnum):
    """Who makes the picture."""

    FLUX = "Flux 1.1 Pro"
    FLUX_ULTRA = "Flux 1.1 Pro Ultra"
    RECRAFT = "Recraft v3"
    SD3_5 = "Stable Diffusion 3.5 Medium"
    NANO_BANANA_PRO = "Nano Banana Pro"


class ImageSize(StrEnum):
    """The shape of the picture."""

    SQUARE = "square"
    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    WIDE = "wide"
    TALL = "tall"


_STYLES: Final = [
    "any",
    "realistic_image",
    "realistic_image/b_and_w",
    "realistic_image/hdr",
    "realistic_image/natural_light",
    "realistic_image/studio_portrait",
    "realistic_image/enterprise",
    "realistic_image/hard_flash",
    "realistic_image/motion_blur",
    "digital_illustration",
    "digital_illustration/pixel_art",
    "digital_illustration/hand_drawn",
    "digital_illustration/grain",
    "digital_illustration/infantile_sketch",
    "digital_illustration/2d_art_poster",
    "digital_illustration/2d_art_poster_2",
    "digital_illustration/handmade_3d",
    "digital_illustration/hand_drawn_outline",
    "digital_illustration/engraving_color",
]
_NAMES: Final = {
    ImageGenModel.FLUX: "black-forest-labs/flux-1.1-pro",
    ImageGenModel.FLUX_ULTRA: "black-forest-labs/flux-1.1-pro-ultra",
    ImageGenModel.RECRAFT: "recraft-ai/recraft-v3",
    ImageGenModel.SD3_5: "stability-ai/stable-diffusion-3.5-medium",
    ImageGenModel.NANO_BANANA_PRO: "google/nano-banana-pro",
}
_RATIOS: Final = {
    ImageSize.SQUARE: "1:1",
    ImageSize.LANDSCAPE: "4:3",
    ImageSize.PORTRAIT: "3:4",
    ImageSize.WIDE: "16:9",
    ImageSize.TALL: "9:16",
}
#: This one model counts pixels.
_PIXELS: Final = {
    ImageSize.SQUARE: "1024x1024",
    ImageSize.LANDSCAPE: "1365x1024",
    ImageSize.PORTRAIT: "1024x1365",
    ImageSize.WIDE: "1820x1024",
    ImageSize.TALL: "1024x1820",
}


class AIImageGeneratorBlock(Block):
    """Makes a picture from words, with one of five models of Replicate."""

    id = "ed1ae7a0-b770-4089-b520-1f0005fad19a"
    categories = (Category.AI,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={"prompt": "A cat in the snow", "credentials": MINE},
            outputs=[("image_url", _PICTURE)],
        ),
        Example(
            inputs={
                "prompt": "A cat in the snow",
                "model": "Recraft v3",
                "size": "wide",
                "style": "digital_illustration",
                "credentials": MINE,
            },
            outputs=[("image_url", _PICTURE)],
        ),
        Example(
            inputs={"prompt": "A cat", "model": "Dall-E", "credentials": MINE},
            error="'Dall-E' is not one of",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        prompt: str = pin(description="What is to be seen.", placeholder="A cat in the snow")
        model: ImageGenModel = pin(
            default=ImageGenModel.SD3_5,
            title="Model",
            description="Who makes it.",
            schema={"enum": [*map(str, ImageGenModel)], "type": "string"},
        )
        size: ImageSize = pin(
            default=ImageSize.SQUARE,
            title="Image Format",
            description="Its shape.",
            schema={"enum": [*map(str, ImageSize)], "type": "string"},
        )
        style: str = pin(
            default="any",
            title="Image Style",
            description="How it looks.",
            schema={"enum": _STYLES, "type": "string"},
        )

    @pins
    class Output:
        """Output pins."""

        image_url: str = pin(description="The address of the picture; it goes after an hour.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the address of the picture."""
        output = await predicted(
            context, inputs.credentials, _NAMES[inputs.model], _asked_for(inputs)
        )
        yield "image_url", text_of(output)


def _asked_for(inputs: AIImageGeneratorBlock.Input) -> dict[str, Any]:
    if inputs.model is ImageGenModel.RECRAFT:
        return {"prompt": inputs.prompt, "size": _PIXELS[inputs.size], "style": inputs.style}
    # The others know no styles, but words.
    words = (
        "" if inputs.style == "any" else inputs.style.replace("_", " ").replace("/", ", ") + ": "
    )
    png = inputs.model in (ImageGenModel.NANO_BANANA_PRO, ImageGenModel.FLUX_ULTRA)
    return {
        "prompt": words + inputs.prompt,
        "aspect_ratio": _RATIOS[inputs.size],
        "output_format": "png" if png else "webp",
    }


class FluxModel(StrEnum):
    """Which of the Flux models."""

    SCHNELL = "Flux Schnell"
    PRO = "Flux Pro"
    PRO1_1 = "Flux Pro 1.1"


_FLUX: Final = {
    FluxModel.SCHNELL: "black-forest-labs/flux-schnell",
    FluxModel.PRO: "black-forest-labs/flux-pro",
    FluxModel.PRO1_1: "black-forest-labs/flux-1.1-pro",
}


class ReplicateFluxAdvancedModelBlock(Block):
    """Makes a picture from words with a Flux model of Replicate, and all its levers."""

    id = "90f8c45e-e983-4644-aa0b-b4ebe2f531bc"
    categories = (Category.AI, Category.MULTIMEDIA)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={"prompt": "A cat in the snow", "seed": 7, "credentials": MINE},
            outputs=[("result", _PICTURE)],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        prompt: str = pin(description="What is to be seen.")
        replicate_model_name: FluxModel = pin(
            default=FluxModel.SCHNELL,
            title="Image Generation Model",
            advanced=False,
            description="Who makes it.",
            schema={"enum": [*map(str, FluxModel)], "type": "string"},
        )
        seed: int | None = pin(default=None, description="The same number makes the same picture.")
        steps: int = pin(default=25, description="How long it is worked on.")
        guidance: float = pin(default=3, description="How close it keeps to the words.")
        interval: float = pin(default=2, description="How much it varies.")
        aspect_ratio: str = pin(default="1:1", description="Its shape, width to height.")
        output_format: str = pin(
            default="webp",
            description="The kind of file.",
            schema={"enum": ["webp", "jpg", "png"], "type": "string"},
        )
        output_quality: int = pin(default=80, description="Of webp and jpg: 0 to 100.")
        safety_tolerance: int = pin(default=2, description="1 is strict, 5 is not.")

    @pins
    class Output:
        """Output pins."""

        result: str = pin(description="The address of the picture; it goes after an hour.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the address of the picture."""
        asked = {
            "prompt": inputs.prompt,
            "steps": inputs.steps,
            "guidance": inputs.guidance,
            "interval": inputs.interval,
            "aspect_ratio": inputs.aspect_ratio,
            "output_format": inputs.output_format,
            "output_quality": inputs.output_quality,
            "safety_tolerance": inputs.safety_tolerance,
        }
        if inputs.seed is not None:
            asked["seed"] = inputs.seed
        model = _FLUX[inputs.replicate_model_name]
        yield "result", text_of(await predicted(context, inputs.credentials, model, asked))
