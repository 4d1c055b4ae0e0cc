"""Frames of the WebSocket contract: what clients may send, and what they are sent."""

from enum import StrEnum
from typing import Any, Final, NoReturn

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from backend.core import json
from backend.core.errors import BadRequest
from backend.core.json import NotJson

#: What answers a heartbeat, to the byte: the one frame without the other keys.
PONG: Final = '{"method":"heartbeat","data":"pong","success":true}'

_LONGEST_ID: Final = 200


class WSMethod(StrEnum):
    """What a frame is about."""

    SUBSCRIBE_GRAPH_EXEC = "subscribe_graph_execution"
    SUBSCRIBE_GRAPH_EXECS = "subscribe_graph_executions"
    UNSUBSCRIBE = "unsubscribe"
    GRAPH_EXECUTION_EVENT = "graph_execution_event"
    NODE_EXECUTION_EVENT = "node_execution_event"
    NODE_EXECUTION_TEXT_EVENT = "node_execution_text_event"
    NOTIFICATION = "notification"
    ERROR = "error"
    HEARTBEAT = "heartbeat"


class WSMessage(BaseModel):
    """One frame, either way."""

    method: WSMethod
    data: dict[str, Any] | list[Any] | str | None = None
    success: bool | None = None
    channel: str | None = None
    error: str | None = None


class _Request(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    #: Ours: changes after this number come first. The contract has no replay.
    after_sequence: StrictInt | None = Field(default=None, ge=0, lt=1 << 62)


class WSSubscribeGraphExecutionRequest(_Request):
    """Asks for the changes of one run and its nodes."""

    graph_exec_id: StrictStr = Field(min_length=1, max_length=_LONGEST_ID)


class WSSubscribeGraphExecutionsRequest(BaseModel):
    """Asks for the changes of all runs of a graph."""

    graph_id: StrictStr = Field(min_length=1, max_length=_LONGEST_ID)


class BadFrame(BadRequest):
    """A frame cannot be used; the message is what the client is told."""


NOT_A_MESSAGE: Final = "Invalid message format. Review the schema and retry"
NO_DATA: Final = "Subscription data missing"
BAD_DATA: Final = "Invalid message data. Refer to the API schema"
NOT_FOR_US: Final = "Message type is not processed by the server"


def read_frame(text: str | None) -> WSMessage:
    """
    Return the message in a text frame; None stands for a binary one.

    Raises:
        BadFrame: If it is not one.
    """
    try:
        # Through our own reader: pydantic's lets NaN and lone surrogates pass.
        return WSMessage.model_validate(json.loads(text)) if text else _refuse(NOT_A_MESSAGE)
    except (NotJson, ValidationError) as exc:
        raise BadFrame(NOT_A_MESSAGE) from exc


def read_run_request(message: WSMessage) -> WSSubscribeGraphExecutionRequest:
    """Return what a subscription to a run asks for; raises BadFrame if it cannot be used."""
    try:
        return WSSubscribeGraphExecutionRequest.model_validate(message.data or _refuse(NO_DATA))
    except ValidationError as exc:
        raise BadFrame(BAD_DATA) from exc


def read_graph_request(message: WSMessage) -> WSSubscribeGraphExecutionsRequest:
    """Return what a subscription to a graph asks for; raises BadFrame if it cannot be used."""
    try:
        return WSSubscribeGraphExecutionsRequest.model_validate(message.data or _refuse(NO_DATA))
    except ValidationError as exc:
        raise BadFrame(BAD_DATA) from exc


def run_channel(user_id: str, run_id: str) -> str:
    """Return the name that clients see for the changes of one run."""
    return f"{user_id}|graph_exec#{run_id}"


def graph_channel(user_id: str, graph_id: str) -> str:
    """Return the name that clients see for the changes of a graph's runs."""
    return f"{user_id}|graph#{graph_id}|executions"


def event_frame(method: WSMethod, data: dict[str, Any], channel: str | None) -> bytes:
    """Return an event as JSON, with all five keys."""
    return json.dumps(
        {
            "method": method.value,
            "data": data,
            "success": None,
            "channel": channel,
            "error": None,
        }
    )


def success_frame(method: WSMethod, channel: str | None) -> str:
    """Return the answer to a subscribe or unsubscribe."""
    return json.text(
        {"method": method.value, "data": None, "success": True, "channel": channel, "error": None}
    )


def error_frame(text: str) -> str:
    """Return the answer to a frame that cannot be used."""
    return json.text(
        {"method": "error", "data": None, "success": False, "channel": None, "error": text}
    )


def _refuse(text: str) -> NoReturn:
    raise BadFrame(text)
