"""Pictures are known by their bytes; whatever else comes is none, and harms nothing."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.images import image_of

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIB", 13, b"IHDR", 640, 480, 8)
#: A filling byte, an application's part, a restart mark, then the frame: 640 wide, 480 high.
JPEG = (
    b"\xff\xd8\xff\xff\xe0\x00\x04ab\xff\xd0\xff\xc2\x00\x11\x08"
    + struct.pack(">HH", 480, 640)
    + bytes(20)
)


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x0a\x00\x00\x00" + body.ljust(10, b"\x00")


LOSSY = webp(b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 480 | 1 << 14))
LOSSLESS = webp(b"VP8L", b"\x2f" + struct.pack("<I", 639 | 479 << 14 | 1 << 28))
EXTENDED = webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little"))


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (LOSSY, "image/webp"),
        (LOSSLESS, "image/webp"),
        (EXTENDED, "image/webp"),
    ],
)
def test_a_picture_says_what_it_is_and_how_large(content: bytes, kind: str) -> None:
    assert image_of(content) == (kind, 640, 480)


@pytest.mark.parametrize("content", [PNG, JPEG, LOSSY, LOSSLESS, EXTENDED])
def test_half_a_head_is_no_picture(content: bytes) -> None:
    for end in range(14):
        assert image_of(content[:end]) is None


@given(st.sampled_from([PNG, JPEG, LOSSY, LOSSLESS, EXTENDED]), st.binary(max_size=40), st.data())
def test_no_bytes_at_all_harm_anything(start: bytes, rest: bytes, data: st.DataObject) -> None:
    content = start[: data.draw(st.integers(0, len(start)))] + rest

    found = image_of(content)

    assert found is None or (found[1] >= 0 and found[2] >= 0)


def test_an_endless_chain_of_marks_ends() -> None:
    assert image_of(b"\xff\xd8" + b"\xff" * 100_000) is None
    assert image_of(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 1_000) is None
