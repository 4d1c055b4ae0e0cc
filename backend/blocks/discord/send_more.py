"""Discord: framed messages, files and threads."""

from typing import Any, Final

from backend.blocks.discord.service import (
    DISCORD,
    MINE,
    MOST_CHARS,
    bot_pin,
    channel_of,
    id_in,
    say,
)
from backend.sdk import (
    Block,
    BlockContext,
    Category,
    Effect,
    Example,
    FormBody,
    JsonObject,
    WebFile,
    json_text,
    pin,
    pins,
)
from backend.sdk.services import path_of

_BYTES: Final = 10 * 1024 * 1024
#: Of the parts of a frame, in characters, and how many fields it has.
_MOST_TITLE: Final = 256
_MOST_WORDS: Final = 4096
_MOST_FIELDS: Final = 25
_MOST_COLOR: Final = 0xFFFFFF
_PUBLIC, _PRIVATE = 11, 12


class SendDiscordEmbedBlock(Block):
    """Writes a message with a frame into a channel of Discord: a title, fields, pictures."""

    id = "c76293f4-9ae8-454d-a029-0a3f8c5bc499"
    categories = (Category.SOCIAL,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={
                "channel_identifier": "general",
                "title": "Report",
                "fields": [{"name": "Runs", "value": 7, "inline": True}],
                "credentials": MINE,
            },
            outputs=[
                ("status", "Embed sent successfully"),
                ("message_id", "1400000004244871562"),
            ],
        ),
        Example(
            inputs={"channel_identifier": "general", "credentials": MINE},
            error="there is nothing to show",
        ),
        Example(
            inputs={
                "channel_identifier": "general",
                "fields": [{"name": "Runs"}],
                "credentials": MINE,
            },
            error="fields: each has a name and a value",
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
        title: str = pin(default="", description="Its title; 256 characters at most.")
        description: str = pin(default="", description="Its text; 4,096 characters at most.")
        color: int = pin(default=5793266, description="The colour at its side: red, green, blue.")
        thumbnail_url: str = pin(default="", description="A small picture: its address.")
        image_url: str = pin(default="", description="A large picture: its address.")
        author_name: str = pin(default="", description="Who says it.")
        footer_text: str = pin(default="", description="A line below.")
        fields: list[dict[str, Any]] = pin(
            default_factory=list,
            schema={
                "default": [],
                "items": {"additionalProperties": True, "type": "object"},
                "type": "array",
            },
            description="Objects with name, value, and inline if they stand beside each other.",
        )

    @pins
    class Output:
        """Output pins."""

        status: str = pin(description="That it is sent.")
        message_id: str = pin(description="The message.")

    async def run(self, inputs: Input, context: BlockContext) -> Any:
        """Send it."""
        frame = _frame(inputs)
        calls = DISCORD.calls(context, inputs.credentials)
        channel = await channel_of(calls, inputs.channel_identifier, inputs.server_name)
        message_id = await say(calls, id_in(calls, channel), "", {"embeds": [frame]})
        yield "status", "Embed sent successfully"
        yield "message_id", message_id


class SendDiscordFileBlock(Block):
    """Puts a file into a channel of Discord; of 10 MB at most."""

    id = "b1628cf2-4622-49bf-80cf-10e55826e247"
    categories = (Category.SOCIAL,)
    effect = Effect.KEYED
    retries = 2
    examples = (
        Example(
            inputs={
                "channel_identifier": "general",
                "file": "data:text/plain;base64,aGVsbG8=",
                "filename": "hello.txt",
                "credentials": MINE,
            },
            outputs=[
                ("status", "File sent successfully"),
                ("message_id", "1400000000000000000"),
            ],
        ),
        Example(
            inputs={
                "channel_identifier": "general",
                "file": "/etc/passwd",
                "credentials": MINE,
            },
            error="is no file",
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
        file: str = pin(format="file", description="The file.")
        filename: str = pin(default="", description="What it is called there; empty: as here.")
        message_content: str = pin(default="", description="What to say with it.")

    @pins
    class Output:
        """Output pins."""

        status: str = pin(description="That it is sent.")
        message_id: str = pin(description="The message.")

    async def run(self, inputs: Input, context: BlockContext) -> Any:
        """Send it."""
        if len(inputs.message_content) > MOST_CHARS:
            raise ValueError(f"what is said with a file has {MOST_CHARS} characters at most")
        file = await _file(context, inputs.file, inputs.filename.strip())
        calls = DISCORD.calls(context, inputs.credentials)
        channel = await channel_of(calls, inputs.channel_identifier, inputs.server_name)
        message: JsonObject = {"content": inputs.message_content}
        if key := context.idempotency_key.replace("-", ""):
            message |= {"nonce": f"{key[-20:]}.0", "enforce_nonce": True}
        answer = await calls.send(
            "POST",
            path_of("channels", id_in(calls, channel), "messages"),
            body=FormBody(fields={"payload_json": json_text(message)}, files=[file]),
        )
        made = calls.json_of(answer)
        yield "status", "File sent successfully"
        yield "message_id", calls.need(made, str, "id")


class CreateDiscordThreadBlock(Block):
    """Opens a thread in a channel of Discord, and may say something in it."""

    id = "e8f3c9a2-7b5d-4f1e-9c6a-3d8e2b4f7a1c"
    categories = (Category.SOCIAL,)
    effect = Effect.AT_MOST_ONCE
    examples = (
        Example(
            inputs={
                "channel_name": "general",
                "thread_name": "Plans",
                "message_content": "Who comes?",
                "credentials": MINE,
            },
            outputs=[
                ("status", "Thread created successfully"),
                ("thread_id", "1500000000000000001"),
                ("thread_name", "Plans"),
            ],
        ),
        Example(
            inputs={"channel_name": "general", "thread_name": " ", "credentials": MINE},
            error="a thread has a name",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        credentials: dict[str, Any] = bot_pin()
        channel_name: str = pin(description="The channel: its name or its id.")
        server_name: str = pin(
            default="", description="The only server to look in; empty: all servers of the bot."
        )
        thread_name: str = pin(description="What the thread is called; 100 characters at most.")
        is_private: bool = pin(default=False, description="Only for those who are asked to join.")
        auto_archive_duration: str = pin(
            default="10080",
            title="ThreadArchiveDuration",
            schema={"enum": ["60", "1440", "4320", "10080"], "type": "string"},
            description="It is put away after so many minutes of silence.",
        )
        message_content: str = pin(default="", description="What to say in it first.")

    @pins
    class Output:
        """Output pins."""

        status: str = pin(description="That it is open.")
        thread_id: str = pin(description="The thread.")
        thread_name: str = pin(description="What it is called.")

    async def run(self, inputs: Input, context: BlockContext) -> Any:
        """Open it."""
        if not inputs.thread_name.strip():
            raise ValueError("a thread has a name")
        calls = DISCORD.calls(context, inputs.credentials)
        channel = await channel_of(calls, inputs.channel_name, inputs.server_name)
        thread = await calls.object(
            "POST",
            path_of("channels", id_in(calls, channel), "threads"),
            value={
                "name": inputs.thread_name.strip(),
                "type": _PRIVATE if inputs.is_private else _PUBLIC,
                "auto_archive_duration": int(inputs.auto_archive_duration),
            },
        )
        thread_id = id_in(calls, thread)
        if inputs.message_content.strip():
            await say(calls, thread_id, inputs.message_content)
        yield "status", "Thread created successfully"
        yield "thread_id", thread_id
        yield "thread_name", str(thread.get("name") or inputs.thread_name)


def _frame(inputs: SendDiscordEmbedBlock.Input) -> dict[str, Any]:
    """Return the frame that *inputs* describe. Raises ValueError if there is nothing in it."""
    frame: dict[str, Any] = {
        "title": inputs.title[:_MOST_TITLE],
        "description": inputs.description[:_MOST_WORDS],
        "thumbnail": {"url": inputs.thumbnail_url} if inputs.thumbnail_url else None,
        "image": {"url": inputs.image_url} if inputs.image_url else None,
        "author": {"name": inputs.author_name} if inputs.author_name else None,
        "footer": {"text": inputs.footer_text} if inputs.footer_text else None,
        "fields": _fields(inputs.fields),
    }
    shown = {name: part for name, part in frame.items() if part}
    if not shown:
        raise ValueError("there is nothing to show: give a title, a description or fields")
    return {**shown, "color": max(0, min(inputs.color, _MOST_COLOR))}


def _fields(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(given) > _MOST_FIELDS:
        raise ValueError(f"fields: {_MOST_FIELDS} are the most")
    if any("name" not in each or "value" not in each for each in given):
        raise ValueError("fields: each has a name and a value")
    return [
        {
            "name": str(each["name"]),
            "value": str(each["value"]),
            "inline": bool(each.get("inline", True)),
        }
        for each in given
    ]


async def _file(context: BlockContext, source: str, name: str) -> WebFile:
    async with context.run_files().open(source) as file:
        content = file.content.read(_BYTES + 1)
        if len(content) > _BYTES:
            raise ValueError("the file is larger than the 10 MB that Discord takes")
        return WebFile(
            name="files[0]",
            filename=name or file.name,
            content=content,
            media_type=file.media_type,
        )
