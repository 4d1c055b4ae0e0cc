"""SendWebRequest: one HTTP request to any public server."""

import base64
import binascii
import mimetypes
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote_to_bytes, urlsplit

from backend.sdk import (
    Block,
    BlockContext,
    Body,
    Category,
    Effect,
    EffectRule,
    Example,
    FormBody,
    JsonBody,
    WebFile,
    WebResponse,
    json_text,
    pin,
    pins,
)

_NO_CONTENT: Final = 204


class HttpMethod(StrEnum):
    """What is asked of the server."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"
    PATCH = "PATCH"
    OPTIONS = "OPTIONS"
    HEAD = "HEAD"


class SendWebRequestBlock(Block):
    """Sends one request to a web address and hands on the answer, sorted by how it went."""

    id = "6595ae1f-b924-42cb-9a41-551a0611c4b4"
    categories = (Category.OUTPUT,)
    effect = EffectRule(
        pin="method",
        effects={
            HttpMethod.GET: Effect.READ,
            HttpMethod.HEAD: Effect.READ,
            HttpMethod.OPTIONS: Effect.READ,
            HttpMethod.PUT: Effect.IDEMPOTENT,
            HttpMethod.DELETE: Effect.IDEMPOTENT,
        },
        otherwise=Effect.KEYED,
    )
    examples = (
        Example(
            inputs={"url": "https://example.com", "files": ["data:,x"]},
            error="switch json_format off",
        ),
        Example(
            inputs={"url": "https://example.com", "method": "FETCH"},
            error="'FETCH' is not one of",
        ),
    )

    @pins
    class Input:
        """Input pins."""

        url: str = pin(description="The address.", placeholder="https://api.example.com")
        method: HttpMethod = pin(default=HttpMethod.POST, description="The method.")
        headers: dict[str, str] = pin(default_factory=dict, description="Headers to send.")
        json_format: bool = pin(
            default=True,
            title="JSON format",
            description="Send the body as JSON; else as a form.",
        )
        body: dict[str, Any] | None = pin(default=None, description="What to send.")
        files_name: str = pin(default="file", description="The field of the form for the files.")
        files: list[str] = pin(
            default_factory=list,
            description="Files to send: data: URIs or web addresses.",
            schema={"type": "array", "items": {"type": "string", "format": "file"}},
        )

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="Why there was no answer.")
        response: Any = pin(description="The answer, if all went well (2xx).")
        client_error: Any = pin(description="The answer, if the request was at fault (4xx).")
        server_error: Any = pin(description="The answer in all other cases.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the answer: JSON as its value, all else as text."""
        if inputs.files and inputs.json_format:
            raise ValueError("files cannot be sent as JSON: switch json_format off")
        files = [await _file(inputs.files_name, each, context) for each in inputs.files]
        answer = await context.guarded_web().send(
            inputs.method.value,
            inputs.url,
            headers=_headers(inputs.headers, inputs.method, context),
            body=_body(inputs.body, files, as_json=inputs.json_format),
        )
        yield _pin_for(answer.status), _content(answer)


def _headers(given: Mapping[str, str], method: HttpMethod, context: BlockContext) -> dict[str, str]:
    headers = dict(given)
    named = {name.lower() for name in headers}
    keyed = method in (HttpMethod.POST, HttpMethod.PATCH)
    if keyed and context.idempotency_key and "idempotency-key" not in named:
        # Sent again after a crash with the same key, so that the server can do it once.
        headers["Idempotency-Key"] = context.idempotency_key
    return headers


def _body(
    body: Mapping[str, Any] | None, files: Sequence[WebFile], *, as_json: bool
) -> Body | None:
    if files:
        return FormBody(fields=_fields(body or {}), files=files)
    if body is None:
        return None
    return JsonBody(value=dict(body)) if as_json else FormBody(fields=_fields(body))


def _fields(body: Mapping[str, Any]) -> dict[str, str | Sequence[str]]:
    """Return *body* as the fields of a form: a list is a field given several times."""
    return {
        name: [_text(item) for item in value] if isinstance(value, list) else _text(value)
        for name, value in body.items()
        if value is not None
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value)


async def _file(field: str, source: str, context: BlockContext) -> WebFile:
    if source.startswith("data:"):
        media_type, content = _data_uri(source)
        name = f"file{mimetypes.guess_extension(media_type) or ''}"
        return WebFile(name=field, filename=name, content=content, media_type=media_type)
    if not source.startswith(("http://", "https://")):
        raise ValueError(f"{source[:60]!r} is no file: give a data: URI or a web address")
    answer = await context.guarded_web().send("GET", source)
    if not answer.ok:
        raise ValueError(f"the file at {answer.url_origin} answers with status {answer.status}")
    name = urlsplit(source).path.rpartition("/")[2] or "file"
    media_type = (answer.header("content-type") or "").partition(";")[0].strip()
    return WebFile(
        name=field,
        filename=name,
        content=answer.content,
        media_type=media_type or "application/octet-stream",
    )


def _data_uri(source: str) -> tuple[str, bytes]:
    head, comma, data = source.removeprefix("data:").partition(",")
    if not comma:
        raise ValueError("a data: URI has a comma before its content")
    media_type = head.partition(";")[0] or "text/plain"
    if not head.endswith(";base64"):
        return media_type, unquote_to_bytes(data)
    try:
        return media_type, base64.b64decode(data, validate=True)
    except binascii.Error as exc:
        raise ValueError("the content of a data: URI is not valid base64") from exc


def _pin_for(status: int) -> str:
    return {2: "response", 4: "client_error"}.get(status // 100, "server_error")


def _content(answer: WebResponse) -> Any:
    media_type = (answer.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        if answer.status == _NO_CONTENT or not answer.content:
            return None
        return answer.json()
    return answer.text()
