"""What the blocks of Discord share: its address, how channels are found, what a message is."""

import re
from collections.abc import Mapping
from typing import Any, Final

from backend.sdk import BlockContext, CredentialsKind, credentials_pin
from backend.sdk.services import Service, ServiceCalls, path_of

DISCORD: Final = Service(
    provider="discord",
    name="Discord",
    url="https://discord.com/api/v10",
    scheme="Bot",
    always={"User-Agent": "DiscordBot (https://example.com, 1)"},
)
#: Most characters of one message.
MOST_CHARS: Final = 2000
_MOST_SERVERS: Final = 200
#: Channels that people write in: text, announcements, and threads of both.
_WRITABLE: Final = frozenset({0, 5, 10, 11, 12})
_ID: Final = re.compile(r"[0-9]{15,20}")

#: For examples.
MINE: Final = {"id": "mine", "provider": "discord", "type": "api_key"}


def bot_pin() -> Any:
    """Return the pin that takes the token of a bot."""
    return credentials_pin(
        ["discord"], [CredentialsKind.KEY], description="The token of a bot of Discord."
    )


def calls_of(context: BlockContext, credentials: Mapping[str, Any]) -> ServiceCalls:
    """Return the way to Discord for the bot of *credentials*."""
    return DISCORD.calls(context, credentials)


async def say(
    calls: ServiceCalls, channel_id: str, text: str, more: Mapping[str, Any] | None = None
) -> str:
    """
    Write *text* to a channel, in as many messages as it needs; return the id of the last.

    Each has a nonce of its own: Discord answers one that it knows with the message that is there
    already, for some minutes, so that a step that is done again says nothing twice.

    Args:
        more: What else is in the first message.
    """
    key = calls.context.idempotency_key.replace("-", "")
    made = ""
    for number, piece in enumerate(pieces(text)):
        message: dict[str, Any] = {**(more or {} if number == 0 else {}), "content": piece}
        if key:
            message |= {"nonce": f"{key[-20:]}.{number}", "enforce_nonce": True}
        path = path_of("channels", channel_id, "messages")
        made = id_in(calls, await calls.object("POST", path, value=message))
    return made


async def channel_of(calls: ServiceCalls, given: str, server: str) -> dict[str, Any]:
    """
    Return the channel that *given* is: its id, or its name among the servers of the bot.

    Args:
        server: The name or id of the only server to look in; empty: all of them.

    Raises:
        ValueError: If there is none.
    """
    if not given.strip():
        raise ValueError("no channel is named")
    if _ID.fullmatch(given.strip()):
        return await calls.object("GET", path_of("channels", given.strip()))
    wanted, servers = given.strip().lstrip("#").casefold(), []
    async for guild in servers_of(calls):
        name = str(guild.get("name") or "")
        if server and server.casefold() not in (name.casefold(), str(guild.get("id"))):
            continue
        servers.append(name)
        for channel in await calls.json("GET", path_of("guilds", str(guild.get("id")), "channels")):
            if str(channel.get("name") or "").casefold() == wanted:
                return {**channel, "guild_id": guild.get("id"), "guild_name": name}
    if server and not servers:
        raise ValueError(f"the bot is in no server called {server!r}")
    raise ValueError(f"there is no channel {given!r} that the bot sees, in {len(servers)} servers")


async def servers_of(calls: ServiceCalls) -> Any:
    """Yield the servers of the bot, 200 at the most."""
    found = await calls.json("GET", "users/@me/guilds", query={"limit": _MOST_SERVERS})
    if not isinstance(found, list):
        raise calls.nonsense("it is no list of servers")
    for guild in found:
        yield guild


def is_writable(channel: Mapping[str, Any]) -> bool:
    """Say whether people write messages in *channel*."""
    return channel.get("type") in _WRITABLE


def id_in(calls: ServiceCalls, thing: Mapping[str, Any]) -> str:
    """Return the id of what Discord has made or found."""
    if not isinstance(thing.get("id"), str):
        raise calls.nonsense("it has no id")
    return str(thing["id"])


def pieces(text: str) -> list[str]:
    """Return *text* in messages of at most 2,000 characters, cut at line ends where there are some."""
    found = []
    while len(text) > MOST_CHARS:
        cut = text.rfind("\n", 1, MOST_CHARS) + 1 or MOST_CHARS
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text]
