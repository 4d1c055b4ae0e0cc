"""Files in an S3-compatible bucket: `<run>/<id>` and its facts beside it, as in a folder.

A file comes over whole before any of it goes up, and goes down whole before any of it is read:
what breaks off on the way was never there. The names are those of the folder, so that a folder
that is copied into a bucket is the same files.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, cast

from backend.adapters.files import facts
from backend.adapters.files.bucket import Bucket, Object
from backend.adapters.files.draft import FACTS, VALUE
from backend.adapters.files.folder import FolderFiles
from backend.adapters.files.halves import other_half
from backend.adapters.files.quota import Quota, Share, Used
from backend.adapters.files.trees import SCRATCH
from backend.core.errors import NotFound, Unavailable
from backend.core.ids import ExecutionId, UserId
from backend.ports.files import PIECE_BYTES, FileId, FileLimits, NewFile, StoredFile

#: What is smaller waits in memory, what is larger in an unnamed file of the scratch folder.
_IN_MEMORY_BYTES: Final = 1024 * 1024
#: Stores copy no larger object in one step.
_COPIED_BYTES: Final = 4 * 1024**3
#: How often a file is read anew that was replaced in between.
_READS: Final = 3
#: No upload takes so long, and no block keeps a private folder for so long.
_HALF_AGE_S: Final = 24 * 3600.0
_AT_ONCE: Final = 8


class BucketFiles:
    """See backend.ports.files.Files."""

    def __init__(
        self,
        bucket: Bucket,
        scratch: Path,
        limits: FileLimits | None = None,
        *,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """
        Use *bucket*.

        Args:
            scratch: A folder of this machine for what is on its way, made on first use.
            now_s: The time, since the epoch; the bucket's own clock should not be far from it.
        """
        self.bucket = bucket
        self.limits = limits or FileLimits()
        self.now_s = now_s
        self.quota = Quota(self.limits)
        self._local = FolderFiles(scratch, self.limits, durable=False, now_s=now_s)

    def of(self, user_id: UserId) -> "BucketUserFiles":
        return BucketUserFiles(self, user_id)

    @asynccontextmanager
    async def scratch(self) -> AsyncIterator[Path]:
        async with self._local.scratch() as folder:
            yield folder

    async def spool(self) -> BinaryIO:
        """Return a nameless place for what is on its way. Raises Unavailable if there is none."""
        root = self._local.root

        def opened() -> BinaryIO:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Closed by whom it is given to.
            spool = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, "w+b", dir=str(root))  # noqa: SIM115
            return cast("BinaryIO", spool)

        try:
            return await asyncio.to_thread(opened)
        except OSError as exc:
            raise Unavailable(f"the folder of files cannot be used: {exc.strerror}") from exc

    async def delete_run(self, run_id: ExecutionId, *, untouched_s: float = 0.0) -> bool:
        run = facts.checked_run(run_id)
        there = [one async for one in self.bucket.listed(run)]
        if not there or (untouched_s and max(map(_age, there)) > self.now_s() - untouched_s):
            return False
        # The facts first: without them a file is not there.
        names = sorted((one.name for one in there), key=lambda name: not name.endswith(FACTS))
        await self.bucket.delete(names)
        self.quota.forget(run)
        return True

    async def delete_expired(self) -> int:
        await self._sweep_scratch()
        there = await self._own()
        names = {one.name for one in there}
        await self.bucket.delete([one.name for one in halves(there, self.now_s())])
        expired: list[str] = []
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(name: str) -> None:
            async with slots:
                with suppress(NotFound):
                    read = facts.read(await self.bucket.get(name))
                    if facts.is_past(read.get("expires_us"), self.now_s()):
                        expired.append(name)

        async with asyncio.TaskGroup() as group:
            for name in sorted(names):
                if name.endswith(FACTS):
                    group.create_task(look(name))
        await self.bucket.delete(expired)
        await self.bucket.delete([name.removesuffix(FACTS) for name in expired])
        return len(expired)

    async def runs(self, *, untouched_s: float) -> list[ExecutionId]:
        newest: dict[str, float] = {}
        async for one in self.bucket.listed():
            run, slash, _ = one.name.partition("/")
            if slash and not _is_own(one):
                newest[run] = max(newest.get(run, 0.0), one.modified_s)
        before_s = self.now_s() - untouched_s
        return [ExecutionId(run) for run, at_s in newest.items() if at_s <= before_s]

    async def _own(self) -> list[Object]:
        """Return what belongs to no run. Names are listed in order, so that no other is asked for."""
        found: list[Object] = []
        async for one in self.bucket.listed(after=facts.OWN):
            if not _is_own(one):
                break
            found.append(one)
        return found

    async def _sweep_scratch(self) -> None:
        for name in await self._local.runs(untouched_s=_HALF_AGE_S):
            # Only those: what was there before the files went into the bucket is not ours to delete.
            if name.startswith(SCRATCH):
                await self._local.delete_run(name, untouched_s=_HALF_AGE_S)


class BucketUserFiles:
    """See backend.ports.files.UserFiles."""

    def __init__(self, files: BucketFiles, user_id: UserId) -> None:
        self._files = files
        self._bucket = files.bucket
        self._user_id = user_id

    async def save(self, new: NewFile, content: AsyncIterable[bytes]) -> StoredFile:
        with closing(await self._files.spool()) as spool:

            async def fill(place: str, share: Share) -> None:
                async for piece in content:
                    share.take(len(piece))
                    await _written(spool, piece)
                spool.seek(0)
                await self._bucket.put(place, spool)

            return await self._fill(new, fill)

    async def keep(self, file_id: FileId, new: NewFile) -> StoredFile:
        stored, source = await self._find(file_id)

        async def fill(place: str, share: Share) -> None:
            share.take(stored.size_bytes)
            if stored.size_bytes <= _COPIED_BYTES:
                try:
                    await self._bucket.copy(source, place)
                except NotFound:
                    raise facts.missing(file_id) from None
                return
            with closing(await self.open(file_id)) as content:
                await self._bucket.put(place, content)

        return await self._fill(new, fill)

    async def find(self, file_id: FileId) -> StoredFile:
        return (await self._find(file_id))[0]

    async def own(self, *, most: int) -> list[StoredFile]:
        folder = facts.own_folder(self._user_id)
        there = [one async for one in self._bucket.listed(folder) if one.name.endswith(FACTS)]
        found: list[StoredFile] = []
        for one in sorted(there, key=_age, reverse=True):
            if len(found) == most:
                break
            name = one.name.rpartition("/")[2].removesuffix(FACTS)
            with suppress(NotFound):  # its time is over, or it has just gone
                found.append(await self.find(FileId(f"{folder}_{name}")))
        return found

    async def open(self, file_id: FileId) -> BinaryIO:
        for _ in range(_READS):
            stored, place = await self._find(file_id)
            spool = await self._files.spool()
            try:
                async for piece in self._bucket.pieces(place):
                    await _written(spool, piece)
                if spool.tell() == stored.size_bytes:
                    spool.seek(0)
                    return spool
            except NotFound:
                spool.close()
                raise facts.missing(file_id) from None
            except BaseException:
                spool.close()
                raise
            # Somebody stores it anew: its facts come after its content.
            spool.close()
        raise Unavailable(f"the file {file_id} is being replaced")

    async def _fill(
        self, new: NewFile, fill: Callable[[str, Share], Awaitable[None]]
    ) -> StoredFile:
        folder = facts.folder_of(self._user_id, new)
        quota = self._files.quota
        if new.run_id is None:
            quota.forget_idle(folder)  # another process deletes there what has expired
        if not quota.knows(folder):
            quota.learn(folder, await self._count(folder))
        name = facts.name_of(self._user_id, folder, new)
        share = quota.share(folder)
        try:
            before = await self._size(f"{folder}/{name}") if new.key else None
            await fill(f"{folder}/{name}", share)
            stored = facts.stored_as(folder, name, new, share.size_bytes)
            text = facts.written(self._user_id, stored, new.expires_us)
            await self._bucket.put(f"{folder}/{name}{FACTS}", text)
            share.keep(instead_of=before)
        finally:
            share.close()
        return stored

    async def _find(self, file_id: FileId) -> tuple[StoredFile, str]:
        folder, name = facts.parts_of(file_id)
        place = f"{folder}/{name}"
        try:
            read = facts.read(await self._bucket.get(f"{place}{FACTS}"))
        except NotFound:
            raise facts.missing(file_id) from None
        return facts.found(read, file_id, self._user_id, self._files.now_s()), place

    async def _size(self, place: str) -> int | None:
        try:
            return int(facts.read(await self._bucket.get(f"{place}{FACTS}"))["size_bytes"])
        except NotFound:
            return None

    async def _count(self, folder: str) -> Used:
        used = Used()
        async for one in self._bucket.listed(folder):
            if one.name.endswith(FACTS):
                used.files += 1
            elif not one.name.endswith(VALUE):  # which is of the rows: files have a limit apart
                used.size_bytes += one.size_bytes
        return used


async def _written(spool: BinaryIO, piece: bytes) -> None:
    for start in range(0, len(piece), PIECE_BYTES):
        try:
            await asyncio.to_thread(partial(spool.write, piece[start : start + PIECE_BYTES]))
        except OSError as exc:
            raise Unavailable(f"the folder of files cannot be used: {exc.strerror}") from exc


def halves(there: Iterable[Object], now_s: float) -> list[Object]:
    """Return files without their facts, and facts without their file, that are no file under way."""
    objects = list(there)
    names = {one.name for one in objects}
    return [
        one
        for one in objects
        if one.modified_s <= now_s - _HALF_AGE_S
        and not one.name.endswith(VALUE)  # values have no facts
        and other_half(one.name) not in names
    ]


def _age(one: Object) -> float:
    return one.modified_s


def _is_own(one: Object) -> bool:
    return one.name.startswith(facts.OWN)
