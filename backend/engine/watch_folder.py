"""Looks into drop folders: a file that has come to rest is kept, handed over, and moved aside."""

import fnmatch
import mimetypes
from collections.abc import AsyncIterator
from contextlib import closing
from hashlib import sha256
from typing import Any, Final

import structlog

from backend.core.errors import BadRequest, NotFound, TooLarge
from backend.core.watch_settings import FolderWatch
from backend.core.watches import WatchKind, digest, key_of
from backend.engine.glances import Glance, Item
from backend.ports.drops import Away, DropFolder, Dropped, Drops
from backend.ports.files import StoredFile
from backend.sdk.files import pieces_of
from backend.services.files import FileService, Upload

log = structlog.get_logger()

#: A run has so long to begin; then it keeps its own copy.
FOUND_DAYS: Final = 7
_MOST: Final = 1_000
_AT_ONCE: Final = 20


class FolderLooker:
    """
    Files that people drop.

    State: *waiting*, files that may still be written to, each with its mark and since when it has
    it; *left*, marks of files that were taken and stay.
    """

    def __init__(self, drops: Drops, files: FileService) -> None:
        self._drops = drops
        self._files = files

    async def look(self, glance: Glance) -> AsyncIterator[Item]:
        """See Looker."""
        settings, state = glance.settings, glance.state
        assert isinstance(settings, FolderWatch)
        glance.begin_anew_at(digest(settings.folder))
        folder = self._drops.of(glance.user_id, settings.folder)
        there = [
            file
            for file in await folder.listed(most=_MOST)
            if fnmatch.fnmatchcase(file.name, settings.pattern)
        ]
        marks = {file.mark for file in there}
        left = [mark for mark in state.get("left", []) if mark in marks]
        new = [file for file in there if file.mark not in left]
        ready = self._ready(new, glance, settings)
        for file in ready[:_AT_ONCE]:
            item, where = await self._taken(folder, file, glance)
            if item is not None:
                yield item
            if where is None:
                continue  # it has changed meanwhile: the next look sees what it is now
            # Noted or moved only now: what was not handed over is looked at again.
            left.append(file.mark)
            state["left"] = left
            await glance.save()
            if not settings.is_kept or where is Away.REFUSED:
                await folder.put_away(file, where)
        state["left"] = left
        if len(ready) > _AT_ONCE:
            glance.again_s = 0.0

    def _ready(self, new: list[Dropped], glance: Glance, settings: FolderWatch) -> list[Dropped]:
        """Return the files that have come to rest; note the others."""
        waiting: dict[str, Any] = {}
        before: dict[str, Any] = glance.state.get("waiting", {})
        settle_us = round(settings.settle_s * 1_000_000)
        ready = []
        for file in new:
            mark, since_us = before.get(file.name, ("", 0))
            if mark != file.mark:
                since_us = glance.now_us
            # What was moved here has its time from before, and is whole.
            is_old = glance.now_us - file.modified_ns // 1_000 >= settle_us
            if is_old or glance.now_us - since_us >= settle_us:
                ready.append(file)
            else:
                waiting[file.name] = (file.mark, since_us)
        glance.state["waiting"] = waiting
        if waiting:
            glance.again_s = settings.settle_s
        return ready

    async def _taken(
        self, folder: DropFolder, file: Dropped, glance: Glance
    ) -> tuple[Item | None, Away | None]:
        """Return a file as an item and where it goes; neither if it changed while it was read."""
        content = sha256()

        async def pieces() -> AsyncIterator[bytes]:
            with closing(await folder.open(file)) as opened:
                async for piece in pieces_of(opened):
                    content.update(piece)
                    yield piece

        media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        upload = Upload(name=file.name, media_type=media_type, content=pieces())
        try:
            stored = await self._files.keep_found(
                glance.user_id, upload, key=f"{glance.webhook_id} {file.mark}", days=FOUND_DAYS
            )
        except NotFound:
            return None, None
        except TooLarge as exc:
            if file.size_bytes <= self._files.limit_bytes:
                raise  # its owner keeps too much already: it is another day's
            return _refused(file, exc)
        except BadRequest as exc:
            return _refused(file, exc)
        if not await folder.is_still(file):
            return None, None
        return _item(file, stored, content.hexdigest()), Away.DONE


def _refused(file: Dropped, why: BadRequest) -> tuple[None, Away]:
    """Say so where the operator looks; who dropped the file finds it in the folder beside."""
    log.warning("dropped_file_refused", size_bytes=file.size_bytes, error=str(why))
    return None, Away.REFUSED


def _item(file: Dropped, stored: StoredFile, content: str) -> Item:
    return Item(
        event="file",
        payload={
            "file": stored.reference,
            "name": file.name,
            "size": file.size_bytes,
            "modified_us": file.modified_ns // 1_000,
        },
        key=key_of(WatchKind.FOLDER, file.mark, content),
    )
