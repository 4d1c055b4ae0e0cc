"""Discord: frames, files, threads, and what people and channels are."""

from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.discord.look_up import (
    DiscordChannelInfoBlock,
    DiscordGetCurrentUserBlock,
    DiscordUserInfoBlock,
    made_at,
    picture_of,
)
from backend.blocks.discord.send_more import (
    CreateDiscordThreadBlock,
    SendDiscordEmbedBlock,
    SendDiscordFileBlock,
)
from backend.blocks.discord.service import MINE
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import StandIn
from backend.testing.standin.messages import KEY, Reply

EMBED: dict[str, Any] = {"channel_identifier": "general", "credentials": MINE}
FILE = {**EMBED, "file": "data:text/plain;base64,aGVsbG8="}


def sent(services: StandIn) -> list[Any]:
    return [each for each in services.asked if each.method == "POST"]


async def test_a_frame_has_what_was_given_and_no_more(
    services: StandIn, played: BlockContext
) -> None:
    asked = {
        **EMBED,
        "title": "T" * 300,
        "image_url": "https://example.com/a.png",
        "footer_text": "below",
        "color": 99_999_999,
        "fields": [{"name": 1, "value": None, "inline": False}, {"name": "b", "value": "c"}],
    }

    for _ in range(2):
        await outputs_of(SendDiscordEmbedBlock(), asked, replace(played, idempotency_key="one"))

    first, again = (each.json() for each in sent(services))
    assert first["nonce"] == again["nonce"]
    assert first["embeds"] == [
        {
            "title": "T" * 256,
            "image": {"url": "https://example.com/a.png"},
            "footer": {"text": "below"},
            "fields": [
                {"name": "1", "value": "None", "inline": False},
                {"name": "b", "value": "c", "inline": True},
            ],
            "color": 0xFFFFFF,
        }
    ]


async def test_a_frame_has_so_many_fields_and_no_more(played: BlockContext) -> None:
    asked = {**EMBED, "fields": [{"name": "a", "value": "b"}] * 26}

    with pytest.raises(BlockError, match="25 are the most"):
        await outputs_of(SendDiscordEmbedBlock(), asked, played)


async def test_a_file_goes_with_its_name_and_a_nonce(
    services: StandIn, played: BlockContext
) -> None:
    asked = {**FILE, "filename": "hello.txt", "message_content": "Look"}

    await outputs_of(SendDiscordFileBlock(), asked, replace(played, idempotency_key="one"))

    [message] = sent(services)
    assert message.headers["content-type"].startswith("multipart/form-data")
    assert b'filename="hello.txt"' in message.body
    assert b"hello" in message.body
    assert b'"enforce_nonce":true' in message.body.replace(b" ", b"")


async def test_a_file_that_is_too_large_is_not_sent(
    services: StandIn, played: BlockContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.blocks.discord.send_more._BYTES", 4)

    with pytest.raises(BlockError, match="larger than"):
        await outputs_of(SendDiscordFileBlock(), FILE, played)

    assert sent(services) == []


async def test_a_thread_may_begin_with_words_and_may_be_private(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"channel_name": "general", "thread_name": " Plans ", "credentials": MINE}

    await outputs_of(CreateDiscordThreadBlock(), asked, played)
    await outputs_of(
        CreateDiscordThreadBlock(),
        {**asked, "is_private": True, "auto_archive_duration": "60", "message_content": "Hi"},
        played,
    )

    public, private, words = (each.json() for each in sent(services))
    assert public == {"name": "Plans", "type": 11, "auto_archive_duration": 10080}
    assert (private["type"], private["auto_archive_duration"]) == (12, 60)
    assert words["content"] == "Hi"


async def test_the_server_of_a_channel_is_named_however_it_was_found(
    played: BlockContext,
) -> None:
    asked = {"channel_identifier": "1000000000000000011", "credentials": MINE}

    outputs = dict(await outputs_of(DiscordChannelInfoBlock(), asked, played))

    assert (outputs["server_id"], outputs["server_name"]) == ("1000000000000000001", "Home")


async def test_a_channel_without_a_server_has_none(services: StandIn, played: BlockContext) -> None:
    services.next("discord", Reply(value={"id": "1", "type": 99}))

    outputs = dict(
        await outputs_of(
            DiscordChannelInfoBlock(),
            {"channel_identifier": "1000000000000000031", "credentials": MINE},
            played,
        )
    )

    assert outputs == {
        "channel_id": "1",
        "channel_name": "",
        "server_id": "",
        "server_name": "",
        "channel_type": "99",
    }


async def test_ones_own_account_is_asked_with_its_own_token(
    services: StandIn, played: BlockContext
) -> None:
    mine = {"id": "mine", "provider": "discord", "type": "oauth2"}
    me = {"id": "1", "username": "ann", "banner": "a_b1", "accent_color": 7}
    services.next("discord", Reply(value=me))

    outputs = dict(await outputs_of(DiscordGetCurrentUserBlock(), {"credentials": mine}, played))

    assert services.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert outputs["banner_url"] == "https://cdn.discordapp.com/banners/1/a_b1.gif"
    assert outputs["accent_color"] == 7


def test_who_has_no_picture_has_one_of_discords() -> None:
    assert picture_of({"id": "1000000000000000021"}).startswith(
        "https://cdn.discordapp.com/embed/avatars/"
    )
    assert picture_of({"id": "x"}).endswith("/0.png")
    assert made_at("x") == ""


@pytest.mark.parametrize("user_id", ["", "@me", "1/guilds", "\u0661\u0662"])
async def test_an_id_of_a_person_is_a_number(
    services: StandIn, played: BlockContext, user_id: str
) -> None:
    with pytest.raises(BlockError, match="is no id of a person"):
        await outputs_of(DiscordUserInfoBlock(), {"user_id": user_id, "credentials": MINE}, played)

    assert services.asked == []
