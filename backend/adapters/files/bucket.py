"""An S3-compatible bucket: its objects below one prefix, and errors that say what is wrong.

The client is loaded on first use: who keeps files in a folder never loads it.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias, TypeVar

from backend.core.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

T = TypeVar("T")

#: What an object may be given; pieces of one go up in parts.
Content: TypeAlias = bytes | BinaryIO | Iterator[bytes]

_AT_ONCE: Final = 16
_PAGE: Final = 1_000
_STREAMED_BYTES: Final = 1024 * 1024
_PART_BYTES: Final = 5 * 1024 * 1024
#: Parts of one upload under way: what it holds in memory is as many times as large as a part.
_PARTS_AT_ONCE: Final = 3
#: What every store says of an object that is not there.
_GONE: Final = "NoSuchKey"
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
#: The client says where in its own source an error arose; nobody else wants to know.
_SOURCE: Final = "\n\nDebug source"
_SAID: Final = 200


@dataclass(frozen=True, kw_only=True)
class BucketPlace:
    """
    Where a bucket is, and what opens it. What is empty, the client asks its surroundings for.

    Attributes:
        prefix: Before the name of each object, without slashes around it.
        endpoint: Address of the server; empty: Amazon's, of the region.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long the bucket is asked before it counts as unavailable. Seconds."""

    connect_s: float = 5.0
    silent_s: float = 20.0
    whole_s: float = 600.0
    retries: int = 4
    retries_s: float = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Object:
    """One object. *name* is without the prefix; *modified_s* since the epoch, by the store's clock."""

    name: str
    size_bytes: int
    modified_s: float


class Bucket:
    """
    All of it. An object is there whole, or not there: that is the store's promise.

    Each method raises Unavailable when the store refuses, or does not answer within the patience;
    those that read one object raise NotFound if there is none.
    """

    def __init__(self, place: BucketPlace, patience: Patience | None = None) -> None:
        self._place = place
        self._patience = patience or Patience()

    def __str__(self) -> str:
        return "/".join(filter(None, ("s3:/", self._place.bucket, self._place.prefix)))

    async def get(self, name: str) -> bytes:
        """Return a small object."""
        return await self._in_thread(partial(self.get_now, name))

    async def pieces(self, name: str) -> AsyncIterator[bytes]:
        """Yield the content of an object to its end."""
        import obstore  # noqa: PLC0415 - see the module

        def opened() -> Iterator[bytes]:
            answer = obstore.get(self._store, self._at(name))
            return iter(answer.stream(min_chunk_size=_PART_BYTES))

        with self._said(name):
            stream = await self._in_thread(opened)
            while (piece := await self._in_thread(partial(next, stream, None))) is not None:
                yield bytes(piece)

    async def put(self, name: str, content: Content) -> None:
        """Give an object its content, in place of what it had. Twice is harmless."""
        await self._in_thread(partial(self.put_now, name, content))

    async def copy(self, source: str, target: str) -> None:
        """Give *target* the content of *source*, without carrying it here."""
        import obstore  # noqa: PLC0415 - see the module

        with self._said(source):
            await self._in_thread(
                partial(obstore.copy, self._store, self._at(source), self._at(target))
            )

    async def delete(self, names: Sequence[str]) -> None:
        """Delete objects; those that are not there are left out."""
        import obstore  # noqa: PLC0415 - see the module

        for start in range(0, len(names), _PAGE):
            with self._said(), _gone_is_fine():
                some = [self._at(name) for name in names[start : start + _PAGE]]
                await self._in_thread(partial(obstore.delete, self._store, some))

    async def listed(self, folder: str = "", *, after: str = "") -> AsyncIterator[Object]:
        """Yield all objects in *folder*, by name; only those whose names come *after*, if given."""
        with self._said():
            pages = iter(self._pages(folder, after))
            while (page := await self._in_thread(partial(next, pages, None))) is not None:
                for one in page:
                    yield self._object(one)

    def listed_now(self) -> Iterator[Object]:
        """Yield all objects. Blocks."""
        with self._said():
            for page in self._pages("", ""):
                yield from map(self._object, page)

    def get_now(self, name: str) -> bytes:
        """Return a small object. Blocks; for any thread."""
        import obstore  # noqa: PLC0415 - see the module

        with self._said(name):
            return bytes(obstore.get(self._store, self._at(name)).bytes())

    def find_now(self, name: str) -> Object:
        """Return an object without its content. Blocks; for any thread."""
        import obstore  # noqa: PLC0415 - see the module

        with self._said(name):
            # Not by HEAD: its answer has no body, so it would not say whether the bucket is there.
            return self._object(obstore.get(self._store, self._at(name)).meta)

    def opened_now(self, name: str) -> "OpenObject":
        """Return an object's content, to be read once, from its beginning. Blocks; for any thread."""
        import obstore  # noqa: PLC0415 - see the module

        with self._said(name):
            answer = obstore.get(self._store, self._at(name))
            stream = iter(answer.stream(min_chunk_size=_STREAMED_BYTES))
            return OpenObject(int(answer.meta["size"]), stream, self._said)

    def delete_now(self, names: Sequence[str]) -> None:
        """Delete objects; those that are not there are left out. Blocks; for any thread."""
        import obstore  # noqa: PLC0415 - see the module

        with self._said(), _gone_is_fine():
            obstore.delete(self._store, [self._at(name) for name in names])

    def put_now(self, name: str, content: Content) -> None:
        """Give an object its content. Blocks; for any thread."""
        import obstore  # noqa: PLC0415 - see the module

        with self._said(name):
            obstore.put(
                self._store,
                self._at(name),
                content,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def check(self) -> None:
        """Do once what the server needs: write, read, list and delete, with an object of its own."""
        name = f"check-{secrets.token_hex(8)}"
        await self.put(name, name.encode())
        try:
            if await self.get(name) != name.encode():
                raise Unavailable(f"{self} does not give back what was written")
            if name not in [one.name async for one in self.listed(after=name[:-1])]:
                raise Unavailable(f"{self} does not list what was written")
        finally:
            await self.delete([name])

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # Not by the client's own async calls: its threads come back to Python when they are done,
        # and if that is going then, the process is aborted: at one of five ends, on Python 3.11.
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        # Of its own: a store that is away holds its callers for a while, and nobody else.
        return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bucket")

    @cached_property
    def _store(self) -> "S3Store":
        from obstore.store import S3Store  # noqa: PLC0415 - see the module

        place, patience = self._place, self._patience
        given = {
            "endpoint": place.endpoint,
            "region": place.region,
            "access_key_id": place.access_key_id,
            "secret_access_key": place.secret_access_key,
            "session_token": place.session_token,
        }
        options: Any = {name: value for name, value in given.items() if value}
        return S3Store(
            place.bucket,
            client_options={
                "allow_http": place.endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=patience.connect_s),
                "read_timeout": timedelta(seconds=patience.silent_s),
                "timeout": timedelta(seconds=patience.whole_s),
            },
            retry_config={
                "max_retries": patience.retries,
                "retry_timeout": timedelta(seconds=patience.retries_s),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=5),
                    "base": 2,
                },
            },
            **options,
        )

    def _at(self, name: str) -> str:
        return f"{self._place.prefix}/{name}" if self._place.prefix else name

    def _pages(self, folder: str, after: str) -> Any:
        import obstore  # noqa: PLC0415 - see the module

        return obstore.list(
            self._store,
            (self._at(folder) if folder else self._place.prefix) or None,
            offset=self._at(after) if after else None,
            chunk_size=_PAGE,
        )

    def _object(self, one: Any) -> Object:
        prefix = f"{self._place.prefix}/" if self._place.prefix else ""
        return Object(
            name=str(one["path"]).removeprefix(prefix),
            size_bytes=int(one["size"]),
            modified_s=one["last_modified"].timestamp(),
        )

    @contextmanager
    def _said(self, name: str = "") -> Iterator[None]:
        """Say errors of the client in our words."""
        from obstore import exceptions  # noqa: PLC0415 - see the module

        try:
            yield
        except FileNotFoundError as exc:
            # A bucket that is not there, and who is no store at all, answer in the same way.
            if _code(exc) != _GONE or not name:
                raise Unavailable(self._problem(exc)) from exc
            raise NotFound(f"{self} has no {name}") from exc
        except exceptions.BaseError as exc:
            raise Unavailable(self._problem(exc)) from exc

    def _problem(self, error: Exception) -> str:
        code = _code(error)
        if code == "NoSuchBucket":
            return f"there is no bucket {self._place.bucket} (FILES_URL, AWS_ENDPOINT_URL)"
        # A list says its errors in a way of its own.
        if code in _REFUSALS or _REFUSED.search(str(error)):
            reason = f" ({code})" if code else ""
            return (
                f"{self} refuses access{reason}: look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
                "and at what that key may do"
            )
        where = f" at {self._place.endpoint}" if self._place.endpoint else ""
        text = code or str(error).partition(_SOURCE)[0].rpartition(" - ")[2][:_SAID]
        return f"{self}{where} cannot be used: {text}"


class OpenObject:
    """The content of one object, on its way. Close it when it is not read to its end."""

    def __init__(
        self,
        size_bytes: int,
        pieces: Iterator[Any],
        said: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.size_bytes = size_bytes
        self._pieces = pieces
        self._said = said
        self._waiting = memoryview(b"")
        self._left = size_bytes

    def read(self, size: int, /) -> bytes:
        """Return *size* bytes, fewer at the end only. Raises Unavailable if it breaks off."""
        data = bytearray()
        while len(data) < min(size, self._left):
            if not self._waiting:
                self._waiting = self._next()
            some = self._waiting[: min(size, self._left) - len(data)]
            data += some
            self._waiting = self._waiting[len(some) :]
        self._left -= len(data)
        return bytes(data)

    def _next(self) -> memoryview:
        with self._said():
            piece = next(self._pieces, None)
        if piece is None:
            raise Unavailable("the bucket broke off in the middle of an object")
        return memoryview(bytes(piece))

    def close(self) -> None:
        """Read no more. Twice is harmless."""
        self._pieces, self._waiting, self._left = iter(()), memoryview(b""), 0


_REFUSALS: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
)
_REFUSED: Final = re.compile(r"status code: 40[13]\b")


def _code(error: Exception) -> str:
    """Return what the store itself calls an error; empty if it said nothing."""
    match = _CODE.search(str(error))
    return match[1] if match else ""


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        if _code(exc) != _GONE:
            raise
