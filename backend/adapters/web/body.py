"""Reads an answer's body within its bounds, decompressing a bounded piece at a time."""

import zlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from backend.core.errors import WebFailed, WebTooLarge

ACCEPT_ENCODING: Final = "gzip, deflate"
# Honest text compresses 3 to 20 times, a page of zeros 1,000 times. Small bodies are let off.
MAX_RATIO: Final = 200
RATIO_FREE_BYTES: Final = 1024 * 1024
_PIECE: Final = 64 * 1024


async def pieces_of(
    parts: AsyncIterable[bytes], *, encoding: str, max_bytes: int
) -> AsyncIterator[bytes]:
    """
    Yield the body, decompressed, as it arrives.

    Raises:
        WebTooLarge: If it is over *max_bytes*, on the wire or after, or grows as only bombs do.
        WebFailed: If its encoding is unknown or broken.
    """
    decoder = _decoder(encoding)
    body_bytes = wire_bytes = 0
    async for part in parts:
        wire_bytes += len(part)
        if wire_bytes > max_bytes:
            raise WebTooLarge(f"the answer is larger than {max_bytes} bytes")
        decoder.feed(part)
        while piece := decoder.next_piece():
            body_bytes += len(piece)
            _check_size(body_bytes, wire_bytes, max_bytes)
            yield piece
    decoder.finish()


def _check_size(size_bytes: int, wire_bytes: int, max_bytes: int) -> None:
    if size_bytes > max_bytes:
        raise WebTooLarge(f"the answer is larger than {max_bytes} bytes")
    if size_bytes > RATIO_FREE_BYTES and size_bytes > wire_bytes * MAX_RATIO:
        raise WebTooLarge(f"the answer is compressed more than {MAX_RATIO} times")


class _Plain:
    """Hands through what it is fed."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, part: bytes) -> None:
        self._waiting = part

    def next_piece(self) -> bytes:
        piece, self._waiting = self._waiting, b""
        return piece

    def finish(self) -> None:
        return


class _Zipped:
    """Inflates at most one piece at a time, so that no single part can fill the memory."""

    def __init__(self, *, deflate: bool) -> None:
        self._deflate = deflate
        self._waiting = b""
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS if deflate else zlib.MAX_WBITS | 16)
        self._started = False

    def feed(self, part: bytes) -> None:
        self._waiting += part

    def next_piece(self) -> bytes:
        if self._inflater.eof and not self._next_member():
            return b""
        try:
            piece = self._inflater.decompress(self._waiting, _PIECE)
        except zlib.error as exc:
            if self._started or not self._deflate:
                raise WebFailed("the answer's compression is broken") from exc
            # Half of the servers that say deflate send it without its frame.
            self._started, self._inflater = True, zlib.decompressobj(-zlib.MAX_WBITS)
            return self.next_piece()
        self._started = self._started or bool(self._waiting)
        self._waiting = self._inflater.unconsumed_tail
        return piece

    def _next_member(self) -> bool:
        """Go on with the next part of a gzip file of several; other bytes after the end do not count."""
        left = self._inflater.unused_data + self._waiting
        self._waiting = b""
        if self._deflate or not left.startswith(b"\x1f\x8b"):
            return False
        self._waiting, self._inflater = left, zlib.decompressobj(zlib.MAX_WBITS | 16)
        return True

    def finish(self) -> None:
        if self._started and not self._inflater.eof:
            raise WebFailed("the answer's compression ends too early")


def _decoder(encoding: str) -> _Plain | _Zipped:
    match encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Zipped(deflate=False)
        case "deflate":
            return _Zipped(deflate=True)
        case _:
            raise WebFailed("the answer is compressed in a way that was not asked for")
