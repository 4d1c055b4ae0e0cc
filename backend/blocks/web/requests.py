"""What blocks that send requests share: methods, bodies, files, and where an answer comes out."""

import base64
import binascii
import mimetypes
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes, urlsplit

from backend.sdk import (
    BlockContext,
    Body,
    Effect,
    EffectRule,
    FormBody,
    JsonBody,
    WebFile,
    WebResponse,
    json_text,
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


#: What sending twice would do, by method.
EFFECT: Final = EffectRule(
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


def headers_of(
    given: Mapping[str, str], method: HttpMethod, context: BlockContext
) -> dict[str, str]:
    """Return the headers to send; what must not happen twice carries a key."""
    headers = dict(given)
    named = {name.lower() for name in headers}
    keyed = method in (HttpMethod.POST, HttpMethod.PATCH)
    if keyed and context.idempotency_key and "idempotency-key" not in named:
        # Sent again after a crash with the same key, so that the server can do it once.
        headers["Idempotency-Key"] = context.idempotency_key
    return headers


class Sent(Protocol):
    """The pins that say what is sent."""

    @property
    def json_format(self) -> bool:
        """Whether the body is JSON; else a form."""

    @property
    def body(self) -> dict[str, Any] | None:
        """What is sent."""

    @property
    def files_name(self) -> str:
        """The field of the form for the files."""

    @property
    def files(self) -> list[str]:
        """Data URIs or web addresses."""


async def body_of(sent: Sent, context: BlockContext) -> Body | None:
    """Return the body of a request; fetches the files of a form first."""
    if sent.files and sent.json_format:
        raise ValueError("files cannot be sent as JSON: switch json_format off")
    files = [await _file(sent.files_name, each, context) for each in sent.files]
    if files:
        return FormBody(fields=_fields(sent.body or {}), files=files)
    if sent.body is None:
        return None
    if sent.json_format:
        return JsonBody(value=dict(sent.body))
    return FormBody(fields=_fields(sent.body))


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


def pin_for(status: int) -> str:
    """Return the pin at which an answer of this status comes out."""
    return {2: "response", 4: "client_error"}.get(status // 100, "server_error")


def content_of(answer: WebResponse) -> Any:
    """Return what an answer holds: JSON as its value, all else as text."""
    media_type = (answer.header("content-type") or "").partition(";")[0].strip().lower()
    if media_type == "application/json" or media_type.endswith("+json"):
        if answer.status == _NO_CONTENT or not answer.content:
            return None
        return answer.json()
    return answer.text()
