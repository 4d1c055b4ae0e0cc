"""Files that runs made or people sent, handed back to their owner (spec/contract.md 12)."""

import re
from typing import Final
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from backend.api.context import caller_of, context_of
from backend.api.routing import PREFIX, Routes

_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,80}", re.ASCII)
_NOT_PLAIN: Final = re.compile(r"[^ !#$&+.0-9A-Z^_`a-z{}~-]", re.ASCII)


def add_workspace_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        f"{PREFIX}/workspace/files/{{file_id}}/download",
        download_file,
        operation="getWorkspaceDownload file by id",
        tags=("workspace",),
    )


async def download_file(request: Request, file_id: str) -> Response:
    """Return the content of a file of the caller, to be saved and never shown."""
    stored, pieces = await context_of(request).files.download(caller_of(request).user_id, file_id)
    # What a file says that it is came from whoever sent it.
    known = _MEDIA_TYPE.fullmatch(stored.media_type.lower())
    headers = {
        "Content-Length": str(stored.size_bytes),
        "Content-Disposition": disposition(stored.name),
        # Should a browser show it all the same, nothing in it runs.
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    kind = stored.media_type.lower() if known else "application/octet-stream"
    return StreamingResponse(pieces, media_type=kind, headers=headers)


def disposition(name: str) -> str:
    """Return the header that lets *name* be saved: plain for old programs, whole by RFC 5987."""
    plain = _NOT_PLAIN.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
