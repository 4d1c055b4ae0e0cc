"""The messages API of Anthropic: reading requests, writing answers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.testing.providers.openai_wire import tokens_of
from backend.testing.providers.scripts import Answer, Asked, Heard, Invalid, Refusal
from backend.testing.providers.server import Reply, Request

_KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_FINISHES: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_CHOICES: Final = {"any": "required", "auto": "auto", "none": "none"}


def read_anthropic(request: Request, provider: str) -> Asked:
    """Return what *request* asks for. Raises Invalid for what the API refuses."""
    body = request.json()
    if not isinstance(body, dict) or not body.get("model") or not body.get("messages"):
        raise Invalid("model and messages: Field required")
    if not isinstance(body.get("max_tokens"), int):
        raise Invalid("max_tokens: Field required")
    if "anthropic-version" not in request.headers:
        raise Invalid("anthropic-version: header is required")
    heard = tuple(_conversation(body))
    tools = {tool["name"]: tool.get("input_schema") or {} for tool in body.get("tools") or ()}
    choice = body.get("tool_choice") or {"type": "auto"}
    shape = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return Asked(
        wire="anthropic",
        provider=provider,
        model=body["model"],
        body=body,
        headers=request.headers,
        heard=heard,
        tools=tools,
        tool_choice=choice.get("name") or _CHOICES.get(choice["type"], "auto"),
        schema=shape.get("schema"),
        stream=bool(body.get("stream")),
        key=request.headers.get("idempotency-key", ""),
    )


def refuse_anthropic(refusal: Refusal) -> Reply:
    """Return *refusal* as the API says it."""
    headers = {} if refusal.retry_after is None else {"retry-after": refusal.retry_after}
    kind = refusal.code or _KINDS.get(refusal.status, "api_error")
    error = {"type": kind, "message": refusal.message}
    return Reply.json({"type": "error", "error": error}, refusal.status, headers)


def answer_anthropic(asked: Asked, answer: Answer, id_: str) -> dict[str, Any]:
    """Return *answer* as one JSON object."""
    return {
        **_frame(asked, id_),
        "content": _blocks(answer, id_),
        "stop_reason": _stop_reason(answer),
        "usage": _usage(asked, answer),
    }


def stream_anthropic(asked: Asked, answer: Answer, id_: str) -> Iterator[bytes]:
    """Yield *answer* as server-sent events, the pieces of text one by one."""
    usage = _usage(asked, answer)
    started = {**_frame(asked, id_), "content": [], "stop_reason": None, "usage": usage}
    yield _event("message_start", {"message": started})
    for number, block in enumerate(_blocks(answer, id_)):
        begun, deltas = _in_deltas(block, answer)
        yield _event("content_block_start", {"index": number, "content_block": begun})
        for delta in deltas:
            yield _event("content_block_delta", {"index": number, "delta": delta})
        yield _event("content_block_stop", {"index": number})
    ended = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield _event("message_delta", {"delta": ended, "usage": usage})
    yield _event("message_stop", {})


def _conversation(body: Mapping[str, Any]) -> Iterator[Heard]:
    system = _text(body.get("system"))
    if system:
        yield Heard(role="system", text=system)
    open_calls: set[str] = set()
    for message in body["messages"]:
        parts = message["content"]
        parts = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
        answered = {part["tool_use_id"] for part in parts if part["type"] == "tool_result"}
        if answered != open_calls:
            raise Invalid(
                f"each tool_use must have a tool_result right after it: {sorted(open_calls)} were "
                f"called, {sorted(answered)} answered"
            )
        for part in parts:
            if part["type"] == "tool_result":
                text = _text(part.get("content"))
                yield Heard(role="tool", text=text, call_id=part["tool_use_id"])
        calls = tuple(
            (part["id"], part["name"], json.dumps(part["input"]))
            for part in parts
            if part["type"] == "tool_use"
        )
        open_calls = {call_id for call_id, _, _ in calls}
        text = _text([part for part in parts if part["type"] == "text"])
        if text or calls:
            yield Heard(role=message["role"], text=text, calls=calls)
    if open_calls:
        raise Invalid(f"tool_use without tool_result: {sorted(open_calls)}")


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _blocks(answer: Answer, id_: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.reasoning:
        blocks.append({"type": "thinking", "thinking": answer.reasoning, "signature": "signed"})
    if answer.text:
        blocks.append({"type": "text", "text": answer.text})
    for number, call in enumerate(answer.calls):
        given = call.arguments
        blocks.append(
            {
                "type": "tool_use",
                "id": call.id or f"toolu_{id_}_{number}",
                "name": call.name,
                "input": json.loads(given) if isinstance(given, str) else dict(given),
            }
        )
    return blocks


def _in_deltas(
    block: Mapping[str, Any], answer: Answer
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a block as its stream begins it, and what is added piece by piece."""
    if block["type"] == "thinking":
        deltas = [
            {"type": "thinking_delta", "thinking": block["thinking"]},
            {"type": "signature_delta", "signature": block["signature"]},
        ]
        return {**block, "thinking": "", "signature": ""}, deltas
    if block["type"] == "text":
        deltas = [{"type": "text_delta", "text": piece} for piece in answer.pieces]
        return {**block, "text": ""}, deltas
    text = json.dumps(block["input"])
    half = len(text) // 2
    parts = (text[:half], text[half:])
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in parts]


def _stop_reason(answer: Answer) -> str:
    return _FINISHES[answer.finish or ("tool_calls" if answer.calls else "stop")]


def _usage(asked: Asked, answer: Answer) -> dict[str, int]:
    given, taken = tokens_of(asked, answer)
    # This API counts what it had read before apart from the rest.
    return {
        "input_tokens": max(0, given - answer.cached_tokens),
        "cache_read_input_tokens": answer.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": taken,
    }


def _frame(asked: Asked, id_: str) -> dict[str, Any]:
    return {
        "id": f"msg_{id_}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "stop_sequence": None,
    }


def _event(kind: str, value: Mapping[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **value})
    return f"event: {kind}\ndata: {data}\n\n".encode()
