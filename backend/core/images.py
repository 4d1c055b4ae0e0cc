"""What a picture is, read from its first bytes: never from its name, or from what its sender says."""

from typing import Final

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SOI: Final = b"\xff\xd8"
#: Marks of frames in JPEG, which carry the size; the others between 0xC0 and 0xCF mean something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})


def image_of(content: bytes) -> tuple[str, int, int] | None:
    """Return the media type, width and height of a PNG, JPEG or WebP; None if it is none."""
    if content.startswith(_PNG) and content[12:16] == b"IHDR" and len(content) > 24:  # noqa: PLR2004 - header
        return "image/png", _big(content, 16, 4), _big(content, 20, 4)
    if content.startswith(_SOI):
        size = _jpeg_size(content)
        return None if size is None else ("image/jpeg", *size)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        size = _webp_size(content)
        return None if size is None else ("image/webp", *size)
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:  # noqa: PLR2004 - a mark's first byte
        mark = content[at + 1]
        if mark in _FRAMES:
            return _big(content, at + 7, 2), _big(content, at + 5, 2)
        if mark == 0xFF:  # noqa: PLR2004 - filling
            at += 1
        elif mark in _ALONE:
            at += 2
        else:
            at += 2 + max(_big(content, at + 2, 2), 2)
    return None


def _webp_size(content: bytes) -> tuple[int, int] | None:
    kind, body = content[12:16], content[20:30]
    if len(body) < 10:  # noqa: PLR2004 - as long as the longest of the three headers
        return None
    if kind == b"VP8X":
        return 1 + _little(body, 4, 3), 1 + _little(body, 7, 3)
    if kind == b"VP8L" and body[0] == 0x2F:  # noqa: PLR2004 - its signature
        bits = _little(body, 1, 4)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return _little(body, 6, 2) & 0x3FFF, _little(body, 8, 2) & 0x3FFF
    return None


def _big(content: bytes, at: int, length: int) -> int:
    return int.from_bytes(content[at : at + length], "big")


def _little(content: bytes, at: int, length: int) -> int:
    return int.from_bytes(content[at : at + length], "little")
