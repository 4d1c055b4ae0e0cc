"""Discord: what a channel, a person and one's own account are."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backend.blocks.discord.service import DISCORD, MINE, bot_pin, channel_of, id_in
from backend.sdk import Category, CredentialsKind, Example, credentials_pin, pin, pins
from backend.sdk.calling import CallingBase, Reads
from backend.sdk.services import Service, ServiceCalls, path_of

#: With an account of a person, not of a bot.
_AS_PERSON: Final = Service(
    provider="discord", name="Discord", url=DISCORD.url, always=DISCORD.always
)
_PICTURES: Final = "https://cdn.discordapp.com"
#: Ids count milliseconds from here.
_EPOCH: Final = datetime(2015, 1, 1, tzinfo=UTC)
_KINDS: Final = {
    0: "Text",
    1: "DM",
    2: "Voice",
    3: "Group DM",
    4: "Category",
    5: "News",
    10: "News thread",
    11: "Thread",
    12: "Private thread",
    13: "Stage",
    15: "Forum",
    16: "Media",
}


class DiscordChannelInfoBlock(Reads, CallingBase):
    """Looks up a channel of Discord by its name or id."""

    id = "592f815e-35c3-4fed-96cd-a69966b45c8f"
    categories = (Category.SOCIAL,)
    service = DISCORD
    examples = (
        Example(
            inputs={"channel_identifier": "#General", "credentials": MINE},
            outputs=[
                ("channel_id", "1000000000000000011"),
                ("channel_name", "general"),
                ("server_id", "1000000000000000001"),
                ("server_name", "Home"),
                ("channel_type", "Text"),
            ],
        ),
        Example(
            inputs={"channel_identifier": "1000000000000000099", "credentials": MINE},
            error="Discord answers with status 404: Unknown Channel",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()
        channel_identifier: str = pin(description="The channel: its name or its id.")
        server_name: str = pin(
            default="", description="The only server to look in; empty: all servers of the bot."
        )

    @pins
    class Output:
        """Output pins."""

        channel_id: str = pin(description="The channel.")
        channel_name: str = pin(description="What it is called.")
        server_id: str = pin(description="Its server; empty: it has none.")
        server_name: str = pin(description="What that is called.")
        channel_type: str = pin(description="What it is, such as Text, Voice or Thread.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Look it up."""
        channel = await channel_of(calls, inputs.channel_identifier, inputs.server_name)
        server_id = str(channel.get("guild_id") or "")
        server_name = str(channel.get("guild_name") or "")
        if server_id and not server_name:
            server = await calls.object("GET", path_of("guilds", server_id))
            server_name = str(server.get("name") or "")
        return {
            "channel_id": id_in(calls, channel),
            "channel_name": str(channel.get("name") or ""),
            "server_id": server_id,
            "server_name": server_name,
            "channel_type": _KINDS.get(channel.get("type", -1), str(channel.get("type"))),
        }


class DiscordUserInfoBlock(Reads, CallingBase):
    """Looks up a person or bot on Discord by their id."""

    id = "9aeed32a-6ebf-49b8-a0a3-e2e509d86120"
    categories = (Category.SOCIAL,)
    service = DISCORD
    examples = (
        Example(
            inputs={"user_id": "1000000000000000021", "credentials": MINE},
            outputs=[
                ("user_id", "1000000000000000021"),
                ("username", "ann"),
                ("display_name", "Ann"),
                ("discriminator", "0"),
                ("avatar_url", f"{_PICTURES}/avatars/1000000000000000021/a1.png"),
                ("is_bot", False),
                ("created_at", "2022-07-22T11:22:59.101000+00:00"),
            ],
        ),
        Example(
            inputs={"user_id": "1000000000000000029", "credentials": MINE},
            error="Discord answers with status 404: Unknown User",
        ),
        Example(inputs={"user_id": "@me", "credentials": MINE}, error="is no id of a person"),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()
        user_id: str = pin(description="Whom: their id.")

    @pins
    class Output:
        """Output pins."""

        user_id: str = pin(description="Who it is.")
        username: str = pin(description="The name that nobody else has.")
        display_name: str = pin(description="The name that is shown.")
        discriminator: str = pin(description="The number after an old name; else 0.")
        avatar_url: str = pin(description="Their picture.")
        is_bot: bool = pin(description="Whether it is a bot.")
        created_at: str = pin(description="When the account was made.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Look them up."""
        asked = inputs.user_id.strip()
        if not (asked.isascii() and asked.isdigit()):
            raise ValueError(f"{asked[:40]!r} is no id of a person, which is a long number")
        user = await calls.object("GET", path_of("users", asked))
        user_id, name = id_in(calls, user), calls.need(user, str, "username")
        return {
            "user_id": user_id,
            "username": name,
            "display_name": str(user.get("global_name") or name),
            "discriminator": str(user.get("discriminator") or "0"),
            "avatar_url": picture_of(user),
            "is_bot": bool(user.get("bot")),
            "created_at": made_at(user_id),
        }


class DiscordGetCurrentUserBlock(Reads, CallingBase):
    """Says whose account of Discord it is that was connected."""

    id = "8c7e39b8-4e9d-4f3a-b4e1-2a8c9d5f6e3b"
    categories = (Category.SOCIAL,)
    service = _AS_PERSON
    examples = (
        Example(
            inputs={"credentials": {"id": "mine", "provider": "discord", "type": "oauth2"}},
            outputs=[
                ("user_id", "1000000000000000021"),
                ("username", "ann"),
                ("avatar_url", f"{_PICTURES}/avatars/1000000000000000021/a1.png"),
                ("banner_url", ""),
                ("accent_color", 0),
            ],
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = credentials_pin(
            ["discord"],
            [CredentialsKind.OAUTH2],
            scopes=["identify"],
            description="An account of Discord.",
        )

    @pins
    class Output:
        """Output pins."""

        user_id: str = pin(description="Whose it is.")
        username: str = pin(description="The name that nobody else has.")
        avatar_url: str = pin(description="Their picture.")
        banner_url: str = pin(default="", description="The picture behind their profile, if any.")
        accent_color: int = pin(default=0, description="The colour of their profile, if any.")

    async def work(self, calls: ServiceCalls, _inputs: Input) -> dict[str, Any]:
        """Ask who we are."""
        user = await calls.object("GET", "users/@me")
        user_id, banner = id_in(calls, user), user.get("banner")
        color = user.get("accent_color")
        return {
            "user_id": user_id,
            "username": calls.need(user, str, "username"),
            "avatar_url": picture_of(user),
            "banner_url": _picture("banners", user_id, banner) if banner else "",
            "accent_color": color if isinstance(color, int) else 0,
        }


def picture_of(user: dict[str, Any]) -> str:
    """Return the picture of *user*: their own, or the one that Discord gives to who has none."""
    if avatar := user.get("avatar"):
        return _picture("avatars", str(user["id"]), avatar)
    number = (int(user["id"]) >> 22) % 6 if str(user["id"]).isdigit() else 0
    return f"{_PICTURES}/embed/avatars/{number}.png"


def made_at(user_id: str) -> str:
    """Return when an account was made: its id says so. Empty for what is no id."""
    if not user_id.isdigit():
        return ""
    return (_EPOCH + timedelta(milliseconds=int(user_id) >> 22)).isoformat()


def _picture(kind: str, user_id: str, name: Any) -> str:
    ending = "gif" if str(name).startswith("a_") else "png"
    return f"{_PICTURES}/{path_of(kind, user_id)}/{path_of(str(name))}.{ending}"
