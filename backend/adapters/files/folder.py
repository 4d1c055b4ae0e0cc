"""Files in a folder of this machine: `<root>/<run>/<random id>`, with its facts beside it.

Names on disk are ids of ours; what people call a file stands in its facts and is only shown. A
file's id is the name of its folder and its own, so that no index is needed to find it.
"""

import asyncio
import math
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from backend.adapters.files import facts
from backend.adapters.files.draft import DRAFT, FACTS, NO_LINKS, VALUE, Draft, sync_folder
from backend.adapters.files.quota import Quota, Share, Used
from backend.core.errors import NotFound, Unavailable
from backend.core.ids import ExecutionId, UserId
from backend.ports.files import PIECE_BYTES, FileId, FileLimits, NewFile, StoredFile

T = TypeVar("T")

_FACTS_BYTES: Final = 64 * 1024
#: No upload takes so long.
_DRAFT_AGE_S: Final = 24 * 3600.0


class FolderFiles:
    """See backend.ports.files.Files."""

    def __init__(
        self,
        root: Path,
        limits: FileLimits | None = None,
        *,
        durable: bool = True,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """
        Use the folder *root*, made on first use.

        Args:
            durable: False for a folder that nobody will look into again.
            now_s: The time, since the epoch.
        """
        self.now_s = now_s
        self.limits = limits or FileLimits()
        self.root = root
        self.durable = durable
        self.quota = Quota(self.limits)

    def of(self, user_id: UserId) -> "FolderUserFiles":
        return FolderUserFiles(self, user_id)

    @asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        folder = self.root / f"scratch-{secrets.token_hex(16)}"
        await _in_thread(lambda: _make_folder(self.root, folder))
        try:
            yield folder
        finally:
            await _in_thread(lambda: _remove(folder))

    async def delete_run(self, run_id: ExecutionId, *, untouched_s: float = 0.0) -> bool:
        folder = self.folder(run_id)
        before_s = self.now_s() - untouched_s if untouched_s else math.inf
        is_gone = await _in_thread(lambda: _remove(folder, before_s))
        if is_gone:
            self.quota.forget(folder.name)
        return is_gone

    async def delete_expired(self) -> int:
        return await _in_thread(lambda: _delete_expired(self.root, self.now_s()))

    async def runs(self, *, untouched_s: float) -> list[ExecutionId]:
        before_s = self.now_s() - untouched_s
        return await _in_thread(lambda: _runs_in(self.root, before_s))

    def folder(self, run: str) -> Path:
        """Return the folder of *run*. Raises BadRequest if that can be no name of one."""
        return self.root / facts.checked_run(run)


class FolderUserFiles:
    """See backend.ports.files.UserFiles."""

    def __init__(self, files: FolderFiles, user_id: UserId) -> None:
        self._files = files
        self._user_id = user_id

    async def save(self, new: NewFile, content: AsyncIterable[bytes]) -> StoredFile:
        return await self._fill(new, partial(_write_all, content))

    async def keep(self, file_id: FileId, new: NewFile) -> StoredFile:
        stored, place = await self._find(file_id)

        async def fill(draft: Draft, share: Share) -> None:
            share.take(stored.size_bytes)
            if not await _in_thread(partial(draft.link, place)):
                with closing(await _in_thread(lambda: _opened(place))) as content:
                    while piece := await _in_thread(partial(content.read, PIECE_BYTES)):
                        await _in_thread(partial(draft.write, piece))

        return await self._fill(new, fill)

    async def _fill(
        self, new: NewFile, fill: Callable[[Draft, Share], Awaitable[None]]
    ) -> StoredFile:
        folder = self._files.root / facts.folder_of(self._user_id, new)
        await _in_thread(lambda: _make_folder(self._files.root, folder))
        quota = self._files.quota
        if new.run_id is None:
            quota.forget_idle(folder.name)  # another process deletes there what has expired
        if not quota.knows(folder.name):
            quota.learn(folder.name, await _in_thread(lambda: _count(folder)))
        name = facts.name_of(self._user_id, folder.name, new)
        draft = Draft(folder / name, durable=self._files.durable)
        share = quota.share(folder.name)
        try:
            await fill(draft, share)
            stored = facts.stored_as(folder.name, name, new, share.size_bytes)
            text = facts.written(self._user_id, stored, new.expires_us)
            share.keep(instead_of=await _in_thread(partial(draft.finish, text)))
        finally:
            share.close()
            await _in_thread(draft.discard)
        return stored

    async def find(self, file_id: FileId) -> StoredFile:
        return (await self._find(file_id))[0]

    async def own(self, *, most: int) -> list[StoredFile]:
        folder = facts.own_folder(self._user_id)
        found: list[StoredFile] = []
        for name in await _in_thread(lambda: _newest(self._files.root / folder)):
            if len(found) == most:
                break
            with suppress(NotFound):  # its time is over, or it has just gone
                found.append(await self.find(FileId(f"{folder}_{name}")))
        return found

    async def open(self, file_id: FileId) -> BinaryIO:
        _, place = await self._find(file_id)
        return await _in_thread(lambda: _opened(place))

    async def _find(self, file_id: FileId) -> tuple[StoredFile, Path]:
        run, name = facts.parts_of(file_id)
        place = self._files.root / run / name
        try:
            read = await _in_thread(lambda: _read_facts(place))
        except NotFound:
            raise facts.missing(file_id) from None
        return facts.found(read, file_id, self._user_id, self._files.now_s()), place


async def _write_all(content: AsyncIterable[bytes], draft: Draft, share: Share) -> None:
    async for piece in content:
        share.take(len(piece))
        await _in_thread(partial(draft.write, piece))


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as exc:
        raise Unavailable(f"the folder of files cannot be used: {exc.strerror}") from exc


def _make_folder(root: Path, folder: Path) -> None:
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(root)
    if folder.is_symlink():
        raise Unavailable(f"{folder.name} in the folder of files is a link")


def _count(folder: Path) -> Used:
    used = Used()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(FACTS):
                used.files += 1
            elif not entry.name.endswith(VALUE):  # which is of the rows: files have a limit apart
                with suppress(FileNotFoundError):  # another writer's draft may just have gone
                    used.size_bytes += entry.stat(follow_symlinks=False).st_size
    return used


def _newest(folder: Path) -> list[str]:
    """Return the names of all files in *folder*, the newest first."""
    found: list[tuple[float, str]] = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(FACTS):
                with suppress(FileNotFoundError):
                    at_s = entry.stat(follow_symlinks=False).st_mtime
                    found.append((at_s, entry.name.removesuffix(FACTS)))
    return [name for _, name in sorted(found, reverse=True)]


def _opened(place: Path) -> BinaryIO:
    flags = os.O_RDONLY | NO_LINKS | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(place, flags), "rb")


def _read_facts(place: Path) -> dict[str, Any]:
    """Return the facts of the file at *place*. Raises NotFound if there is none."""
    if place.parent.is_symlink():
        raise NotFound
    try:
        with _opened(place.with_name(place.name + FACTS)) as file:
            return facts.read(file.read(_FACTS_BYTES))
    except OSError as exc:
        raise NotFound from exc


def _remove(folder: Path, before_s: float = math.inf) -> bool:
    """Remove *folder* if nothing came into it after *before_s*; say whether it was there."""
    if not folder.exists() or folder.stat().st_mtime > before_s:
        return False
    shutil.rmtree(folder)
    return True


def _runs_in(root: Path, before_s: float) -> list[ExecutionId]:
    with suppress(FileNotFoundError), os.scandir(root) as entries:
        return [
            ExecutionId(entry.name)
            for entry in entries
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(facts.OWN)
            and entry.stat(follow_symlinks=False).st_mtime <= before_s
        ]
    return []


def _delete_expired(root: Path, now_s: float) -> int:
    """Look through what belongs to no run: a run's files, and its drafts, go with the run."""
    deleted = 0
    for folder in root.glob(f"{facts.OWN}*"):
        for path in folder.glob(f"*{DRAFT}"):
            with suppress(FileNotFoundError):
                if path.lstat().st_mtime <= now_s - _DRAFT_AGE_S:
                    path.unlink()
        for path in folder.glob(f"*{FACTS}"):
            place = path.with_name(path.name.removesuffix(FACTS))
            with suppress(NotFound):
                if facts.is_past(_read_facts(place).get("expires_us"), now_s):
                    path.unlink(missing_ok=True)  # the facts first: without them it is not there
                    place.unlink(missing_ok=True)
                    deleted += 1
    return deleted
