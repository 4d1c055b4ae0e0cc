"""Pictures: what is sent where, what is kept, and what is not paid for twice."""

from dataclasses import replace
from typing import Any

from backend.blocks.ideogram.generate_image import IdeogramModelBlock
from backend.blocks.openai.generate_image import OpenAIImageGeneratorBlock
from backend.blocks.replicate.change_image import AIImageCustomizerBlock
from backend.blocks.replicate.make_music import AIMusicGeneratorBlock
from backend.sdk import Block, BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn
from backend.testing.standin.pictures import PNG, fields_of, form_of
from tests.blocks.test_chats_and_pictures import KeptSteps

CAT = "data:image/png;name=cat.png;base64,iVBORw0KGgo="


async def made(block: Block, provider: str, context: BlockContext, **inputs: Any) -> Any:
    inputs["credentials"] = {"id": "mine", "provider": provider, "type": "api_key"}
    [(_, value)] = await outputs_of(block, inputs, context)
    return value


async def test_a_picture_of_openai_is_a_file_of_the_run(
    services: StandIn, played: BlockContext
) -> None:
    image = await made(OpenAIImageGeneratorBlock(), "openai", played, prompt="A cat")

    async with played.run_files().open(image) as file:
        assert (file.content.read(), file.media_type) == (PNG, "image/png")
    [asked] = services.asked
    assert (asked.path, asked.json()["model"]) == ("/images/generations", "gpt-image-1")


async def test_pictures_to_change_go_along(services: StandIn, played: BlockContext) -> None:
    await made(
        OpenAIImageGeneratorBlock(),
        "openai",
        played,
        prompt="A hat",
        images=[CAT, CAT],
        size="auto",
    )

    [asked] = services.asked
    assert asked.path == "/images/edits"
    assert fields_of(asked)["prompt"] == "A hat"
    sent = [(name, content) for name, file, content in form_of(asked) if file]
    assert sent == [("image[]", PNG), ("image[]", PNG)]


async def test_a_picture_that_is_there_is_not_made_again(
    services: StandIn, played: BlockContext
) -> None:
    again = replace(played, steps=KeptSteps())

    first = await made(OpenAIImageGeneratorBlock(), "openai", again, prompt="A cat")
    second = await made(OpenAIImageGeneratorBlock(), "openai", again, prompt="A cat")

    assert first == second
    assert len(services.asked) == 1


async def test_the_newest_of_ideogram_is_asked_in_its_own_words(
    services: StandIn, played: BlockContext
) -> None:
    await made(
        IdeogramModelBlock(),
        "ideogram",
        played,
        prompt="A cat\r\n--",
        aspect_ratio="ASPECT_16_9",
        style_type="ANIME",
        color_palette_name="EMBER",
        seed=7,
    )

    [asked] = services.asked
    assert fields_of(asked) == {
        "prompt": "A cat\r\n--",
        "aspect_ratio": "16x9",
        "magic_prompt": "AUTO",
        "rendering_speed": "DEFAULT",
        "style_type": "FICTION",
        "seed": "7",
        "color_palette": '{"name":"EMBER"}',
    }


async def test_an_older_one_is_told_nothing_that_it_does_not_know(
    services: StandIn, played: BlockContext
) -> None:
    given = {"prompt": "A cat", "style_type": "ANIME", "color_palette_name": "EMBER"}

    await made(IdeogramModelBlock(), "ideogram", played, ideogram_model_name="V_1", **given)
    await made(IdeogramModelBlock(), "ideogram", played, ideogram_model_name="V_2", **given)

    oldest, older = [asked.json()["image_request"] for asked in services.asked]
    assert not oldest.keys() & {"style_type", "color_palette"}
    assert (older["style_type"], older["color_palette"]) == ("ANIME", {"name": "EMBER"})


async def test_a_file_of_the_run_is_sent_to_replicate_once(
    services: StandIn, played: BlockContext
) -> None:
    context = replace(played, steps=KeptSteps())

    await made(
        AIImageCustomizerBlock(),
        "replicate",
        context,
        prompt="A hat",
        images=[CAT, "https://example.com/dog.png"],
    )

    sent, begun = [asked for asked in services.asked if asked.method == "POST"]
    assert (sent.path, [content for _, _, content in form_of(sent)]) == ("/files", [PNG])
    assert begun.path == "/models/google/nano-banana/predictions"
    assert begun.json()["input"]["image_input"] == [
        "https://api.replicate.com/v1/files/f1",
        "https://example.com/dog.png",
    ]


async def test_a_model_that_runs_by_version_alone_is_run_by_its_present_one(
    services: StandIn, played: BlockContext
) -> None:
    music = await made(AIMusicGeneratorBlock(), "replicate", played, prompt="Rain")

    assert music == "https://example.com/music.wav"
    assert services.asked[2].json()["version"] == "m1"
