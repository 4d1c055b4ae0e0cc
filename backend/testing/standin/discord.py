"""Plays Discord: one bot, one server, two channels, a message that has just come."""

import zlib
from typing import Any, Final

from backend.testing.standin.messages import KEY, Asked, Reply

_GUILD: Final = "1000000000000000001"
_CHANNELS: Final[list[dict[str, Any]]] = [
    {"id": "1000000000000000010", "type": 4, "name": "Text channels", "last_message_id": None},
    {
        "id": "1000000000000000011",
        "type": 0,
        "name": "general",
        "guild_id": _GUILD,
        "last_message_id": "1999999999999999902",
    },
]
_ANN: Final = {"id": "1000000000000000021", "username": "ann", "global_name": "Ann", "avatar": "a1"}
_BOT: Final = {"id": "1000000000000000022", "username": "robot", "bot": True}
_NEW: Final = [
    {"id": "1999999999999999902", "content": "And you?", "author": _ANN},
    {"id": "1999999999999999901", "content": "Good morning", "author": _ANN},
    {"id": "1999999999999999900", "content": "I am here", "author": _BOT},
]
_FIRST: Final = 1_400_000_000_000_000_000


class Discord:
    """Takes a nonce once. *said*: the messages that were written, by nonce; *hooked*: by webhook."""

    def __init__(self) -> None:
        self.hooked: list[dict[str, Any]] = []
        self.said: dict[str, dict[str, Any]] = {}

    def answer(self, asked: Asked) -> Reply:
        """Answer as version 10 of its API does."""
        if asked.path.startswith("/webhooks/"):
            return self._hook(asked)
        if asked.has_bearer and asked.path == "/users/@me":
            return Reply(value=_ANN)
        if asked.headers.get("authorization") != f"Bot {KEY}":
            return Reply(status=401, value={"message": "401: Unauthorized", "code": 0})
        path = asked.path.strip("/").split("/")
        return self._read(asked, path) if asked.method == "GET" else self._write(asked, path)

    def _hook(self, asked: Asked) -> Reply:
        if not asked.path.endswith(f"/{KEY}"):
            return Reply(status=404, value={"message": "Unknown Webhook", "code": 10015})
        message = asked.json()
        if not message.get("content"):
            return Reply(status=400, value={"message": "Cannot send an empty message"})
        self.hooked.append(message)
        return Reply(value={"id": str(_FIRST + len(self.hooked)), "content": message["content"]})

    def _read(self, asked: Asked, path: list[str]) -> Reply:
        match path:
            case ["users", "@me"]:
                return Reply(value=_BOT)
            case ["users", "@me", "guilds"]:
                return Reply(value=[{"id": _GUILD, "name": "Home"}])
            case ["users", name]:
                return Reply(value=_ANN) if name == _ANN["id"] else _unknown("User", 10013)
            case ["guilds", guild]:
                return Reply(value={"id": guild, "name": "Home"})
            case ["guilds", _, "channels"]:
                return Reply(value=_CHANNELS)
            case ["channels", name]:
                found = [channel for channel in _CHANNELS if channel["id"] == name]
                return Reply(value=found[0]) if found else _unknown("Channel", 10003)
            case ["channels", _, "messages"]:
                after = int(asked.one("after", "0"))
                return Reply(value=[each for each in _NEW if int(str(each["id"])) > after])
            case _:
                return _unknown("address", 0)

    def _write(self, asked: Asked, path: list[str]) -> Reply:
        match path:
            case ["users", "@me", "channels"]:
                return self._private(asked)
            case ["channels", _, "messages"]:
                return self._say(asked)
            case ["channels", _, "threads"]:
                return Reply(value={"id": "1500000000000000001", "name": asked.json()["name"]})
            case _:
                return _unknown("address", 0)

    def _private(self, asked: Asked) -> Reply:
        if not str(asked.json().get("recipient_id")).isdigit():
            problem = {"code": "NUMBER_TYPE_COERCE", "message": 'Value "ann" is not snowflake.'}
            errors = {"recipient_id": {"_errors": [problem]}}
            words = 'Invalid Form Body: Value "ann" is not snowflake.'
            return Reply(status=400, value={"message": words, "code": 50035, "errors": errors})
        return Reply(value={"id": "1000000000000000031", "type": 1})

    def _say(self, asked: Asked) -> Reply:
        if asked.headers.get("content-type", "").startswith("multipart/form-data"):
            return Reply(value={"id": str(_FIRST), "content": ""})
        message = asked.json()
        if len(message.get("content", "")) > 2000:  # noqa: PLR2004 - its limit
            return Reply(status=400, value={"message": "Must be 2000 or fewer in length."})
        key = f"{asked.path} {message.get('nonce')} {message.get('enforce_nonce')}"
        # The same for the same nonce, whatever was said before.
        number = _FIRST + zlib.crc32(str(message.get("nonce")).encode())
        made = {"id": str(number), "content": message.get("content", "")}
        if message.get("enforce_nonce"):
            made = self.said.setdefault(key, made)
        return Reply(value=made)


def _unknown(what: str, code: int) -> Reply:
    return Reply(status=404, value={"message": f"Unknown {what}", "code": code})
