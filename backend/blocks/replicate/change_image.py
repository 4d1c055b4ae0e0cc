"""Pictures from pictures, by models of Replicate."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.blocks.replicate.service import (
    MINE,
    key_pin,
    lent_costs,
    predicted,
    sent_file,
    text_of,
)
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins

_PICTURE: Final = "https://example.com/picture.webp"
_MOST_PICTURES: Final = 14  # of one request, by the larger of the models


class CustomizerModel(StrEnum):
    """Who makes the picture."""

    NANO_BANANA = "google/nano-banana"
    NANO_BANANA_PRO = "google/nano-banana-pro"


class AIImageCustomizerBlock(Block):
    """Makes a picture from words and other pictures, with the Nano Banana models at Replicate."""

    id = "d76bbe4c-930e-4894-8469-b66775511f71"
    categories = (Category.AI, Category.MULTIMEDIA)
    effect = Effect.KEYED
    retries = 2
    costs = (
        *lent_costs(10, model=CustomizerModel.NANO_BANANA.value),
        *lent_costs(14, model=CustomizerModel.NANO_BANANA_PRO.value),
    )
    examples = (
        Example(
            inputs={
                "prompt": "The cat, in the snow",
                "images": ["https://example.com/cat.png"],
                "credentials": MINE,
            },
            outputs=[("image_url", _PICTURE)],
        ),
        Example(
            inputs={
                "prompt": "The cat, in the snow",
                "images": ["data:image/png;base64,iVBORw0KGgo="],
                "credentials": MINE,
            },
            outputs=[("image_url", _PICTURE)],
        ),
        Example(
            inputs={"prompt": "x", "images": ["/etc/passwd"], "credentials": MINE},
            error="'/etc/passwd' is no file",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        prompt: str = pin(description="What is to be seen.")
        model: CustomizerModel = pin(
            default=CustomizerModel.NANO_BANANA,
            title="Model",
            description="Who makes it.",
            schema={"enum": [*map(str, CustomizerModel)], "type": "string"},
        )
        images: list[str] = pin(
            default_factory=list,
            title="Input Images",
            description="Pictures to take from; none: it is new.",
            schema={
                "default": [],
                "items": {"format": "file", "type": "string"},
                "type": "array",
            },
        )
        aspect_ratio: str = pin(
            default="match_input_image",
            title="Aspect Ratio",
            description="Its shape, width to height.",
            schema={
                "enum": [
                    "match_input_image", "1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16",
                    "16:9", "21:9",
                ],
                "type": "string",
            },
        )  # fmt: skip
        output_format: str = pin(
            default="png",
            title="Output Format",
            description="The kind of file.",
            schema={"enum": ["jpg", "png"], "type": "string"},
        )

    @pins
    class Output:
        """Output pins."""

        image_url: str = pin(
            format="file", description="The address of the picture; it goes after an hour."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the address of the picture."""
        if len(inputs.images) > _MOST_PICTURES:
            raise ValueError(f"there are {len(inputs.images)} pictures, and 14 are the most")
        sent = [
            await sent_file(context, inputs.credentials, source, name=f"file {place}")
            for place, source in enumerate(inputs.images)
        ]
        asked = {
            "prompt": inputs.prompt,
            "image_input": sent,
            "aspect_ratio": inputs.aspect_ratio,
            "output_format": inputs.output_format,
        }
        yield (
            "image_url",
            text_of(await predicted(context, inputs.credentials, str(inputs.model), asked)),
        )


class EditorModel(StrEnum):
    """Who changes the picture."""

    PRO = "Flux Kontext Pro"
    MAX = "Flux Kontext Max"


_EDITORS: Final = {
    EditorModel.PRO: "black-forest-labs/flux-kontext-pro",
    EditorModel.MAX: "black-forest-labs/flux-kontext-max",
}


class AIImageEditorBlock(Block):
    """Changes a picture as words say, with the Flux Kontext models at Replicate."""

    id = "3fd9c73d-4370-4925-a1ff-1b86b99fabfa"
    categories = (Category.AI, Category.MULTIMEDIA)
    effect = Effect.KEYED
    retries = 2
    costs = (
        *lent_costs(10, model=_EDITORS[EditorModel.PRO]),
        *lent_costs(20, model=_EDITORS[EditorModel.MAX]),
    )
    examples = (
        Example(
            inputs={
                "prompt": "Give the cat a hat",
                "input_image": "https://example.com/cat.png",
                "seed": 7,
                "credentials": MINE,
            },
            outputs=[("output_image", _PICTURE)],
        ),
        Example(
            inputs={"prompt": "A cat with a hat", "credentials": MINE},
            outputs=[("output_image", _PICTURE)],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = key_pin()
        prompt: str = pin(description="What is to be changed.")
        input_image: str | None = pin(
            default=None,
            title="Input Image",
            description="The picture; none: a new one is made.",
            schema={
                "anyOf": [{"format": "file", "type": "string"}, {"type": "null"}],
                "default": None,
            },
        )
        aspect_ratio: str = pin(
            default="match_input_image",
            title="Aspect Ratio",
            advanced=False,
            description="Its shape, width to height.",
            schema={
                "enum": [
                    "match_input_image", "1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "4:5",
                    "5:4", "21:9", "9:21", "2:1", "1:2",
                ],
                "type": "string",
            },
        )  # fmt: skip
        seed: int | None = pin(default=None, description="The same number makes the same picture.")
        model: EditorModel = pin(
            default=EditorModel.PRO,
            title="Model",
            description="Who changes it.",
            schema={"enum": [*map(str, EditorModel)], "type": "string"},
        )

    @pins
    class Output:
        """Output pins."""

        output_image: str = pin(
            format="file", description="The address of the picture; it goes after an hour."
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the address of the picture."""
        asked: dict[str, Any] = {"prompt": inputs.prompt, "aspect_ratio": inputs.aspect_ratio}
        if inputs.input_image:
            asked["input_image"] = await sent_file(
                context, inputs.credentials, inputs.input_image, name="file"
            )
        elif inputs.aspect_ratio == "match_input_image":
            asked["aspect_ratio"] = "1:1"  # there is none to match
        if inputs.seed is not None:
            asked["seed"] = inputs.seed
        model = _EDITORS[inputs.model]
        yield "output_image", text_of(await predicted(context, inputs.credentials, model, asked))
