"""From where a block may take a file, and how it hands it on."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from backend.core.errors import (
    BadRequest,
    NotConfigured,
    NotFound,
    TooLarge,
    WebFailed,
    WebRefused,
    WebTooLarge,
)
from backend.core.ids import UserId
from backend.ports.files import FileLimits, NewFile
from backend.ports.web import WebDownload, WebLimits
from backend.sdk.files import FileDesk, RunFiles, pieces_of
from backend.testing.files import TransientFiles

URL = "https://example.com/reports/my%20report.pdf?x=1"


@dataclass
class Web:
    """Answers every address alike, and remembers what it was asked."""

    content: Sequence[bytes] = (b"from ", b"the web")
    status: int = 200
    media_type: str = "application/pdf"
    refuses: Exception | None = None
    asked: list[tuple[str, WebLimits | None]] = field(default_factory=list)

    @asynccontextmanager
    async def download(
        self, url: str, *, limits: WebLimits | None = None
    ) -> AsyncIterator[WebDownload]:
        self.asked.append((url, limits))
        if self.refuses is not None:
            raise self.refuses
        yield WebDownload(
            status=self.status, media_type=self.media_type, url=url, pieces=self._pieces()
        )

    async def _pieces(self) -> AsyncIterator[bytes]:
        for piece in self.content:
            yield piece


def files_of(
    user: str = "ann",
    run: str = "run",
    *,
    kept: TransientFiles | None = None,
    web: Web | None = None,
    inline_bytes: int = 1000,
) -> RunFiles:
    desk = FileDesk(kept or TransientFiles(), web or Web(), inline_bytes=inline_bytes)
    return desk.of(user, run, "node-exec")


async def content_of(files: RunFiles, source: str) -> bytes:
    async with files.open(source) as file:
        return b"".join([piece async for piece in pieces_of(file.content)])


@pytest.mark.parametrize(
    ("source", "content", "media_type", "name"),
    [
        ("data:text/plain;base64,aGk=", b"hi", "text/plain", "file.txt"),
        ("data:image/png;base64,aGk%3D", b"hi", "image/png", "file.png"),
        ("data:text/csv;charset=utf-8,a%2Cb", b"a,b", "text/csv", "file.csv"),
        ("data:,", b"", "text/plain", "file.txt"),
        ("data:;base64,", b"", "text/plain", "file.txt"),
        (URL, b"from the web", "application/pdf", "my report.pdf"),
        ("http://example.com", b"from the web", "application/pdf", "file"),
    ],
)
async def test_a_file_is_kept_and_read_back(
    source: str, content: bytes, media_type: str, name: str
) -> None:
    files = files_of()

    stored = await files.store(source)

    assert (stored.media_type, stored.name) == (media_type, name)
    assert await content_of(files, stored.reference) == content
    assert await content_of(files, source) == content


async def test_a_large_data_uri_is_decoded_piece_by_piece() -> None:
    content = bytes(range(256)) * 3000
    source = f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"

    assert await content_of(files_of(), source) == content


@pytest.mark.parametrize(
    "source",
    [
        "", "/etc/passwd", "etc/passwd", "../x", "file:///etc/passwd", "C:\\x", "ftp://a/b",
        "gcs://bucket/x", "data:nothing", "data:;base64,%%%", "data:;base64,a", "data:;base64,aä==",
        "workspace://", "workspace:///a.txt", "workspace://../x", "HTTP//x", "~/x", "\x00",
    ],
)  # fmt: skip
async def test_what_is_no_file_is_refused(source: str) -> None:
    with pytest.raises(BadRequest):
        await files_of().store(source)
    with pytest.raises(BadRequest):
        await content_of(files_of(), source)


async def test_the_same_source_twice_is_one_file() -> None:
    """A node that runs again after a crash stores nothing new."""
    kept = TransientFiles()

    first = await files_of(kept=kept).store(URL)
    again = await files_of(kept=kept).store(URL)

    assert first == again
    assert len(kept.kept) == 1


async def test_a_reference_is_looked_up_and_not_copied() -> None:
    kept = TransientFiles()
    first = await files_of(kept=kept).store(URL)

    again = await files_of(run="another", kept=kept).store(f"{first.reference}#application/pdf")

    assert again == first
    assert len(kept.kept) == 1


async def test_a_reference_of_somebody_else_names_nothing() -> None:
    """Checked when it is used: in whichever way it came into the graph."""
    kept = TransientFiles()
    theirs = (await files_of("bob", kept=kept).store("data:,x")).reference
    mine = files_of("ann", kept=kept)

    with pytest.raises(NotFound):
        await mine.store(theirs)
    with pytest.raises(NotFound):
        await content_of(mine, theirs)
    with pytest.raises(NotFound):
        await mine.data_uri(theirs)


async def test_the_web_is_asked_for_no_more_than_one_file_may_have() -> None:
    web = Web()

    await files_of(web=web, kept=TransientFiles(FileLimits(file_bytes=77))).store(URL)

    [(asked, limits)] = web.asked
    assert asked == URL
    assert limits is not None
    assert limits.max_bytes == 77


@pytest.mark.parametrize(
    ("web", "error"),
    [
        (Web(status=404), WebFailed),
        (Web(refuses=WebRefused("10.0.0.1 is not allowed")), WebRefused),
        (Web(refuses=WebTooLarge("larger than 1 bytes")), TooLarge),
        (Web(content=[b"x" * 60, b"x" * 60]), TooLarge),
    ],
)
async def test_what_the_web_does_not_give_is_not_kept(web: Web, error: type[Exception]) -> None:
    kept = TransientFiles(FileLimits(file_bytes=100))

    with pytest.raises(error):
        await files_of(web=web, kept=kept).store(URL)

    assert not kept.kept


async def test_a_data_uri_is_made_of_any_file() -> None:
    files = files_of()
    stored = await files.store("data:image/png,hi")

    assert await files.data_uri(stored.reference) == "data:image/png;base64,aGk="
    assert await files.data_uri(URL) == "data:application/pdf;base64,ZnJvbSB0aGUgd2Vi"


async def test_a_large_file_does_not_become_a_data_uri() -> None:
    with pytest.raises(TooLarge, match="MAX_INLINE_FILE_MB"):
        await files_of(inline_bytes=2).data_uri("data:,abc")


async def test_outside_of_a_run_files_are_read_and_not_kept() -> None:
    kept = TransientFiles()
    files = files_of(run="", kept=kept, inline_bytes=12)

    assert await content_of(files, URL) == b"from the web"
    assert await files.data_uri("data:,a") == "data:text/plain;base64,YQ=="
    with pytest.raises(NotConfigured, match="use this block in a graph"):
        await files.store("data:,a")
    assert not kept.kept


async def test_what_a_block_made_has_one_place_by_its_name() -> None:
    kept = TransientFiles()

    async def made(content: bytes) -> AsyncIterator[bytes]:
        yield content

    first = await files_of(kept=kept).save(made(b"1"), name="a.mp4", media_type="video/mp4")
    again = await files_of(kept=kept).save(made(b"2"), name="a.mp4", media_type="video/mp4")

    assert first.id == again.id
    assert await content_of(files_of(kept=kept), first.reference) == b"2"


async def test_a_run_keeps_a_copy_of_a_file_that_expires() -> None:
    kept = TransientFiles()

    async def content() -> AsyncIterator[bytes]:
        yield b"hi"

    new = NewFile(run_id=None, name="a.txt", media_type="text/plain", expires_us=2**62)
    sent = await kept.of(UserId("ann")).save(new, content())

    first = await files_of(kept=kept).store(sent.reference)
    again = await files_of(kept=kept).store(sent.reference)

    assert first == again
    assert (first.name, first.media_type, first.expires) == ("a.txt", "text/plain", False)
    assert first.id != sent.id
    assert len(kept.kept) == 2
    assert await content_of(files_of(run="", kept=kept), sent.reference) == b"hi"
