"""The copilot's tools for the files of its user: those that belong to no run, and any by its id."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from backend.core.errors import BadRequest
from backend.core.json import JsonObject
from backend.ports.files import SCHEME, StoredFile
from backend.services.copilot_calls import Does, ToolCalled
from backend.services.files import FileService, Upload

#: What the copilot writes is there so long; a run that uses it keeps its own copy.
KEPT_DAYS: Final = 30
_LISTED: Final = 100
#: Characters of a text that one call shows, and that one call writes.
_PIECE: Final = 12_000
_WRITTEN: Final = 500_000
_MOST_READ_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class CopilotFiles:
    """See the module. It keeps nothing."""

    files: FileService

    @property
    def tools(self) -> Mapping[str, Does]:
        """Return what does each tool, by its name."""
        return {
            "list_workspace_files": self._list,
            "read_workspace_file": self._read,
            "write_workspace_file": self._write,
        }

    async def _list(self, called: ToolCalled) -> JsonObject:
        found = await self.files.own(called.user_id, most=_LISTED)
        if not found:
            return {"type": "no_results", "message": "There is no file that belongs to no run."}
        return {
            "type": "workspace_file_list",
            "message": f"{len(found)} files, the newest first",
            "files": [_form(one) for one in found],
            "count": len(found),
        }

    async def _read(self, called: ToolCalled) -> JsonObject:
        file_id = called.text("file_id").removeprefix(SCHEME)
        stored, pieces = await self.files.download(called.user_id, file_id)
        told: JsonObject = {
            "type": "workspace_file_content",
            "message": f"{stored.name}, {stored.size_bytes} bytes",
            **_form(stored),
        }
        async with aclosing(pieces):
            content = await _text_of(pieces)
        if content is None:
            return {
                **told,
                "hint": "it is no text that can be shown; hand its reference to a block",
            }
        start = called.number("offset", 0, len(content))
        told["content"] = content[start : start + _PIECE]
        if start + _PIECE < len(content):
            told["next_offset"] = start + _PIECE
        return told

    async def _write(self, called: ToolCalled) -> JsonObject:
        name, content = called.text("name"), str(called.arguments.get("content") or "")
        if not name:
            raise BadRequest("name: what the file is called is needed")
        if not content or len(content) > _WRITTEN:
            raise BadRequest(f"content: a text of 1 to {_WRITTEN} characters is needed")
        stored = await self.files.keep_found(
            called.user_id,
            Upload(name=name, media_type="text/plain; charset=utf-8", content=_pieces(content)),
            key=called.key,
            days=KEPT_DAYS,
        )
        return {
            "type": "workspace_file_written",
            "message": f"{stored.name} is kept for {KEPT_DAYS} days.",
            **_form(stored),
        }


def _form(stored: StoredFile) -> JsonObject:
    return {
        "file_id": stored.id,
        "reference": stored.reference,
        "name": stored.name,
        "mime_type": stored.media_type,
        "size_bytes": stored.size_bytes,
    }


async def _text_of(pieces: AsyncIterator[bytes]) -> str | None:
    """Return the whole text; None if it is none, or too long to be looked through."""
    found = bytearray()
    async for piece in pieces:
        found += piece
        if len(found) > _MOST_READ_BYTES:
            return None
    try:
        text = found.decode()
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


async def _pieces(content: str) -> AsyncIterator[bytes]:
    yield content.encode("utf-8", "replace")
