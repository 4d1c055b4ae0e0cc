"""AIShortformVideoCreator: a short video of what is written, with a voice and music, by RevID."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any, Final

from backend.sdk import (
    BadRequest,
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
from backend.sdk.services import Service, ServiceCalls, until

REVID: Final = Service(
    provider="revid", name="RevID", url="https://www.revid.ai/api/public/v2", header="key"
)
#: Between two looks at a video, and for all of them.
EVERY_S: Final = 10.0
MOST_S: Final = 1800.0
_MINE: Final = {"id": "mine", "provider": "revid", "type": "api_key"}
_VIDEO: Final = "https://example.com/video.mp4"


class VisualMediaType(StrEnum):
    """What is seen."""

    STOCK_VIDEOS = "stockVideo"
    MOVING_AI_IMAGES = "movingImage"
    AI_VIDEO = "aiVideo"


#: Voices by name; RevID knows them by these ids.
_VOICES: Final = {
    "Lily": "pFZP5JQG7iQjIQuC4Bku",
    "Daniel": "onwK4e9ZLuTAKqWW03F9",
    "Brian": "nPczCjzI2devNBz1zQrb",
    "Jessica": "cgSgspJ2msm6clMCkdW9",
    "Charlotte": "XB0fDUnXU5powFXDhCwa",
    "Callum": "N2lVS1w4EtoT3dr4eOWO",
    "Eva": "FGY2WhTYpPnrIDTdsKH5",
}
#: Music by name, and its file at RevID.
_MUSIC: Final = {
    "Observer": "observer",
    "Futuristic Beat": "_futuristic-beat",
    "Science Documentary": "_science-documentary",
    "Hotline": "_hotline",
    "Bladerunner 2049": "_bladerunner-2049",
    "A Future": "a-future",
    "Elysian Embers": "elysian-embers",
    "Inspiring Cinematic": "inspiring-cinematic-ambient",
    "Bladerunner Remix": "bladerunner-remix",
    "Izzamuzzic": "_izzamuzzic",
    "Nas": "_nas",
    "Paris - Else": "_paris-else",
    "Snowfall": "_snowfall",
    "Burlesque": "burlesque",
    "Corny Candy": "corny-candy",
    "Highway Nocturne": "highway-nocturne",
    "I Don't Think So": "i-dont-think-so",
    "Losing Your Marbles": "losing-your-marbles",
    "Refresher": "refresher",
    "Tourist": "tourist",
    "Twin Tyches": "twin-tynches",
    "Dont Stop Me Abstract Future Bass": "_dont-stop-me-abstract-future-bass",
}
_NEWEST_MUSIC: Final = "Dont Stop Me Abstract Future Bass"  # this one lies elsewhere
#: Looks by name, and what RevID calls them.
_LOOKS: Final = {
    "Default": "LEONARDO",
    "Anime": "ANIME",
    "Realist": "REALISM",
    "Illustration": "ILLUSTRATION",
    "Sketch Color": "SKETCH_COLOR",
    "Sketch B&W": "SKETCH_BW",
    "Pixar": "PIXAR",
    "Japanese Ink": "INK",
    "3D Render": "RENDER_3D",
    "Lego": "LEGO",
    "Sci-Fi": "SCIFI",
    "Retro Cartoon": "RECRO_CARTOON",
    "Pixel Art": "PIXEL_ART",
    "Creative": "CREATIVE",
    "Photography": "PHOTOGRAPHY",
    "Raytraced": "RAYTRACED",
    "Environment": "ENVIRONMENT",
    "Fantasy": "FANTASY",
    "Anime Realism": "ANIME_SR",
    "Movie": "MOVIE",
    "Stylized Illustration": "STYLIZED_ILLUSTRATION",
    "Manga": "MANGA",
    "DEFAULT": "DEFAULT",
}


class AIShortformVideoCreatorBlock(Block):
    """Makes a short video of a script with RevID: pictures, a voice that speaks, music."""

    id = "361697fb-0c4f-4feb-aed3-8320c88c771b"
    categories = (Category.AI, Category.SOCIAL)
    # Each video is paid for, and RevID takes no key that tells two requests from one.
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={"script": "[a cat in the snow] Look at it!", "credentials": _MINE},
            outputs=[("video_url", _VIDEO)],
        ),
        Example(
            inputs={"script": "broken", "credentials": _MINE},
            error="RevID did not finish the video: No pictures found",
        ),
        Example(inputs={"script": " ", "credentials": _MINE}, error="the script is empty"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["revid"], [CredentialsKind.KEY], description="A key of RevID."
        )
        script: str = pin(
            description="What is said, a scene for each line; [what is seen] in brackets.",
            placeholder="[a cat in the snow] Look at it!",
        )
        ratio: str = pin(default="9 / 16", description="Its shape, width to height.")
        resolution: str = pin(default="720p", description="How many lines it has.")
        frame_rate: int = pin(default=60, description="Pictures in a second.")
        generation_preset: str = pin(
            default="Default",
            title="GenerationPreset",
            description="How pictures look that are made for it.",
            schema={"enum": [*_LOOKS], "type": "string"},
        )
        background_music: str = pin(
            default="Highway Nocturne",
            title="AudioTrack",
            description="What plays meanwhile.",
            schema={"enum": [*_MUSIC], "type": "string"},
        )
        voice: str = pin(
            default="Lily",
            title="Voice",
            description="Who speaks.",
            schema={"enum": [*_VOICES], "type": "string"},
        )
        video_style: VisualMediaType = pin(
            default=VisualMediaType.STOCK_VIDEOS,
            title="VisualMediaType",
            description="Videos from a collection, pictures that move, or videos made for it.",
            schema={"enum": [*map(str, VisualMediaType)], "type": "string"},
        )

    @pins
    class Output:
        """Output pins."""

        video_url: str = pin(description="The address of the video, at RevID.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Begin the video once, wait for it, yield its address."""
        if not inputs.script.strip():
            raise ValueError("the script is empty")
        calls = REVID.calls(context, inputs.credentials)

        async def begin(_key: str) -> str:
            made = await calls.object("POST", "render", value=_asked_for(inputs))
            if not isinstance(made.get("pid"), str):
                raise calls.nonsense("it does not say which video is being made")
            return str(made["pid"])

        video = await context.once("video", begin)
        yield (
            "video_url",
            await until(
                lambda: _outcome(calls, video),
                every_s=EVERY_S,
                most_s=MOST_S,
                what="the video",
            ),
        )


def _asked_for(inputs: AIShortformVideoCreatorBlock.Input) -> dict[str, Any]:
    music = inputs.background_music
    host = "cdn.revid.ai" if music == _NEWEST_MUSIC else "cdn.tfrv.xyz"
    return {
        "frameRate": inputs.frame_rate,
        "resolution": inputs.resolution,
        "frameDurationMultiplier": 18,
        "creationParams": {
            "inputText": inputs.script,
            "ratio": inputs.ratio,
            "mediaType": str(inputs.video_style),
            "hasToGenerateVideos": inputs.video_style is not VisualMediaType.STOCK_VIDEOS,
            "generationPreset": _LOOKS[inputs.generation_preset],
            "hasEnhancedGeneration": True,
            "hasToSearchMedia": True,
            "selectedVoice": _VOICES[inputs.voice],
            "hasToGenerateVoice": True,
            "selectedAudio": music,
            "audioUrl": f"https://{host}/audio/{_MUSIC[music]}.mp3",
            "captionPresetName": "Wrap 1",
            "selectedStoryStyle": {"value": "custom", "label": "Custom"},
            "hasToTranscript": False,
            "hasAvatar": False,
            "hasWebsiteRecorder": False,
            "hasTextSmallAtBottom": False,
            "origin": "/create",
            "flowType": "text-to-video",
            "slug": "create-tiktok-video",
            "sourceType": "contentScraping",
        },
    }


async def _outcome(calls: ServiceCalls, video: str) -> str | None:
    """Return the address of a video; None while it is being made."""
    found = await calls.object("GET", "status", query={"pid": video})
    match found.get("status"):
        case "ready":
            if not isinstance(found.get("videoUrl"), str):
                raise calls.nonsense("it does not say where the video is")
            return str(found["videoUrl"])
        case "error" | "FAILED" | "CANCELED":
            why = str(found.get("error") or found.get("message") or "no reason")[:300]
            raise BadRequest(f"RevID did not finish the video: {why}")
        case _:
            return None
