"""What the executor and a worker process say to each other: JSON with its length before it."""

import socket
import struct
from typing import Any, Final

from backend.core import json
from backend.core.errors import TooLarge

HEAD: Final = struct.Struct("!I")
#: A frame says a little more than its value.
_AROUND_BYTES: Final = 4096
_MEGABYTE: Final = 1024 * 1024
#: With this code a worker says that it ran out of memory: then it can say little else.
EXIT_MEMORY: Final = 86


def frame_of(message: Any, most_bytes: int) -> bytes:
    """
    Return *message* as it travels.

    Raises:
        NotJson: If it has no JSON form.
        TooLarge: If it is longer than *most_bytes*.
    """
    text = json.dumps(message)
    if len(text) > most_bytes + _AROUND_BYTES:
        raise TooLarge(
            f"a value of {len(text) / _MEGABYTE:.1f} MB is larger than {most_bytes / _MEGABYTE:g} "
            "MB, too large on its way to or from a worker process (setting BLOCK_PROCESS_VALUE_MB)"
        )
    return HEAD.pack(len(text)) + text


def read_frame(channel: socket.socket) -> Any:
    """Return the next message, or None at the end. Blocks."""
    head = _read(channel, HEAD.size)
    if not head:
        return None
    return json.loads(_read(channel, HEAD.unpack(head)[0]))


def _read(channel: socket.socket, size: int) -> bytes:
    """Return *size* bytes, or none if the other side ends before."""
    found = bytearray()
    while len(found) < size:
        piece = channel.recv(min(size - len(found), _MEGABYTE))
        if not piece:
            return b""
        found += piece
    return bytes(found)
