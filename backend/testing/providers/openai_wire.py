"""The chat-completions API of OpenAI, which many other providers speak, too: reading and writing."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.testing.providers.scripts import Answer, Asked, Heard, Invalid, Refusal
from backend.testing.providers.server import Reply, Request

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def read_openai(request: Request, provider: str) -> Asked:
    """Return what *request* asks for. Raises Invalid for what the API refuses."""
    body = request.json()
    if not isinstance(body, dict) or not body.get("model") or not body.get("messages"):
        raise Invalid("'model' and 'messages' are required")
    heard = tuple(_heard(message) for message in body["messages"])
    check_calls(heard)
    tools = {
        tool["function"]["name"]: tool["function"].get("parameters") or {}
        for tool in body.get("tools") or ()
    }
    shape = body.get("response_format") or {}
    return Asked(
        wire="openai",
        provider=provider,
        model=body["model"],
        body=body,
        headers=request.headers,
        heard=heard,
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice", "auto")),
        schema=shape["json_schema"]["schema"] if shape.get("type") == "json_schema" else None,
        stream=bool(body.get("stream")),
        key=request.headers.get("idempotency-key", ""),
    )


def refuse_openai(refusal: Refusal) -> Reply:
    """Return *refusal* as the API says it."""
    headers = {} if refusal.retry_after is None else {"retry-after": refusal.retry_after}
    error = {
        "message": refusal.message,
        "type": _KINDS.get(refusal.status, "server_error"),
        "param": None,
        "code": refusal.code or None,
    }
    return Reply.json({"error": error}, refusal.status, headers)


def answer_openai(asked: Asked, answer: Answer, id_: str) -> dict[str, Any]:
    """Return *answer* as one JSON object."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.sources:
        message["annotations"] = _annotations(answer)
    if answer.calls:
        message["tool_calls"] = calls_of(answer, id_)
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    told = {} if answer.without_usage else {"usage": _usage(asked, answer)}
    return {**_frame(asked, id_, "chat.completion"), "choices": [choice], **told}


def stream_openai(asked: Asked, answer: Answer, id_: str) -> Iterator[bytes]:
    """Yield *answer* as server-sent events, the pieces of text one by one."""
    frame = _frame(asked, id_, "chat.completion.chunk")
    yield _event(frame, {"role": "assistant", "content": ""})
    if answer.reasoning:
        yield _event(frame, {"reasoning_content": answer.reasoning})
    for piece in answer.pieces:
        yield _event(frame, {"content": piece})
    for number, call in enumerate(calls_of(answer, id_)):
        text = call["function"].pop("arguments")
        call["function"]["arguments"] = ""
        yield _event(frame, {"tool_calls": [{"index": number, **call}]})
        half = len(text) // 2
        for part in (text[:half], text[half:]):
            delta = {"index": number, "function": {"arguments": part}}
            yield _event(frame, {"tool_calls": [delta]})
    if answer.sources:
        yield _event(frame, {"annotations": _annotations(answer)})
    yield _event(frame, {}, _finish(answer))
    wanted = (asked.body.get("stream_options") or {}).get("include_usage")
    if wanted and not answer.without_usage:
        yield _data({**frame, "choices": [], "usage": _usage(asked, answer)})
    yield b"data: [DONE]\n\n"


def _heard(message: Mapping[str, Any]) -> Heard:
    calls = message.get("tool_calls") or ()
    role = message.get("role", "")
    if role not in ("system", "developer", "user", "assistant", "tool"):
        raise Invalid(f"Invalid value: '{role}'. Supported are system, user, assistant and tool.")
    return Heard(
        role="system" if role == "developer" else role,
        text=text_of(message.get("content")),
        calls=tuple((c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls),
        call_id=message.get("tool_call_id", ""),
    )


def text_of(content: Any) -> str:
    """Return the text of *content*, a text or its parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def check_calls(heard: tuple[Heard, ...]) -> None:
    """Raise Invalid unless each call is answered right behind it, and nothing else is."""
    open_calls: set[str] = set()
    for turn in heard:
        if turn.role == "tool":
            if turn.call_id not in open_calls:
                raise Invalid(f"messages with role 'tool' must answer a call: {turn.call_id!r}")
            open_calls.remove(turn.call_id)
        elif open_calls:
            raise Invalid(f"tool calls must be answered by tool messages: {sorted(open_calls)}")
        open_calls |= {call_id for call_id, _, _ in turn.calls}
    if open_calls:
        raise Invalid(f"tool calls must be answered by tool messages: {sorted(open_calls)}")


def _tool_choice(choice: Any) -> str:
    if isinstance(choice, dict):
        return str(choice.get("function", {}).get("name", "required"))
    return str(choice)


def calls_of(answer: Answer, id_: str) -> list[dict[str, Any]]:
    """Return the calls of *answer* as this API has them."""
    return [
        {
            "id": call.id or f"call_{id_}_{number}",
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": call.arguments
                if isinstance(call.arguments, str)
                else json.dumps(dict(call.arguments)),
            },
        }
        for number, call in enumerate(answer.calls)
    ]


def _annotations(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "type": "url_citation",
            "url_citation": {"url": url, "title": title, "start_index": 0, "end_index": 0},
        }
        for url, title in answer.sources
    ]


def _finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.calls else "stop")


def _usage(asked: Asked, answer: Answer) -> dict[str, Any]:
    given, taken = tokens_of(asked, answer)
    return {
        "prompt_tokens": given,
        "completion_tokens": taken,
        "total_tokens": given + taken,
        "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
    }


def tokens_of(asked: Asked, answer: Answer) -> tuple[int, int]:
    """Return the tokens of question and answer: as scripted, else a quarter of the characters."""
    written = answer.text + "".join(f"{call.name}{call.arguments}" for call in answer.calls)
    given = answer.input_tokens
    taken = answer.output_tokens
    return (
        max(1, len(asked.text) // 4) if given is None else given,
        max(1, len(written) // 4) if taken is None else taken,
    )


def _frame(asked: Asked, id_: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{id_}", "object": kind, "created": 1767225600, "model": asked.model}


def _event(frame: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    return _data({**frame, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _data(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
