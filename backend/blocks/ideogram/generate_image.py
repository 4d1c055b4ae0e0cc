"""IdeogramModelBlock: pictures from words by Ideogram."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from backend.sdk import (
    Block,
    BlockContext,
    Category,
    CredentialsKind,
    Effect,
    Example,
    FormBody,
    JsonObject,
    RawBody,
    WebFile,
    WebLimits,
    credentials_pin,
    json_text,
    pin,
    pins,
)
from backend.sdk.services import Service, ServiceCalls

IDEOGRAM: Final = Service(
    provider="ideogram",
    name="Ideogram",
    url="https://api.ideogram.ai",
    header="Api-Key",
    limits=WebLimits(timeout_s=180.0),
)
_MINE: Final = {"id": "mine", "provider": "ideogram", "type": "api_key"}
_LENT: Final = {
    "id": "760f84fc-b270-42de-91f6-08efe1b512d0",
    "provider": "ideogram",
    "type": "api_key",
}
_PICTURE: Final = "https://example.com/picture.png"
_NEWEST: Final = "V_3"
_MODELS: Final = (_NEWEST, "V_2", "V_1", "V_1_TURBO", "V_2_TURBO")
#: Those that know neither styles nor palettes.
_OLDEST: Final = ("V_1", "V_1_TURBO")
_SHAPES: Final = (
    "10_16", "16_10", "9_16", "16_9", "3_2", "2_3", "4_3", "3_4", "1_1", "1_3", "3_1",
)  # fmt: skip
_STYLES: Final = ("AUTO", "GENERAL", "REALISTIC", "DESIGN", "RENDER_3D", "ANIME")
#: What the newest model has instead of styles that only older ones have.
_NEW_STYLES: Final = {"RENDER_3D": "GENERAL", "ANIME": "FICTION"}
_PALETTES: Final = (
    "NONE", "EMBER", "FRESH", "JUNGLE", "MAGIC", "MELON", "MOSAIC", "PASTEL", "ULTRAMARINE",
)  # fmt: skip
_UPSCALE: Final = "AI Upscale"


class IdeogramModelBlock(Block):
    """Makes a picture from words with a model of Ideogram, which can write into it, too."""

    id = "6ab085e2-20b3-4055-bc3e-08036e01eca6"
    categories = (Category.AI, Category.MULTIMEDIA)
    # As with any model, doing it twice changes nothing but the bill; what was answered is kept.
    effect = Effect.READ
    retries = 2
    costs = (
        {"cost_amount": 16, "cost_filter": {"credentials": _LENT}, "cost_type": "run"},
        {
            "cost_amount": 18,
            "cost_filter": {"ideogram_model_name": _NEWEST, "credentials": _LENT},
            "cost_type": "run",
        },
    )
    examples = (
        Example(
            inputs={"prompt": "A cat in the snow", "credentials": _MINE},
            outputs=[("result", _PICTURE)],
        ),
        Example(
            inputs={
                "prompt": "A cat in the snow",
                "ideogram_model_name": "V_2",
                "upscale": _UPSCALE,
                "custom_color_palette": ["#FF0000"],
                "credentials": _MINE,
            },
            outputs=[("result", "https://example.com/large.png")],
        ),
        Example(inputs={"prompt": " ", "credentials": _MINE}, error="the prompt is empty"),
        Example(
            inputs={"prompt": "unsafe", "credentials": _MINE},
            error="Ideogram holds the picture back",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["ideogram"], [CredentialsKind.KEY], description="A key of Ideogram."
        )
        prompt: str = pin(
            description="What is to be seen, and to be read in it.",
            placeholder='A cat that holds a sign, "Hello"',
        )
        ideogram_model_name: str = pin(
            default=_NEWEST,
            title="Image Generation Model",
            advanced=False,
            description="Who makes it.",
            schema={"enum": [*_MODELS], "type": "string"},
        )
        aspect_ratio: str = pin(
            default="ASPECT_1_1",
            title="Aspect Ratio",
            advanced=False,
            description="Its shape, width to height.",
            schema={"enum": [f"ASPECT_{shape}" for shape in _SHAPES], "type": "string"},
        )
        upscale: str = pin(
            default="No Upscale",
            title="Upscale Image",
            advanced=False,
            description="Whether it is made larger afterwards.",
            schema={"enum": [_UPSCALE, "No Upscale"], "type": "string"},
        )
        magic_prompt_option: str = pin(
            default="AUTO",
            title="Magic Prompt Option",
            description="Whether Ideogram puts the words into better ones first.",
            schema={"enum": ["AUTO", "ON", "OFF"], "type": "string"},
        )
        seed: int | None = pin(default=None, description="The same number makes the same picture.")
        style_type: str = pin(
            default="AUTO",
            title="Style Type",
            description="How it looks; the models of version 1 know no styles.",
            schema={"enum": [*_STYLES], "type": "string"},
        )
        negative_prompt: str | None = pin(
            default=None, title="Negative Prompt", description="What is not to be seen."
        )
        color_palette_name: str = pin(
            default="NONE",
            title="Color Palette Preset",
            description="Its colours; the models of version 1 know no palettes.",
            schema={"enum": [*_PALETTES], "type": "string"},
        )
        custom_color_palette: list[str] | None = pin(
            default=None,
            title="Custom Color Palette",
            description="Colours instead of those of a palette, as #RRGGBB.",
        )

    @pins
    class Output:
        """Output pins."""

        result: str = pin(description="The address of the picture; it goes after a day.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the address of the picture."""
        if not inputs.prompt.strip():
            raise ValueError("the prompt is empty")
        calls = IDEOGRAM.calls(context, inputs.credentials)
        picture = await context.once("picture", lambda _key: _made(calls, inputs))
        if inputs.upscale == _UPSCALE:
            picture = await context.once("larger", lambda _key: _larger(calls, context, picture))
        yield "result", picture


async def _made(calls: ServiceCalls, inputs: IdeogramModelBlock.Input) -> str:
    if inputs.ideogram_model_name == _NEWEST:
        body = _form(_asked_of_newest(inputs))
        answer = await calls.send("POST", "v1/ideogram-v3/generate", body=body)
        return _address(calls, calls.json_of(answer))
    asked: JsonObject = {"image_request": _asked_of_older(inputs)}
    return _address(calls, await calls.json("POST", "generate", value=asked))


async def _larger(calls: ServiceCalls, context: BlockContext, picture: str) -> str:
    found = await context.guarded_web().send("GET", picture)
    media_type = (found.header("content-type") or "image/png").partition(";")[0]
    if not 200 <= found.status < 300:  # noqa: PLR2004 - the borders of success
        raise calls.nonsense(f"its picture answers with status {found.status}")
    file = WebFile(
        name="image_file", filename="picture", content=found.content, media_type=media_type
    )
    body = FormBody(fields={"image_request": "{}"}, files=[file])
    return _address(calls, calls.json_of(await calls.send("POST", "upscale", body=body)))


def _asked_of_older(inputs: IdeogramModelBlock.Input) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "prompt": inputs.prompt,
        "model": inputs.ideogram_model_name,
        "aspect_ratio": inputs.aspect_ratio,
        "magic_prompt_option": inputs.magic_prompt_option,
        "seed": inputs.seed,
        "negative_prompt": inputs.negative_prompt,
    }
    if inputs.ideogram_model_name not in _OLDEST:
        asked |= {"style_type": inputs.style_type, "color_palette": _palette(inputs)}
    return {name: value for name, value in asked.items() if value is not None}


def _asked_of_newest(inputs: IdeogramModelBlock.Input) -> dict[str, str]:
    palette = _palette(inputs)
    asked = {
        "prompt": inputs.prompt,
        "aspect_ratio": inputs.aspect_ratio.removeprefix("ASPECT_").replace("_", "x"),
        "magic_prompt": inputs.magic_prompt_option,
        "rendering_speed": "DEFAULT",
        "style_type": _NEW_STYLES.get(inputs.style_type, inputs.style_type),
        "seed": None if inputs.seed is None else str(inputs.seed),
        "negative_prompt": inputs.negative_prompt,
        "color_palette": None if palette is None else json_text(palette),
    }
    return {name: value for name, value in asked.items() if value is not None}


def _palette(inputs: IdeogramModelBlock.Input) -> dict[str, Any] | None:
    if inputs.custom_color_palette:
        return {"members": [{"color_hex": color} for color in inputs.custom_color_palette]}
    return None if inputs.color_palette_name == "NONE" else {"name": inputs.color_palette_name}


def _form(fields: Mapping[str, str]) -> RawBody:
    """Return *fields* as a multipart form, which the newest API wants without a file, too."""
    mark = hashlib.sha256(json_text([*fields.values()]).encode()).hexdigest()
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    content = "".join([*parts, f"--{mark}--\r\n"]).encode()
    return RawBody(content=content, media_type=f"multipart/form-data; boundary={mark}")


def _address(calls: ServiceCalls, found: Any) -> str:
    rows = calls.entries(found if isinstance(found, dict) else {}, "data")
    if not rows:
        raise calls.nonsense("it has no picture")
    if rows[0].get("is_image_safe") is False or not rows[0].get("url"):
        raise ValueError("Ideogram holds the picture back: it does not take it for a safe one")
    return str(rows[0]["url"])
