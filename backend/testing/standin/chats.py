"""Plays what notices are sent to: Slack's and Discord's webhooks, Telegram's bots, ntfy, any webhook."""

from typing import Any

from backend.testing.standin.messages import KEY, Asked, Reply, text


class SlackHooks:
    """Takes messages at addresses that end with `KEY`. *said*: their bodies."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as incoming webhooks do: in one word."""
        if not asked.path.startswith("/services/") or not asked.path.endswith(f"/{KEY}"):
            return text("no_service", status=404)
        if not asked.json().get("text"):
            return text("no_text", status=400)
        self.said.append(asked.json())
        return text("ok")


class TelegramBots:
    """Has one bot, whose token ends with `KEY`. *said*: the messages it was given."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as the Bot API does."""
        if not asked.path.startswith("/bot") or not asked.path.endswith(f":{KEY}/sendMessage"):
            return _no(401, "Unauthorized")
        message = asked.json()
        if message.get("chat_id") == "0":
            return _no(400, "Bad Request: chat not found")
        self.said.append(message)
        return Reply(value={"ok": True, "result": {"message_id": len(self.said)}})


class Ntfy:
    """Takes messages for any topic. *said*: what it was given."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []

    def answer(self, asked: Asked) -> Reply:
        """Answer as ntfy does when it is given JSON."""
        message = asked.json()
        if not message.get("topic"):
            return Reply(
                status=400, value={"code": 40009, "error": "invalid request: topic invalid"}
            )
        self.said.append(message)
        return Reply(value={"id": f"n{len(self.said)}", "event": "message", **message})


class AnyHook:
    """Takes all that is sent. *said*: what, by Webhook-Id, and how often."""

    def __init__(self) -> None:
        self.said: dict[str, list[Asked]] = {}

    def answer(self, asked: Asked) -> Reply:
        """Say that it has come."""
        self.said.setdefault(asked.headers.get("webhook-id", ""), []).append(asked)
        return Reply(status=202, value={"taken": True})


def _no(status: int, words: str) -> Reply:
    return Reply(status=status, value={"ok": False, "error_code": status, "description": words})
