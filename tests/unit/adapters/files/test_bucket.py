"""The bucket: what is in it is whole, and what is wrong with it is said."""

import asyncio
import contextlib
import errno
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import pytest

from backend.adapters.files import FolderFiles, bucket_files
from backend.adapters.files import bucket as bucket_module
from backend.adapters.files.bucket import Bucket, BucketPlace
from backend.adapters.files.bucket_files import BucketFiles
from backend.core.errors import NotFound, TooLarge, Unavailable
from backend.core.ids import ExecutionId, UserId
from backend.ports.files import FileLimits, NewFile, StoredFile
from tests.house.source import ROOT
from tests.s3 import HASTY, S3, Gate

pytestmark = pytest.mark.slow

ANN = UserId("ann")
RUN, OTHER = ExecutionId("0197-run"), ExecutionId("0197-other")
MEGABYTE = 1024 * 1024


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def keep(
    files: BucketFiles | FolderFiles, content: bytes = b"hi", key: str = ""
) -> StoredFile:
    return await files.of(ANN).save(NewFile(run_id=RUN, name="a", key=key), pieces(content))


async def names(bucket: Bucket) -> list[str]:
    return [one.name async for one in bucket.listed()]


def uploads_of(bucket: Bucket, s3: S3) -> bytes:
    """Return what the store says of uploads in parts that have not come to their end."""
    with urllib.request.urlopen(f"{s3.endpoint}/{bucket._place.bucket}?uploads") as answer:
        text: bytes = answer.read()
        return text


@pytest.fixture
def bucket(s3: S3) -> Bucket:
    return s3.bucket()


@pytest.fixture
def files(bucket: Bucket, tmp_path: Path) -> BucketFiles:
    return BucketFiles(bucket, tmp_path / "files", FileLimits(run_bytes=30 * MEGABYTE))


@contextmanager
def answering(status: int, body: str, *, after_s: float = 0.0) -> Iterator[str]:
    """A server that has one answer to everything; gives its address."""
    patience = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            patience.wait(after_s)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                with contextlib.suppress(BrokenPipeError):  # who waits no longer has gone
                    self.wfile.write(body.encode())

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - its names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            patience.set()
            server.shutdown()
            thread.join()


# What is in it.


async def test_a_large_file_goes_up_in_parts_and_comes_back_whole(files: BucketFiles) -> None:
    content = os.urandom(12 * MEGABYTE + 1)

    stored = await keep(files, content)

    with await files.of(ANN).open(stored.id) as file:
        assert file.read() == content
        file.seek(5)
        assert file.read(3) == content[5:8]


async def test_a_folder_that_is_copied_into_the_bucket_is_the_same_files(
    files: BucketFiles, tmp_path: Path
) -> None:
    folder = FolderFiles(tmp_path / "before")
    stored = await keep(folder, b"hello")

    for path in folder.root.rglob("*"):
        if path.is_file():
            await files.bucket.put(str(path.relative_to(folder.root)), path.read_bytes())

    with await files.of(ANN).open(stored.id) as file:
        assert file.read() == b"hello"
    assert await files.of(ANN).find(stored.id) == stored


async def test_a_crash_between_a_file_and_its_facts_leaves_nothing_to_find(
    files: BucketFiles,
) -> None:
    stored = await keep(files)
    name = f"{RUN}/{stored.id.rpartition('_')[2]}"
    await files.bucket.delete([f"{name}.json"])

    with pytest.raises(NotFound):
        await files.of(ANN).open(stored.id)


async def test_what_is_lost_behind_its_facts_is_not_there(files: BucketFiles) -> None:
    stored = await keep(files)
    await files.bucket.delete([f"{RUN}/{stored.id.rpartition('_')[2]}"])

    with pytest.raises(NotFound):
        await files.of(ANN).open(stored.id)
    with pytest.raises(NotFound):
        await files.of(ANN).keep(stored.id, NewFile(run_id=OTHER, name="b"))


async def test_content_of_another_size_than_its_facts_say_is_not_given_out(
    files: BucketFiles,
) -> None:
    stored = await keep(files, b"hello", key="k")
    await files.bucket.put(f"{RUN}/{stored.id.rpartition('_')[2]}", b"hello, hello")

    with pytest.raises(Unavailable, match="is being replaced"):
        await files.of(ANN).open(stored.id)


async def test_an_upload_that_breaks_off_leaves_nothing(files: BucketFiles, s3: S3) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield os.urandom(6 * MEGABYTE)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await files.of(ANN).save(NewFile(run_id=RUN, name="a"), breaking())

    assert await names(files.bucket) == []
    assert b"<Upload>" not in await asyncio.to_thread(uploads_of, files.bucket, s3)
    await keep(files, b"x" * (30 * MEGABYTE))
    with pytest.raises(TooLarge, match="MAX_RUN_FILES_MB"):
        await keep(files, b"x")


async def test_content_that_did_not_arrive_has_no_facts(
    files: BucketFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put

    async def failing(bucket: Bucket, name: str, content: bytes | BinaryIO) -> None:
        if not name.endswith(".json"):
            raise Unavailable("no line")
        await put(bucket, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(Bucket, "put", failing)
        with pytest.raises(Unavailable):
            await keep(files, b"x" * 100)

    assert await names(files.bucket) == []
    assert (await keep(files, b"x" * 100)).size_bytes == 100


async def test_a_file_too_large_for_one_copy_is_carried(
    files: BucketFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_files, "_COPIED_BYTES", 1)
    stored = await keep(files, b"hello")

    again = await files.of(ANN).keep(stored.id, NewFile(run_id=OTHER, name="b"))
    await files.delete_run(RUN)

    with await files.of(ANN).open(again.id) as file:
        assert file.read() == b"hello"


async def test_what_crashes_left_of_no_run_is_swept_after_a_day(
    bucket: Bucket, tmp_path: Path
) -> None:
    late_s = time.time() + 25 * 3600
    files = BucketFiles(bucket, tmp_path / "files", now_s=lambda: late_s)
    early = BucketFiles(bucket, tmp_path / "files")
    stored = await files.of(ANN).save(NewFile(run_id=None, name="a"), pieces(b"hi"))
    own = stored.id.rpartition("_")[0]
    await bucket.put(f"{own}/{'1' * 32}", b"half")
    await bucket.put(f"{own}/{'2' * 32}.json", b"{}")
    await bucket.put(f"{RUN}/{'3' * 32}", b"of a run")
    await bucket.put(f"zzz/{'4' * 32}", b"of a run")
    (tmp_path / "files" / "scratch-1").mkdir(parents=True)

    assert await early.delete_expired() == 0
    assert len(await names(bucket)) == 6
    assert (tmp_path / "files" / "scratch-1").exists()
    assert await files.delete_expired() == 0

    assert sorted(await names(bucket)) == sorted(
        [f"{own}/{stored.id[-32:]}", f"{own}/{stored.id[-32:]}.json",
         f"{RUN}/{'3' * 32}", f"zzz/{'4' * 32}"]
    )  # fmt: skip
    assert not (tmp_path / "files" / "scratch-1").exists()


async def test_a_run_with_more_than_a_page_of_objects_goes_whole(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_module, "_PAGE", 5)
    for number in range(12):
        await bucket.put(f"{RUN}/{number:032x}", b"")
    await bucket.put(f"{OTHER}/{'1' * 32}", b"")
    files = BucketFiles(bucket, tmp_path / "files")

    assert await files.delete_run(RUN)

    assert await names(bucket) == [f"{OTHER}/{'1' * 32}"]


async def test_nothing_is_left_in_the_folder_of_this_machine(
    files: BucketFiles, tmp_path: Path
) -> None:
    stored = await keep(files, os.urandom(3 * MEGABYTE))
    (await files.of(ANN).open(stored.id)).close()
    async with files.scratch() as folder:
        (folder / "x").write_bytes(b"x")

    assert list((tmp_path / "files").iterdir()) == []


# What is wrong with it.


async def test_a_bucket_that_is_not_there_is_no_missing_file(s3: S3, tmp_path: Path) -> None:
    files = BucketFiles(Bucket(s3.place(bucket="no-such-bucket")), tmp_path)
    wrong = "there is no bucket no-such-bucket"

    with pytest.raises(Unavailable, match=wrong):
        await keep(files)
    with pytest.raises(Unavailable, match=wrong):
        await files.of(ANN).find((await _stored_elsewhere(s3, tmp_path)).id)
    with pytest.raises(Unavailable, match=wrong):
        await files.runs(untouched_s=0)
    with pytest.raises(Unavailable, match=wrong):
        await files.bucket.delete(["a"])
    with pytest.raises(Unavailable, match=wrong):
        await files.bucket.check()


async def _stored_elsewhere(s3: S3, tmp_path: Path) -> StoredFile:
    return await keep(BucketFiles(s3.bucket(), tmp_path))


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (403, "SignatureDoesNotMatch"), (401, "InvalidAccessKeyId"), (403, "")],
)
async def test_who_may_not_come_in_is_told_what_to_look_at(
    s3: S3, tmp_path: Path, status: int, code: str
) -> None:
    body = f"<Error><Code>{code}</Code></Error>" if code else ""
    with answering(status, body) as endpoint:
        files = BucketFiles(s3.bucket(endpoint=endpoint, patience=HASTY), tmp_path)

        with pytest.raises(Unavailable, match="refuses access") as refused:
            await keep(files)
        with pytest.raises(Unavailable, match="AWS_ACCESS_KEY_ID"):
            await files.bucket.get("a")

    assert code in str(refused.value)
    assert "test-secret" not in str(refused.value)


async def test_a_store_that_fails_or_says_nothing_is_given_up_in_time(s3: S3) -> None:
    slow = "<Error><Code>SlowDown</Code></Error>"
    with answering(503, slow) as endpoint, pytest.raises(Unavailable, match="SlowDown"):
        await s3.bucket(endpoint=endpoint, patience=HASTY).get("a")
    started = time.monotonic()
    with answering(200, "", after_s=60) as endpoint:
        with pytest.raises(Unavailable, match=f"s3://.* at {endpoint} cannot be used"):
            await s3.bucket(endpoint=endpoint, patience=HASTY).get("a")
        with pytest.raises(Unavailable):
            s3.bucket(endpoint=endpoint, patience=HASTY).put_now("a", b"")
    assert time.monotonic() - started < 20


async def test_who_is_no_store_at_all_does_not_make_files_missing(s3: S3, tmp_path: Path) -> None:
    """A proxy that knows no such address answers 404 to everything."""
    stored = await _stored_elsewhere(s3, tmp_path)
    with answering(404, "<html>Not Found</html>") as endpoint:
        bucket = s3.bucket(endpoint=endpoint, patience=HASTY)

        with pytest.raises(Unavailable, match="404"):
            await BucketFiles(bucket, tmp_path).of(ANN).find(stored.id)
        with pytest.raises(Unavailable):
            bucket.get_now("a")
        with pytest.raises(Unavailable):
            await bucket.delete(["a"])


async def test_a_full_disk_of_this_machine_is_not_the_buckets(
    files: BucketFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = await keep(files, b"x" * 100)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)

    with pytest.raises(Unavailable, match="the folder of files cannot be used: No space left"):
        await files.of(ANN).open(stored.id)
    with pytest.raises(Unavailable, match="the folder of files cannot be used: No space left"):
        await keep(files)


async def test_a_line_that_is_cut_is_tried_again(s3: S3) -> None:
    with Gate(s3.port) as gate:
        bucket = s3.bucket(endpoint=gate.endpoint, patience=replace(HASTY, retries=8, retries_s=20))
        await bucket.put("a", b"before")
        gate.cut()
        with pytest.raises(Unavailable):
            await Bucket(bucket._place, HASTY).get("a")
        waiting = asyncio.create_task(bucket.get("a"))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done

        gate.mend()

        assert await waiting == b"before"


async def test_a_check_leaves_nothing_behind(bucket: Bucket) -> None:
    await bucket.check()

    assert await names(bucket) == []


def test_a_process_that_ends_after_its_last_word_ends_well(s3: S3) -> None:
    """The client has threads of its own, which must not come back to a Python that is going."""
    place = s3.place()
    code = (
        "import asyncio; from backend.adapters.files.bucket import Bucket, BucketPlace; "
        f"asyncio.run(Bucket(BucketPlace(bucket={place.bucket!r}, endpoint={place.endpoint!r}, "
        "region='us-east-1', access_key_id='k', secret_access_key='s')).check())"
    )

    ends = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode
        for _ in range(8)
    ]

    assert ends == [0] * 8


def test_a_place_does_not_show_its_keys() -> None:
    place = BucketPlace(bucket="b", secret_access_key="secret", session_token="token")

    assert "secret'" not in repr(place)
    assert "token" not in repr(place).replace("session_token", "")
    assert str(Bucket(replace(place, prefix="p"))) == "s3://b/p"
