"""FileRead: the text in a file, whole or in parts, in memory only as large as one part."""

import codecs
from collections.abc import AsyncIterator
from typing import Any, BinaryIO, Final

from backend.sdk import Block, BlockContext, Category, Effect, Example, TooLarge, pin, pins
from backend.sdk.files import pieces_of

#: Of one output. What is larger must be cut by `size_limit`.
_MOST_CHARACTERS: Final = 4 * 1024 * 1024
_BIG: Final = {"file_input": "data:text/plain;base64,YSxiLGMsZA=="}
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class FileReadBlock(Block):
    """
    Reads the text in a file: skips, cuts at a delimiter, and hands it on in parts.

    The text is UTF-8, or what the mark at its beginning says, else Latin-1.
    """

    id = "3735a31f-7e18-4aca-9e90-08a7120674bc"
    categories = (Category.TEXT, Category.DATA)
    effect = Effect.IDEMPOTENT
    examples = (
        Example(inputs=_BIG, outputs=[("content", "a,b,c,d")]),
        Example(
            inputs={**_BIG, "size_limit": 3},
            outputs=[("content", "a,b"), ("content", ",c,"), ("content", "d")],
        ),
        Example(
            inputs={**_BIG, "delimiter": ",", "skip_rows": 1, "row_limit": 2},
            outputs=[("content", "b,c")],
        ),
        Example(inputs={**_BIG, "skip_size": 4}, outputs=[("content", "c,d")]),
        Example(inputs={**_BIG, "delimiter": ",", "skip_rows": 4}, outputs=[("content", "")]),
        Example(inputs={"file_input": "data:,"}, outputs=[]),
        Example(inputs={"file_input": "data:,%E9t%E9"}, outputs=[("content", "été")]),
    )

    @pins
    class Input:
        """Input pins."""

        file_input: str = pin(
            format="file",
            description="A data: URI, a web address, or the reference of a stored file.",
        )
        delimiter: str = pin(default="", description="Ends a row; empty: all is one row.")
        size_limit: int = pin(default=0, description="Characters of one output; 0: all in one.")
        row_limit: int = pin(default=0, description="How many rows to read; 0: all.")
        skip_size: int = pin(default=0, description="Characters to leave out first.")
        skip_rows: int = pin(default=0, description="Rows to leave out then.")

    @pins
    class Output:
        """Output pins."""

        content: str = pin(description="The text, or a part of it.")

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the parts, in order."""
        async with context.run_files().open(inputs.file_input) as file:
            encoding = await _encoding_of(file.content)
            text = _skipped(_text(file.content, encoding), inputs.skip_size)
            rows = _Rows(inputs.delimiter, inputs.skip_rows, inputs.row_limit)
            async for part in _parts(_of_rows(text, rows), inputs.size_limit):
                yield "content", part
        if rows.are_none:
            yield "content", ""


async def _encoding_of(content: BinaryIO) -> str:
    """Look through *content* once, and return the encoding that fits all of it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    encoding, is_first = "utf-8", True
    async for piece in pieces_of(content):
        if is_first:
            is_first = False
            marked = next((name for mark, name in _MARKS.items() if piece.startswith(mark)), None)
            if marked is not None:
                encoding = marked
                break
        try:
            decoder.decode(piece)
        except UnicodeDecodeError:
            encoding = "latin-1"
            break
    else:
        if decoder.getstate()[0]:
            encoding = "latin-1"  # it ends amid a character
    content.seek(0)
    return encoding


async def _text(content: BinaryIO, encoding: str) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    async for piece in pieces_of(content):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


async def _skipped(text: AsyncIterator[str], left: int) -> AsyncIterator[str]:
    async for piece in text:
        if left < len(piece):
            yield piece[max(left, 0) :]
        left = max(0, left - len(piece))


class _Rows:
    """
    Leaves out rows before some row and after another, in a text that comes in pieces.

    Rows joined again are the text between two delimiters, so that counting delimiters is enough.
    """

    def __init__(self, delimiter: str, skip: int, limit: int) -> None:
        self._delimiter = delimiter
        self._skip = max(0, skip)
        self._last = self._skip + limit if limit > 0 else None
        self._row = 0
        self._waiting = ""

    @property
    def are_over(self) -> bool:
        """Whether the last wanted row has ended."""
        return self._last is not None and self._row >= self._last

    @property
    def are_none(self) -> bool:
        """Whether the text ended before the first wanted row."""
        return self._row < self._skip

    def wanted_in(self, piece: str, *, is_last: bool = False) -> str:
        """Return what is wanted of the next *piece*; its end may come with the next one."""
        if not self._delimiter:
            return piece if self._skip == 0 else ""
        text = self._waiting + piece
        if self._last is None and self._row >= self._skip:
            self._waiting = ""
            return text
        wanted: list[str] = []
        start = 0
        while not self.are_over and (end := text.find(self._delimiter, start)) >= 0:
            after = end + len(self._delimiter)
            if self._row >= self._skip:
                is_end = self._row + 1 == self._last
                wanted.append(text[start : end if is_end else after])
            self._row += 1
            start = after
        # A delimiter may begin at the end of one piece and end in the next.
        kept = 0 if is_last else len(self._delimiter) - 1
        cut = max(start, len(text) - kept)
        if not self.are_over and self._row >= self._skip:
            wanted.append(text[start:cut])
        self._waiting = text[cut:]
        return "".join(wanted)


async def _of_rows(text: AsyncIterator[str], rows: _Rows) -> AsyncIterator[str]:
    async for piece in text:
        yield rows.wanted_in(piece)
        if rows.are_over:
            return
    yield rows.wanted_in("", is_last=True)


async def _parts(text: AsyncIterator[str], size: int) -> AsyncIterator[str]:
    """Yield *text* in parts of *size* characters, or as one."""
    most = size if size > 0 else _MOST_CHARACTERS
    waiting: list[str] = []
    length = 0
    async for piece in text:
        waiting.append(piece)
        length += len(piece)
        if length <= most:
            continue
        if size <= 0 or size > _MOST_CHARACTERS:
            raise TooLarge(
                f"the text is longer than {_MOST_CHARACTERS} characters, too long for one output: "
                "set size_limit to get it in parts"
            )
        whole = "".join(waiting)
        end = length - length % size
        for start in range(0, end, size):
            yield whole[start : start + size]
        waiting, length = [whole[end:]], length - end
    if length:
        yield "".join(waiting)
