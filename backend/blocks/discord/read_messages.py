"""ReadDiscordMessages: the next message that somebody writes where a bot can see it."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, Final

from backend.blocks.discord.service import MINE, bot_pin, calls_of, id_in, is_writable, servers_of
from backend.sdk import Block, BlockContext, Category, Effect, Example, pin, pins
from backend.sdk.services import Query, ServiceCalls, path_of, until

#: Between two looks. One look asks once for each server of the bot.
EVERY_S: Final = 5.0
MOST_S: Final = 3600.0
_MOST_MESSAGES: Final = 50
#: Ids of Discord begin to count here, in milliseconds, above their lowest 22 bits.
_EPOCH_MS: Final = 1_420_070_400_000


class ReadDiscordMessagesBlock(Block):
    """
    Waits for the next message on the servers of a bot on Discord, and gives it on.

    It looks every five seconds, for an hour at most, and finds what was written since its step
    began, also after a restart of the server. What the bot itself writes does not count.
    """

    id = "df06086a-d5ac-4abb-9996-2ad0acb2eff7"
    categories = (Category.SOCIAL,)
    effect = Effect.READ
    retries = 2
    examples = (
        Example(
            inputs={"credentials": MINE},
            outputs=[
                ("message_content", "Good morning"),
                ("message_id", "1999999999999999901"),
                ("channel_id", "1000000000000000011"),
                ("channel_name", "general"),
                ("user_id", "1000000000000000021"),
                ("username", "ann"),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()

    @pins
    class Output:
        """Output pins."""

        message_content: str = pin(description="What it says.")
        message_id: str = pin(description="The message.")
        channel_id: str = pin(description="Where it stands.")
        channel_name: str = pin(description="The name of that channel.")
        user_id: str = pin(description="Who wrote it.")
        username: str = pin(description="Their name.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Wait for it; yield it."""
        calls = calls_of(context, inputs.credentials)
        me = id_in(calls, await calls.object("GET", "users/@me"))
        guilds = [str(guild.get("id")) async for guild in servers_of(calls)]
        if not guilds:
            raise ValueError("the bot is in no server")
        since = id_at(context.started)

        async def look() -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
            for guild in guilds:
                found = await _first_of(calls, guild, since, me)
                if found is not None:
                    return found
            return None

        channel, message = await until(
            look, every_s=EVERY_S, most_s=MOST_S, what="waiting for a message on Discord"
        )
        author = message.get("author") or {}
        yield "message_content", str(message.get("content") or "")
        yield "message_id", str(message["id"])
        yield "channel_id", str(channel["id"])
        yield "channel_name", str(channel.get("name") or "")
        yield "user_id", str(author.get("id") or "")
        yield "username", str(author.get("username") or "")


def id_at(moment: datetime) -> int:
    """Return the least id that Discord gives to what is made at *moment*, or later."""
    return max(0, int(moment.timestamp() * 1000) - _EPOCH_MS) << 22


async def _first_of(
    calls: ServiceCalls, guild: str, since: int, me: str
) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    """Return the first message of others in a server since then, and its channel."""
    found: list[tuple[int, Mapping[str, Any], Mapping[str, Any]]] = []
    for channel in await calls.json("GET", path_of("guilds", guild, "channels")):
        # The list says what stands last in each channel, so most need not be asked.
        if not is_writable(channel) or int(channel.get("last_message_id") or 0) < since:
            continue
        path = path_of("channels", str(channel["id"]), "messages")
        query: Query = {"after": str(since), "limit": _MOST_MESSAGES}
        found.extend(
            (int(message["id"]), channel, message)
            for message in await calls.json("GET", path, query=query)
            if (message.get("author") or {}).get("id") != me
        )
    if not found:
        return None
    _, channel, message = min(found, key=lambda each: each[0])
    return channel, message
