"""Text that clients may send: bounded, and nothing that a database or a log cannot hold."""

from typing import Annotated

from pydantic import AfterValidator, Field

#: Versions are small numbers; anything above has no row and no place in one.
MAX_VERSION = 2**31 - 1

#: Graphs over this are refused as a whole; see also the limit on the size of a body.
MAX_NODES = 5_000
MAX_LINKS = 20_000
MAX_SUB_GRAPHS = 200


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the character U+0000")
    return value


Id = Annotated[str, Field(max_length=200), AfterValidator(_no_nul)]
PinName = Annotated[str, Field(max_length=1_000), AfterValidator(_no_nul)]
Name = Annotated[str, Field(max_length=1_000), AfterValidator(_no_nul)]
FilledName = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_no_nul)]
LongText = Annotated[str, Field(max_length=200_000), AfterValidator(_no_nul)]
Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]
