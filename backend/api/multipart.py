"""The one file in a multipart form, as it arrives: nothing of it waits in memory or on a disk."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from backend.core.errors import BadRequest

#: Of all that is not the file: other fields and the marks between them.
_AROUND_BYTES: Final = 64 * 1024
_BOUNDARY_BYTES: Final = 200


@dataclass(frozen=True, kw_only=True)
class FormFile:
    """A file of a form; *content* is walked once, before anything else of the request."""

    name: str
    media_type: str
    content: AsyncIterator[bytes] = field(repr=False)


async def file_in(request: Request, name: str) -> FormFile | None:
    """
    Return the file in the field *name* of a multipart form; None if the body has none.

    Only this parser says what is a file: what JSON or another form claims to be one is none.

    Raises:
        BadRequest: If the form is broken; then, or while its file is read.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= _BOUNDARY_BYTES:
        return None
    parts = _parts(request, boundary)
    around = 0
    async for part in parts:
        around += len(part.data)
        if around > _AROUND_BYTES:
            raise BadRequest(f"the form has over {_AROUND_BYTES} bytes before its file")
        if part.begins and part.field == name and part.filename is not None:
            return FormFile(
                name=part.filename or "file",
                media_type=part.media_type or "application/octet-stream",
                content=_content(part, parts),
            )
    return None


@dataclass(slots=True)
class _Piece:
    """Some of a part: its first piece *begins*, its last *ends*."""

    field: str = ""
    filename: str | None = None
    media_type: str = ""
    data: bytes = b""
    begins: bool = False
    ends: bool = False


async def _content(first: _Piece, parts: AsyncIterator[_Piece]) -> AsyncIterator[bytes]:
    piece = first
    while not piece.ends:
        following = await anext(parts, None)
        if following is None:
            raise BadRequest("the form ends amid its file")
        piece = following
        if piece.data:
            yield piece.data


async def _parts(request: Request, boundary: bytes) -> AsyncIterator[_Piece]:
    collector = _Collector()
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": collector.begin,
            "on_header_field": collector.header_name,
            "on_header_value": collector.header_value,
            "on_header_end": collector.header_end,
            "on_headers_finished": collector.headers_end,
            "on_part_data": collector.data,
            "on_part_end": collector.end,
        },
    )
    async for chunk in request.stream():
        try:
            parser.write(chunk)
        except MultipartParseError as exc:
            raise BadRequest("the form is no valid multipart/form-data") from exc
        found, collector.found = collector.found, []
        for piece in found:
            yield piece


class _Collector:
    """Turns the parser's calls into pieces."""

    def __init__(self) -> None:
        self.found: list[_Piece] = []
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}

    def begin(self) -> None:
        """A part begins."""
        self._headers = {}

    def header_name(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's name."""
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's value."""
        self._value += data[start:end]

    def header_end(self) -> None:
        """A header ends."""
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def headers_end(self) -> None:
        """The part's content follows."""
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        filename = options.get(b"filename")
        self.found.append(
            _Piece(
                field=_text(options.get(b"name", b"")),
                filename=None if filename is None else _text(filename),
                media_type=_text(self._headers.get(b"content-type", b"")),
                begins=True,
            )
        )

    def data(self, data: bytes, start: int, end: int) -> None:
        """Some of a part's content."""
        self.found.append(_Piece(data=data[start:end]))

    def end(self) -> None:
        """A part ends."""
        self.found.append(_Piece(ends=True))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
