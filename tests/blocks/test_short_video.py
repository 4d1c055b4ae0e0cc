"""Short videos of RevID: asked for as its API has it, begun once, waited for."""

from typing import Any

import pytest

from backend.blocks.revid import short_video
from backend.blocks.revid.short_video import AIShortformVideoCreatorBlock
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import Reply, StandIn

ASKED: dict[str, Any] = {
    "script": "Look!",
    "credentials": {"id": "mine", "provider": "revid", "type": "api_key"},
}


async def test_a_video_is_begun_once_and_waited_for(
    services: StandIn, played: BlockContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_video, "EVERY_S", 0.01)
    services.play("revid").looks = 3

    outputs = await outputs_of(AIShortformVideoCreatorBlock(), ASKED, played)

    assert outputs == [("video_url", "https://example.com/video.mp4")]
    assert [each.method for each in services.asked] == ["POST", "GET", "GET", "GET", "GET"]


@pytest.mark.parametrize(
    ("music", "address"),
    [
        ("Twin Tyches", "https://cdn.tfrv.xyz/audio/twin-tynches.mp3"),
        (
            "Dont Stop Me Abstract Future Bass",
            "https://cdn.revid.ai/audio/_dont-stop-me-abstract-future-bass.mp3",
        ),
    ],
)
async def test_names_are_told_as_the_service_knows_them(
    services: StandIn, played: BlockContext, music: str, address: str
) -> None:
    chosen = {"voice": "Brian", "generation_preset": "Sketch B&W", "video_style": "aiVideo"}

    await outputs_of(
        AIShortformVideoCreatorBlock(), {**ASKED, **chosen, "background_music": music}, played
    )

    sent = services.asked[0].json()["creationParams"]
    assert (sent["selectedVoice"], sent["generationPreset"]) == (
        "nPczCjzI2devNBz1zQrb",
        "SKETCH_BW",
    )
    assert (sent["audioUrl"], sent["hasToGenerateVideos"]) == (address, True)


async def test_a_video_without_an_address_is_no_video(
    services: StandIn, played: BlockContext
) -> None:
    services.next("revid", Reply(value={"pid": "v1"}), Reply(value={"status": "ready"}))

    with pytest.raises(BlockError, match="does not say where the video is"):
        await outputs_of(AIShortformVideoCreatorBlock(), ASKED, played)
