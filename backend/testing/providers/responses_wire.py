"""The responses API of OpenAI: reading requests, writing answers."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from backend.testing.providers.openai_wire import calls_of, check_calls, text_of, tokens_of
from backend.testing.providers.scripts import Answer, Asked, Heard, Invalid
from backend.testing.providers.server import Request

#: Why an answer is not whole, by the words of the chat API.
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ROLES: Final = {"developer": "system", "system": "system", "user": "user"}


def read_responses(request: Request, provider: str) -> Asked:
    """Return what *request* asks for. Raises Invalid for what the API refuses."""
    body = request.json()
    if not isinstance(body, dict) or not body.get("model") or not body.get("input"):
        raise Invalid("'model' and 'input' are required")
    heard = tuple(_conversation(body))
    check_calls(heard)
    shape = (body.get("text") or {}).get("format") or {}
    return Asked(
        wire="responses",
        provider=provider,
        model=body["model"],
        body=body,
        headers=request.headers,
        heard=heard,
        tools={tool["name"]: tool.get("parameters") or {} for tool in body.get("tools") or ()},
        tool_choice=_tool_choice(body.get("tool_choice") or "auto"),
        schema=shape["schema"] if shape.get("type") == "json_schema" else None,
        stream=bool(body.get("stream")),
        key=request.headers.get("idempotency-key", ""),
    )


def answer_responses(asked: Asked, answer: Answer, id_: str) -> dict[str, Any]:
    """Return *answer* as one JSON object."""
    return _response(asked, answer, id_, _items(answer, id_))


def stream_responses(asked: Asked, answer: Answer, id_: str) -> Iterator[bytes]:
    """Yield *answer* as server-sent events, the pieces of text one by one."""
    begun = {**_response(asked, answer, id_, []), "status": "in_progress", "usage": None}
    yield _event("response.created", {"response": {**begun, "incomplete_details": None}})
    items = _items(answer, id_)
    for place, item in enumerate(items):
        where = {"output_index": place, "item_id": item["id"]}
        yield _event("response.output_item.added", {"output_index": place, "item": _bare(item)})
        for kind, value in _deltas(item, answer):
            yield _event(kind, {**where, **value})
        yield _event("response.output_item.done", {"output_index": place, "item": item})
    ended = _response(asked, answer, id_, items)
    yield _event(f"response.{ended['status']}", {"response": ended})


def _conversation(body: Mapping[str, Any]) -> Iterator[Heard]:
    if body.get("instructions"):
        yield Heard(role="system", text=body["instructions"])
    said = body["input"]
    turns = [{"role": "user", "content": said}] if isinstance(said, str) else said
    text, calls = "", []
    for turn in turns:
        kind = turn.get("type", "message")
        if turn.get("role") == "assistant":
            text += text_of(turn.get("content"))
        elif kind == "function_call":
            calls.append((turn["call_id"], turn["name"], turn["arguments"]))
        else:
            # Text and calls of one turn of the assistant come as items of their own.
            if text or calls:
                yield Heard(role="assistant", text=text, calls=tuple(calls))
                text, calls = "", []
            yield _other(turn, kind)
    if text or calls:
        yield Heard(role="assistant", text=text, calls=tuple(calls))


def _other(turn: Mapping[str, Any], kind: str) -> Heard:
    if kind == "function_call_output":
        return Heard(role="tool", text=text_of(turn.get("output")), call_id=turn["call_id"])
    if kind != "message" or turn.get("role") not in _ROLES:
        raise Invalid(f"Invalid value: {kind!r} of {turn.get('role')!r}")
    return Heard(role=_ROLES[turn["role"]], text=text_of(turn.get("content")))


def _tool_choice(choice: Any) -> str:
    return str(choice.get("name", "required")) if isinstance(choice, dict) else str(choice)


def _response(
    asked: Asked, answer: Answer, id_: str, items: list[dict[str, Any]]
) -> dict[str, Any]:
    reason = _INCOMPLETE.get(answer.finish)
    given, taken = tokens_of(asked, answer)
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": answer.cached_tokens},
        "output_tokens": taken,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + taken,
    }
    return {
        "id": f"resp_{id_}",
        "object": "response",
        "created_at": 1767225600,
        "model": asked.model,
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
        "output": items,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None if answer.without_usage else usage,
    }


def _items(answer: Answer, id_: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.reasoning:
        summary = [{"type": "summary_text", "text": answer.reasoning}]
        items.append({"type": "reasoning", "id": f"rs_{id_}", "summary": summary})
    if answer.text:
        items.append(
            {
                "type": "message",
                "id": f"msg_{id_}",
                "role": "assistant",
                "status": "completed",
                "content": [_text_part(answer)],
            }
        )
    for number, call in enumerate(calls_of(answer, id_)):
        called = {"call_id": call["id"], **call["function"], "status": "completed"}
        items.append({"type": "function_call", "id": f"fc_{id_}_{number}", **called})
    return items


def _text_part(answer: Answer) -> dict[str, Any]:
    cited = [
        {"type": "url_citation", "url": url, "title": title, "start_index": 0, "end_index": 0}
        for url, title in answer.sources
    ]
    return {"type": "output_text", "text": answer.text, "annotations": cited}


def _bare(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return *item* as a stream begins it: with nothing in it."""
    empty: dict[str, Any] = {"summary": [], "content": [], "arguments": ""}
    return {name: empty.get(name, value) for name, value in item.items()}


def _deltas(item: Mapping[str, Any], answer: Answer) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is added to *item* piece by piece: the kind of the event, and its values."""
    if item["type"] == "reasoning":
        [part] = item["summary"]
        yield (
            "response.reasoning_summary_part.added",
            {"summary_index": 0, "part": {**part, "text": ""}},
        )
        yield (
            "response.reasoning_summary_text.delta",
            {"summary_index": 0, "delta": part["text"]},
        )
    elif item["type"] == "message":
        [part] = item["content"]
        bare = {**part, "text": "", "annotations": []}
        yield "response.content_part.added", {"content_index": 0, "part": bare}
        for piece in answer.pieces:
            yield (
                "response.output_text.delta",
                {"content_index": 0, "delta": piece, "logprobs": []},
            )
        for number, cited in enumerate(part["annotations"]):
            yield (
                "response.output_text.annotation.added",
                {"content_index": 0, "annotation_index": number, "annotation": cited},
            )
        whole = {"content_index": 0, "text": part["text"], "logprobs": []}
        yield "response.output_text.done", whole
    else:
        text = item["arguments"]
        half = len(text) // 2
        for delta in (text[:half], text[half:]):
            yield "response.function_call_arguments.delta", {"delta": delta}


def _event(kind: str, value: Mapping[str, Any]) -> bytes:
    data = json.dumps({"type": kind, "sequence_number": 0, **value})
    return f"event: {kind}\ndata: {data}\n\n".encode()
