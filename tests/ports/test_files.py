"""What every `Files` promises, run over the folder, a bucket, and the one in memory."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.files import FolderFiles
from backend.adapters.files.bucket_files import BucketFiles
from backend.core.errors import NotFound, TooLarge
from backend.core.ids import ExecutionId, UserId
from backend.ports.files import FileId, FileLimits, Files, NewFile, StoredFile
from backend.testing.clock import FakeClock
from backend.testing.files import TransientFiles
from tests.s3 import S3

ANN, BOB = UserId("ann"), UserId("bob@example.com/../ann")
RUN, OTHER = ExecutionId("0197-run"), ExecutionId("0197-other")
LIMITS = FileLimits(file_bytes=100, run_bytes=250, run_files=4)


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def breaking_off() -> AsyncIterator[bytes]:
    yield b"x" * 50
    raise ConnectionResetError


async def keep(
    files: Files,
    content: bytes = b"hi",
    *,
    user: UserId = ANN,
    run: ExecutionId | None = RUN,
    key: str = "",
    name: str = "a.txt",
) -> StoredFile:
    new = NewFile(run_id=run, name=name, media_type="text/plain", key=key)
    return await files.of(user).save(new, pieces(content[:1], content[1:]))


async def read(files: Files, file_id: FileId, user: UserId = ANN) -> bytes:
    with await files.of(user).open(file_id) as content:
        return content.read()


class FilesSpec:
    async def test_a_file_comes_back_as_it_was_stored(self, files: Files) -> None:
        stored = await keep(files, b"hello")

        assert (stored.name, stored.media_type, stored.size_bytes) == ("a.txt", "text/plain", 5)
        assert stored.reference == f"workspace://{stored.id}"
        assert await files.of(ANN).find(stored.id) == stored
        assert await read(files, stored.id) == b"hello"

    async def test_a_file_kept_once_more_lives_on_when_the_first_is_gone(
        self, files: Files
    ) -> None:
        first = await keep(files, b"hello")

        second = await files.of(ANN).keep(first.id, NewFile(run_id=OTHER, name="b", key="k"))
        again = await files.of(ANN).keep(first.id, NewFile(run_id=OTHER, name="b", key="k"))
        await files.delete_run(RUN)

        assert (second.size_bytes, second.id) == (5, again.id)
        assert await read(files, second.id) == b"hello"

    async def test_a_file_kept_once_more_counts_where_it_is_kept(self, files: Files) -> None:
        first = await keep(files, b"x" * 90)

        for name in ("a", "b"):
            await files.of(ANN).keep(first.id, NewFile(run_id=OTHER, name=name))

        with pytest.raises(TooLarge, match="MAX_RUN_FILES_MB"):
            await files.of(ANN).keep(first.id, NewFile(run_id=OTHER, name="c"))
        with pytest.raises(NotFound):
            await files.of(BOB).keep(first.id, NewFile(run_id=OTHER, name="c"))

    async def test_an_empty_file_is_a_file(self, files: Files) -> None:
        stored = await files.of(ANN).save(NewFile(run_id=RUN, name="a"), pieces())

        assert await read(files, stored.id) == b""

    async def test_somebody_elses_file_is_not_there(self, files: Files) -> None:
        stored = await keep(files)

        with pytest.raises(NotFound):
            await files.of(BOB).find(stored.id)
        with pytest.raises(NotFound):
            await files.of(BOB).open(stored.id)

    @pytest.mark.parametrize(
        "name", ["", "a", "../x", "../../etc/passwd", "0197-run_..", "0197-run_" + "0" * 32,
                 "x/y_" + "0" * 32, ".._" + "0" * 32, "_" + "0" * 32, "0197-run_%2e%2e",
                 "0197-run_" + "0" * 31 + "\n", "\x00_" + "0" * 32],
    )  # fmt: skip
    async def test_what_is_no_id_finds_nothing(self, files: Files, name: str) -> None:
        await keep(files)

        with pytest.raises(NotFound):
            await files.of(ANN).find(FileId(name))

    async def test_files_of_no_run_have_an_owner_too(self, files: Files) -> None:
        mine = await keep(files, b"mine", run=None)
        theirs = await keep(files, b"theirs", run=None, user=BOB)

        assert await read(files, mine.id) == b"mine"
        assert await read(files, theirs.id, BOB) == b"theirs"
        with pytest.raises(NotFound):
            await files.of(ANN).find(theirs.id)

    async def test_files_of_no_run_are_listed_for_their_owner_alone(self, files: Files) -> None:
        first, second = [await keep(files, run=None, name=name) for name in ("a", "b")]
        await keep(files, run=RUN)
        await keep(files, run=None, user=BOB)

        mine = await files.of(ANN).own(most=10)

        assert {one.id for one in mine} == {first.id, second.id}
        assert {one.name for one in mine} == {"a", "b"}
        assert len(await files.of(ANN).own(most=1)) == 1
        assert await files.of(UserId("nobody")).own(most=10) == []

    async def test_the_same_key_is_the_same_file(self, files: Files) -> None:
        first = await keep(files, b"x" * 90, key="node 1")

        for _ in range(6):  # neither the bytes nor the number of files grow
            again = await keep(files, b"y" * 80, key="node 1")

        assert again.id == first.id
        assert await read(files, first.id) == b"y" * 80
        assert (await files.of(ANN).find(first.id)).size_bytes == 80

    async def test_without_a_key_each_is_another(self, files: Files) -> None:
        assert (await keep(files)).id != (await keep(files)).id

    async def test_keys_of_two_users_do_not_meet(self, files: Files) -> None:
        mine = await keep(files, b"mine", key="k")
        await keep(files, b"theirs", key="k", user=BOB)

        assert await read(files, mine.id) == b"mine"

    async def test_a_file_over_its_limit_is_refused(self, files: Files) -> None:
        await keep(files, b"x" * 100)

        with pytest.raises(TooLarge, match="MAX_FILE_SIZE_MB"):
            await keep(files, b"x" * 101)

    async def test_a_run_over_its_limit_is_refused_and_others_are_not(self, files: Files) -> None:
        await keep(files, b"x" * 100)
        await keep(files, b"x" * 100)

        with pytest.raises(TooLarge, match="MAX_RUN_FILES_MB"):
            await keep(files, b"x" * 60)

        await keep(files, b"x" * 50)
        await keep(files, b"x" * 100, run=OTHER)

    async def test_a_run_has_so_many_files_and_no_more(self, files: Files) -> None:
        for _ in range(4):
            await keep(files, b"x")

        with pytest.raises(TooLarge, match="MAX_FILES_PER_RUN"):
            await keep(files, b"x")

    async def test_what_others_keep_takes_none_of_my_room(self, files: Files) -> None:
        """Files that belong to no run have one limit a user."""
        for _ in range(2):
            await keep(files, b"x" * 100, run=None)
            await keep(files, b"x" * 100, run=None, user=BOB)

        assert (await keep(files, b"x" * 50, run=None)).size_bytes == 50

    async def test_what_was_refused_takes_no_room(self, files: Files) -> None:
        for _ in range(5):
            with pytest.raises(TooLarge):
                await keep(files, b"x" * 101)

        for _ in range(2):
            await keep(files, b"x" * 100)

    async def test_what_broke_off_is_not_there(self, files: Files) -> None:
        new = NewFile(run_id=RUN, name="a", key="k")

        for _ in range(6):
            with pytest.raises(ConnectionResetError):
                await files.of(ANN).save(new, breaking_off())

        assert (await keep(files, b"x" * 100)).size_bytes == 100

    async def test_a_deleted_run_takes_its_files_along(self, files: Files) -> None:
        gone, stays = await keep(files), await keep(files, run=OTHER)

        assert await files.delete_run(RUN)

        assert not await files.delete_run(RUN)
        with pytest.raises(NotFound):
            await files.of(ANN).find(gone.id)
        assert await read(files, stays.id) == b"hi"
        assert (await keep(files, b"x" * 100)).size_bytes == 100

    async def test_runs_with_files_are_known(self, files: Files) -> None:
        await keep(files)
        await keep(files, run=OTHER)

        assert sorted(await files.runs(untouched_s=0)) == sorted([RUN, OTHER])
        assert await files.runs(untouched_s=600) == []

    async def test_a_name_is_shown_without_what_a_file_system_refuses(self, files: Files) -> None:
        stored = await keep(files, name='../a<b>:"c\\d|?*\n' + "x" * 300)

        assert stored.name.startswith(".._a_b___c_d____xxx")
        assert len(stored.name) == 200

    async def test_what_has_expired_is_not_there_and_takes_no_room(
        self, files: Files, clock: FakeClock
    ) -> None:
        expires_us = clock.now_us() + 60_000_000
        new = NewFile(run_id=None, name="a", expires_us=expires_us)
        stays = await keep(files, run=None)
        gone = [await files.of(ANN).save(new, pieces(b"x" * 100)) for _ in range(2)]

        assert [one.expires for one in [stays, *gone]] == [False, True, True]
        clock.pass_time(seconds=59)
        assert await read(files, gone[0].id) == b"x" * 100
        clock.pass_time(seconds=1)

        for one in gone:
            with pytest.raises(NotFound):
                await files.of(ANN).find(one.id)
        assert await files.delete_expired() == 2
        assert await files.delete_expired() == 0
        assert await read(files, stays.id) == b"hi"
        await keep(files, b"x" * 100, run=None)
        await keep(files, b"x" * 100, run=None)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class TestTransientFiles(FilesSpec):
    @pytest.fixture
    def files(self, clock: FakeClock) -> Files:
        return TransientFiles(LIMITS, now_s=lambda: clock.now_us() / 1e6)


class TestFolderFiles(FilesSpec):
    @pytest.fixture
    def files(self, tmp_path: Path, clock: FakeClock) -> Files:
        # Folders have their times from the system, so that the clock begins a little after it.
        clock.set_us(int(time.time() * 1e6) + 10_000_000)
        return FolderFiles(tmp_path / "files", LIMITS, now_s=lambda: clock.now_us() / 1e6)


@pytest.mark.slow
class TestBucketFiles(FilesSpec):
    @pytest.fixture
    def files(self, tmp_path: Path, clock: FakeClock, s3: S3) -> Files:
        # Objects have their times from the store, in whole seconds.
        clock.set_us(int(time.time() * 1e6) + 10_000_000)
        files = s3.bucket(), tmp_path / "files"
        return BucketFiles(*files, LIMITS, now_s=lambda: clock.now_us() / 1e6)
