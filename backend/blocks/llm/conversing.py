"""Conversations as people's graphs hold them, in the forms of several providers, and as ours."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from backend.sdk import Message, Role, ToolCall, json_text

#: What providers call who speaks.
_ROLES: Final[Mapping[str, Role]] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}


def messages_of(turns: Iterable[Any]) -> list[Message]:
    """
    Return *turns* as messages: objects with role and content, or plain texts of the user.

    Empty ones are left out.

    Raises:
        ValueError: If one of them is no message, says which and why.
    """
    made = []
    for place, turn in enumerate(turns, 1):
        message = _message(turn, place)
        if message.text or message.tool_calls or message.role is Role.TOOL:
            made.append(message)
    return made


def _message(turn: Any, place: int) -> Message:
    if isinstance(turn, str):
        return Message(role=Role.USER, text=turn)
    if not isinstance(turn, Mapping):
        raise ValueError(f"message {place} is neither a text nor an object with role and content")  # noqa: TRY004 - of the node, not of our code
    said = str(turn.get("role", "")).lower()
    role = _ROLES.get(said)
    if role is None:
        known = ", ".join(_ROLES)
        raise ValueError(f"message {place} has the role {said!r}; known are {known}")
    return Message(
        role=role,
        text=_text(turn.get("content")),
        tool_calls=tuple(_calls(turn.get("tool_calls"))) if role is Role.ASSISTANT else (),
        tool_call_id=str(turn.get("tool_call_id") or "") if role is Role.TOOL else "",
    )


def _text(content: Any) -> str:
    """Return what is said: a text, or the parts of one; anything else by its JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(filter(None, map(_part, content)))
    return json_text(content)


def _part(part: Any) -> str:
    if isinstance(part, Mapping):
        for word in ("text", "content"):
            if word in part:
                return _text(part[word])
    return part if isinstance(part, str) else json_text(part)


def _calls(calls: Any) -> Iterable[ToolCall]:
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and function.get("name"):
            arguments = function.get("arguments", "{}")
            yield ToolCall(
                id=str(call.get("id") or ""),
                name=str(function["name"]),
                arguments=arguments if isinstance(arguments, str) else json_text(arguments),
            )
