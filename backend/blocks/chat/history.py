"""A conversation as it is kept, and as a provider takes it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from backend.blocks.llm.conversing import messages_of
from backend.blocks.llm.toolbox import CallRefused, arguments_of, mismatches
from backend.sdk import Message, Role, Tool, ToolCall

#: What is told of a call whose turn ended before it was made.
NOT_MADE: Final = '{"type": "error", "message": "This call was not made: its turn had ended."}'
#: Said after a message of the assistant's that the person's client has put there.
GO_ON: Final = "Go on."


def sendable(said: Iterable[Mapping[str, Any]]) -> list[Message]:
    """
    Return what was said so that a provider takes it.

    Each call has its answer right behind it, each answer its call, and the person spoke last, or a
    tool did.
    """
    made: list[Message] = []
    open_calls: list[ToolCall] = []
    for message in messages_of(said):
        if message.role is Role.TOOL:
            called = next((one for one in open_calls if one.id == message.tool_call_id), None)
            if called is not None:  # else its call lies before the oldest message that was read
                open_calls.remove(called)
                made.append(message)
            continue
        made += [_not_made(call) for call in open_calls]
        open_calls = list(message.tool_calls)
        made.append(message)
    made += [_not_made(call) for call in open_calls]
    if made and made[-1].role is Role.ASSISTANT:
        made.append(Message(role=Role.USER, text=GO_ON))
    return made


def pending_calls(said: Iterable[Mapping[str, Any]]) -> list[ToolCall]:
    """Return the calls that have no answer, in the order in which they were asked for."""
    messages = messages_of(said)
    answered = [one.tool_call_id for one in messages if one.role is Role.TOOL]
    found = []
    for call in (call for one in messages for call in one.tool_calls):
        if call.id in answered:
            answered.remove(call.id)  # some models use the same id in every round
        else:
            found.append(call)
    return found


def checked(call: ToolCall, tools: Mapping[str, Tool]) -> dict[str, Any]:
    """
    Return the arguments of a call.

    Raises:
        CallRefused: If there is no such tool, or it cannot be called so. The words are for the
            model.
    """
    tool = tools.get(call.name)
    if tool is None:
        raise CallRefused(f"there is no tool {call.name!r}; there are: {', '.join(tools)}")
    # Some models write null for all that they leave out.
    given = {name: value for name, value in arguments_of(call).items() if value is not None}
    if problems := mismatches(tool.parameters, given):
        raise CallRefused(f"{tool.name} was not called: {'; '.join(problems)}")
    return given


def _not_made(call: ToolCall) -> Message:
    return Message(role=Role.TOOL, text=NOT_MADE, tool_call_id=call.id)
