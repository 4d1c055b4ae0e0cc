"""Messages to Discord: into a channel, to a person, in answer to another."""

from collections.abc import AsyncIterator
from typing import Any

from backend.blocks.discord.service import MINE, bot_pin, calls_of, channel_of, id_in, say
from backend.sdk import Block, BlockContext, Category, Effect, Example, JsonObject, pin, pins
from backend.sdk.services import path_of


class SendDiscordMessageBlock(Block):
    """Writes a message into a channel of Discord, as a bot. A long text becomes several messages."""

    id = "d0822ab5-9f8a-44a3-8971-531dd0178b6b"
    categories = (Category.SOCIAL,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={"message_content": "Hello", "channel_name": "general", "credentials": MINE},
            outputs=[
                ("status", "Message sent"),
                ("message_id", "1400000004244871562"),
                ("channel_id", "1000000000000000011"),
            ],
        ),
        Example(
            inputs={"message_content": "Hello", "channel_name": "nowhere", "credentials": MINE},
            error="there is no channel 'nowhere'",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()
        message_content: str = pin(description="What to say.")
        channel_name: str = pin(description="The channel: its name or its id.")
        server_name: str = pin(
            default="", description="The only server to look in; empty: all servers of the bot."
        )

    @pins
    class Output:
        """Output pins."""

        status: str = pin(description="That it is sent.")
        message_id: str = pin(description="The message, or the last of several.")
        channel_id: str = pin(description="The channel.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Send it."""
        if not inputs.message_content.strip():
            raise ValueError("there is nothing to say")
        calls = calls_of(context, inputs.credentials)
        channel = await channel_of(calls, inputs.channel_name, inputs.server_name)
        channel_id = id_in(calls, channel)
        message_id = await say(calls, channel_id, inputs.message_content)
        yield "status", "Message sent"
        yield "message_id", message_id
        yield "channel_id", channel_id


class SendDiscordDMBlock(Block):
    """Writes a message to one person on Discord, as a bot. They share a server with it."""

    id = "40d71a5a-e268-4060-9ee0-38ae6f225682"
    categories = (Category.SOCIAL,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={
                "user_id": "1000000000000000021",
                "message_content": "Hello",
                "credentials": MINE,
            },
            outputs=[("status", "DM sent successfully"), ("message_id", "1400000004244871562")],
        ),
        Example(
            inputs={"user_id": "ann", "message_content": "Hello", "credentials": MINE},
            error="is not snowflake",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()
        user_id: str = pin(description="The person: their id.")
        message_content: str = pin(description="What to say.")

    @pins
    class Output:
        """Output pins."""

        status: str = pin(description="That it is sent.")
        message_id: str = pin(description="The message.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Send it."""
        calls = calls_of(context, inputs.credentials)
        wanted: JsonObject = {"recipient_id": inputs.user_id.strip()}
        # Asked twice, Discord gives the same channel.
        channel = await calls.object("POST", "users/@me/channels", value=wanted)
        message_id = await say(calls, id_in(calls, channel), inputs.message_content)
        yield "status", "DM sent successfully"
        yield "message_id", message_id


class ReplyToDiscordMessageBlock(Block):
    """Answers a message on Discord, as a bot."""

    id = "7226cb99-6e7b-4672-b6b2-acec95336eec"
    categories = (Category.SOCIAL,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={
                "channel_id": "1000000000000000011",
                "message_id": "1300000000000000001",
                "reply_content": "Hello yourself",
                "credentials": MINE,
            },
            outputs=[
                ("status", "Reply sent successfully"),
                ("reply_id", "1400000004244871562"),
            ],
        ),
        Example(
            inputs={
                "channel_id": "..",
                "message_id": "1300000000000000001",
                "reply_content": "Hello yourself",
                "credentials": MINE,
            },
            error="cannot stand in an address",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()
        channel_id: str = pin(description="The channel of the message: its id.")
        message_id: str = pin(description="The message to answer.")
        reply_content: str = pin(description="What to say.")
        mention_author: bool = pin(
            default=True, description="Tell who wrote it that it is answered."
        )

    @pins
    class Output:
        """Output pins."""

        status: str = pin(description="That it is sent.")
        reply_id: str = pin(description="The answer.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Send it."""
        calls = calls_of(context, inputs.credentials)
        path_of(
            inputs.channel_id, inputs.message_id
        )  # refuses what is no id before anything is sent
        more = {
            "message_reference": {"message_id": inputs.message_id, "fail_if_not_exists": True},
            "allowed_mentions": {
                "parse": ["users", "roles", "everyone"],
                "replied_user": inputs.mention_author,
            },
        }
        reply_id = await say(calls, inputs.channel_id, inputs.reply_content, more)
        yield "status", "Reply sent successfully"
        yield "reply_id", reply_id
