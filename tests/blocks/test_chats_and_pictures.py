"""Discord, Google Maps and Replicate: what is done once, and how what takes long is waited for."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.blocks.discord import read_messages
from backend.blocks.discord.read_messages import ReadDiscordMessagesBlock, id_at
from backend.blocks.discord.send_message import SendDiscordMessageBlock
from backend.blocks.discord.service import MINE, pieces
from backend.blocks.google_maps import search
from backend.blocks.google_maps.search import GoogleMapsSearchBlock
from backend.blocks.replicate import service
from backend.blocks.replicate.run_model import ReplicateModelBlock
from backend.core.errors import BlockError
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from backend.testing.standin import Reply, StandIn

MAPS = {"id": "mine", "provider": "google_maps", "type": "api_key"}
MODEL = {"id": "mine", "provider": "replicate", "type": "api_key"}
HELLO = {"message_content": "Hello", "channel_name": "#General", "credentials": MINE}


async def said(context: BlockContext, **changes: Any) -> dict[str, Any]:
    return dict(await outputs_of(SendDiscordMessageBlock(), {**HELLO, **changes}, context))


async def test_a_message_that_is_sent_again_is_the_same_message(
    services: StandIn, played: BlockContext
) -> None:
    first = await said(replace(played, idempotency_key="node-a"))
    again = await said(replace(played, idempotency_key="node-a"))
    other = await said(replace(played, idempotency_key="node-b"))

    assert first["message_id"] == again["message_id"] != other["message_id"]
    sent = [asked.json() for asked in services.asked if asked.method == "POST"]
    assert all(message["enforce_nonce"] and len(message["nonce"]) <= 25 for message in sent)


async def test_a_long_text_is_several_messages(services: StandIn, played: BlockContext) -> None:
    text = "A line of forty characters, more or less.\n" * 120

    await said(replace(played, idempotency_key="long"), message_content=text)

    sent = [asked.json() for asked in services.asked if asked.method == "POST"]
    assert "".join(message["content"] for message in sent) == text
    assert len({message["nonce"] for message in sent}) == len(sent) == 3
    assert pieces("x" * 4001) == ["x" * 2000, "x" * 2000, "x"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"server_name": "Elsewhere"}, "in no server called 'Elsewhere'"),
        ({"channel_name": "100000000000000000"}, "404: Unknown Channel"),
        ({"message_content": " "}, "nothing to say"),
    ],
)
async def test_a_message_without_a_place_is_not_sent(
    services: StandIn, played: BlockContext, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BlockError, match=reason):
        await said(played, **changes)

    assert [asked for asked in services.asked if asked.method == "POST"] == []


async def test_a_message_is_waited_for(
    services: StandIn, played: BlockContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_messages, "EVERY_S", 0.01)
    robot, home = Reply(value={"id": "1"}), Reply(value=[{"id": "1000000000000000001"}])
    services.next("discord", robot, home, Reply(value=[]), Reply(value=[]))

    outputs = dict(await outputs_of(ReadDiscordMessagesBlock(), {"credentials": MINE}, played))

    assert outputs["message_content"] == "I am here"  # the bot's own, for somebody else's bot
    asked = [asked for asked in services.asked if asked.path.endswith("/messages")]
    assert int(asked[0].one("after")) == id_at(played.started)


async def test_nobody_waits_for_a_message_for_ever(
    services: StandIn, played: BlockContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_messages, "EVERY_S", 0.01)
    monkeypatch.setattr(read_messages, "MOST_S", 0.1)
    late = replace(played, started_us=int(datetime(2099, 1, 1, tzinfo=UTC).timestamp() * 1e6))

    with pytest.raises(BlockError, match="waiting for a message on Discord was not done"):
        await outputs_of(ReadDiscordMessagesBlock(), {"credentials": MINE}, late)

    assert not any(asked.path.endswith("/messages") for asked in services.asked)


async def test_all_pages_of_a_map_are_read(
    services: StandIn, played: BlockContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MARK_EVERY_S", 0.01)
    asked = {"query": "Bar", "radius": 700, "max_results": 45, "credentials": MAPS}

    outputs = await outputs_of(GoogleMapsSearchBlock(), asked, played)

    assert [place["name"] for _, place in outputs] == [f"Bar {n}" for n in range(1, 46)]
    assert services.asked[0].one("radius") == "700"


async def test_a_map_says_in_its_body_what_is_wrong(
    services: StandIn, played: BlockContext
) -> None:
    denied = {"status": "REQUEST_DENIED", "error_message": "This API is not activated"}
    services.next("google_maps", Reply(value=denied))

    with pytest.raises(BlockError, match="REQUEST_DENIED: This API is not activated"):
        await outputs_of(GoogleMapsSearchBlock(), {"query": "x", "credentials": MAPS}, played)


async def test_a_prediction_is_begun_once_and_waited_for(
    services: StandIn, played: BlockContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EVERY_S", 0.01)
    services.play("replicate").looks = 3
    asked = {"model_name": "meta/llama", "version": "abc", "credentials": MODEL}

    outputs = await outputs_of(ReplicateModelBlock(), asked, played)

    assert outputs[0] == ("result", "https://example.com/picture.webp")
    begun = [each for each in services.asked if each.method == "POST"]
    assert [(each.path, each.json()["version"]) for each in begun] == [("/predictions", "abc")]
    assert len(services.asked) == 5


async def test_after_a_crash_a_prediction_is_asked_for_by_its_id(
    services: StandIn, played: BlockContext
) -> None:
    asked = {"model_name": "meta/llama", "credentials": MODEL}
    steps = KeptSteps()
    services.next("replicate", Reply(value={"id": "p-lost"}), Reply(status=500))
    with pytest.raises(BlockError):
        await outputs_of(ReplicateModelBlock(), asked, replace(played, steps=steps))

    services.next("replicate", Reply(value={"status": "succeeded", "output": "here"}))
    outputs = await outputs_of(ReplicateModelBlock(), asked, replace(played, steps=steps))

    assert outputs[0] == ("result", "here")
    assert [each.method for each in services.asked] == ["POST", "GET", "GET"]
    assert services.asked[-1].path == "/predictions/p-lost"


class KeptSteps:
    """Remembers steps as the journal does."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    async def once(self, name: str, work: Any, effect: Any = None) -> Any:
        """See `backend.sdk.context.Steps`."""
        del effect
        if name not in self._known:
            self._known[name] = await work(name)
        return self._known[name]
