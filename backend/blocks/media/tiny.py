"""The smallest media for examples: a frame of video (VP9 in IVF), and a hundredth of a second of silence."""

from typing import Final

#: 16 by 16 pixels, for a quarter of a second.
VIDEO: Final = (
    "data:video/x-ivf;base64,REtJRgAAIABWUDkwEAAQAAQAAAABAAAAAQAAAAAAAAAXAAAAAAAAAAAAAACCSYNCAADw"
    "APYAOCQcGEoAADBgAAA3gA=="
)
SOUND: Final = (
    "data:audio/wav;base64,UklGRnQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YVAAAACAgICAgICAgI"
    "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgA=="
)
