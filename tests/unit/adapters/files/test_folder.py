"""The folder of files: private, whole or not there, and never a way out of itself."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.adapters.files import FolderFiles
from backend.core.errors import BadRequest, NotFound, TooLarge, Unavailable
from backend.core.ids import ExecutionId, UserId
from backend.ports.files import FileId, FileLimits, NewFile, StoredFile

ANN = UserId("ann")
RUN = ExecutionId("0197-run")


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def keep(files: FolderFiles, content: bytes = b"hi", key: str = "") -> StoredFile:
    return await files.of(ANN).save(NewFile(run_id=RUN, name="a", key=key), pieces(content))


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(tmp_path / "files", FileLimits(run_bytes=1000))


async def test_only_the_owner_of_the_process_reads_what_is_kept(files: FolderFiles) -> None:
    await keep(files)

    modes = {path.stat().st_mode & 0o777 for path in files.root.rglob("*") if path.is_file()}

    assert modes == {0o600}
    assert {path.stat().st_mode & 0o777 for path in [files.root, files.root / RUN]} == {0o700}


async def test_names_on_disk_are_ids(files: FolderFiles) -> None:
    stored = await keep(files)

    name = stored.id.rpartition("_")[2]
    assert sorted(path.name for path in (files.root / RUN).iterdir()) == [name, f"{name}.json"]


@pytest.mark.parametrize("run", ["..", "../x", "a/b", "", "a\0", "x" * 81])
async def test_a_run_that_is_no_name_has_no_folder(files: FolderFiles, run: str) -> None:
    with pytest.raises(BadRequest):
        await files.delete_run(ExecutionId(run))


async def test_a_link_in_a_files_place_is_not_followed(files: FolderFiles, tmp_path: Path) -> None:
    stored = await keep(files)
    place = files.root / RUN / stored.id.rpartition("_")[2]
    (tmp_path / "secret").write_bytes(b"secret")
    place.unlink()
    place.symlink_to(tmp_path / "secret")

    with pytest.raises(Unavailable):
        await files.of(ANN).open(stored.id)


async def test_a_link_in_a_runs_place_is_not_followed(files: FolderFiles, tmp_path: Path) -> None:
    stored = await keep(files)
    (files.root / RUN).rename(tmp_path / "elsewhere")
    (files.root / RUN).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotFound):
        await files.of(ANN).find(stored.id)
    with pytest.raises(Unavailable, match="is a link"):
        await keep(files)


async def test_a_cancelled_save_leaves_nothing(files: FolderFiles) -> None:
    waits = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 900
        waits.set()
        await asyncio.Event().wait()

    saving = asyncio.create_task(files.of(ANN).save(NewFile(run_id=RUN, name="a"), endless()))
    await waits.wait()
    saving.cancel()
    await asyncio.wait([saving])

    assert list((files.root / RUN).iterdir()) == []
    await keep(files, b"x" * 1000)


async def test_what_a_crash_left_counts_and_is_not_found(files: FolderFiles) -> None:
    """A crash between the content and its facts, and one amid the content."""
    stored = await keep(files, b"x" * 400)
    folder = files.root / RUN
    name = stored.id.rpartition("_")[2]
    (folder / f"{name}.json").unlink()
    (folder / f"{'1' * 32}.0123.part").write_bytes(b"x" * 400)

    after = FolderFiles(files.root, files.limits)

    with pytest.raises(NotFound):
        await after.of(ANN).find(stored.id)
    with pytest.raises(TooLarge, match="MAX_RUN_FILES_MB"):
        await keep(after, b"x" * 201)
    await keep(after, b"x" * 200)


async def test_facts_that_were_spoiled_are_no_facts(files: FolderFiles) -> None:
    stored = await keep(files)
    facts = files.root / RUN / f"{stored.id.rpartition('_')[2]}.json"

    for spoiled in (b"", b"[]", b'{"user_id": "ann"}', b"{"):
        facts.write_bytes(spoiled)
        with pytest.raises(NotFound):
            await files.of(ANN).find(stored.id)


async def test_many_at_once_keep_the_limit(files: FolderFiles) -> None:
    outcomes = await asyncio.gather(
        *(keep(files, b"x" * 100) for _ in range(30)), return_exceptions=True
    )

    assert sum(isinstance(one, StoredFile) for one in outcomes) == 10
    assert sum(isinstance(one, TooLarge) for one in outcomes) == 20
    kept = [path for path in (files.root / RUN).iterdir() if path.suffix != ".json"]
    assert sum(path.stat().st_size for path in kept) == 1000


async def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "files").write_bytes(b"a file, not a folder")

    with pytest.raises(Unavailable, match="folder of files"):
        await keep(FolderFiles(tmp_path / "files"))


async def test_old_drafts_of_no_run_are_swept(files: FolderFiles) -> None:
    stored = await files.of(ANN).save(NewFile(run_id=None, name="a"), pieces(b"hi"))
    folder = next(files.root.glob("own_*"))
    draft = folder / f"{'1' * 32}.0123.part"
    draft.write_bytes(b"x")
    os.utime(draft, (1, 1))

    fresh = folder / f"{'2' * 32}.0123.part"
    fresh.write_bytes(b"x")

    assert await files.delete_expired() == 0

    assert (draft.exists(), fresh.exists()) == (False, True)
    assert (await files.of(ANN).find(FileId(stored.id))).size_bytes == 2


async def test_what_is_kept_once_more_is_one_file_on_the_disk(files: FolderFiles) -> None:
    first = await keep(files, b"hello")
    new = NewFile(run_id=ExecutionId("other"), name="b", key="k")

    second = await files.of(ANN).keep(first.id, new)
    await files.of(ANN).keep(first.id, new)

    places = [files.root / RUN / first.id[-32:], files.root / "other" / second.id[-32:]]
    assert places[0].samefile(places[1])
    assert list(files.root.rglob("*.part")) == []


async def test_where_no_links_can_be_made_it_is_copied(
    files: FolderFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    first = await keep(files, b"hello")

    second = await files.of(ANN).keep(first.id, NewFile(run_id=ExecutionId("other"), name="b"))
    await files.delete_run(RUN)

    with await files.of(ANN).open(second.id) as content:
        assert content.read() == b"hello"
