"""Files in a bucket go into an archive, and out of it, as those of a folder do."""

import os
from io import BytesIO
from pathlib import Path

import pytest

from backend.adapters.database_place import Place
from backend.adapters.files.bucket import Bucket, Content
from backend.adapters.files.trees import BucketTree, FolderTree, copied
from backend.adapters.moving.archive import Manifest
from backend.adapters.moving.backup import Wanted, back_up
from backend.adapters.moving.filling import MARK
from backend.adapters.moving.restore import Restored, Wish, restore
from backend.core.errors import Conflict, NotFound, Unavailable
from tests.filled import fill
from tests.s3 import S3
from tests.unit.adapters.moving.test_round_trip import files_of, silent

pytestmark = pytest.mark.slow

#: Longer than one part of an upload.
LARGE = os.urandom(11 * 1024 * 1024 + 7)


def backed_up(data: Path, bucket: BucketTree | None, **options: bool) -> tuple[Path, Manifest]:
    path = data.parent / f"{data.name}-{len(list(data.parent.iterdir()))}.tar"
    wanted = Wanted(
        place=Place(data / "agpt.db"),
        data_dir=data,
        key="k",
        with_keys=False,
        now_us=1,
        bucket=bucket,
        **options,
    )
    return path, back_up(wanted, path, silent)


def restored(
    archive: Path, data: Path, bucket: BucketTree | None, *, replaces: bool = False
) -> Restored:
    data.mkdir(exist_ok=True)
    wish = Wish(
        archive=archive,
        place=Place(data / "agpt.db"),
        data_dir=data,
        replaces=replaces,
        now_us=1_764_255_600_000_000,
        bucket=bucket,
    )
    return restore(wish, silent)


def contents(tree: BucketTree) -> dict[str, bytes]:
    return {one.name: tree.bucket.get_now(one.name) for one in tree.entries()}


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A data directory with rows and files, two names of one file among them."""
    data = tmp_path / "full"
    for name in ("files/run-1", "files/run", "outbox"):
        (data / name).mkdir(parents=True)
    fill(data / "agpt.db", 1)
    (data / "files/run-1/large").write_bytes(LARGE)
    (data / "files/run/a").write_bytes(b"a")
    (data / "files/run/a.json").write_bytes(b"")
    os.link(data / "files/run/a", data / "files/run/same")
    (data / "outbox/1.eml").write_bytes(b"letter")
    return data


@pytest.fixture
def bucket(s3: S3) -> BucketTree:
    return BucketTree(s3.bucket())


def test_files_come_back_the_same_through_a_bucket(
    full: Path, tmp_path: Path, bucket: BucketTree
) -> None:
    first, made = backed_up(full, None)
    restored(first, tmp_path / "b", bucket)
    bucket.bucket.put_now("check-0", b"no file of ours")
    (tmp_path / "b/files/run-9").mkdir(parents=True)
    (tmp_path / "b/files/run-9/left").write_bytes(b"of a time before the bucket")
    second, through = backed_up(tmp_path / "b", bucket)
    restored(second, tmp_path / "f", None)

    assert contents(bucket)["run-1/large"] == LARGE
    assert (made.files, through.files) == (5, 5)
    assert made.sums == through.sums
    assert files_of(tmp_path / "f") == files_of(full)
    with pytest.raises(NotFound):
        bucket.bucket.find_now(MARK)


def test_a_bucket_in_which_there_is_something_is_refused(
    full: Path, tmp_path: Path, bucket: BucketTree
) -> None:
    archive, _ = backed_up(full, None)
    bucket.bucket.put_now("run/other", b"x")

    with pytest.raises(Conflict, match="is not empty: run/other is there"):
        restored(archive, tmp_path / "new", bucket)

    assert not (tmp_path / "new/agpt.db").exists()
    assert contents(bucket) == {"run/other": b"x"}


def test_what_a_restore_that_was_killed_has_left_is_gone_on_with(
    full: Path, tmp_path: Path, bucket: BucketTree
) -> None:
    archive, _ = backed_up(full, None)
    bucket.bucket.put_now(MARK, b"")
    bucket.bucket.put_now("run/a", b"x")

    restored(archive, tmp_path / "new", bucket)

    assert contents(bucket)["run/a"] == b"a"


def test_where_rows_are_replaced_files_stay_and_none_is_overwritten(
    full: Path, tmp_path: Path, bucket: BucketTree
) -> None:
    """The rows are lost, say, and the bucket is not."""
    archive, _ = backed_up(full, None)
    for name, content in (("run/a", b"a"), ("run/newer", b"n"), ("run-1/large", LARGE)):
        bucket.bucket.put_now(name, content)

    restored(archive, tmp_path / "new", bucket, replaces=True)

    assert set(contents(bucket)) == {
        "run/a", "run/a.json", "run/newer", "run/same", "run-1/large",
    }  # fmt: skip
    bucket.bucket.put_now("run/a", b"another")
    before = (tmp_path / "new/agpt.db").stat().st_ino
    with pytest.raises(Conflict, match="has another run/a"):
        restored(archive, tmp_path / "new", bucket, replaces=True)
    assert contents(bucket)["run/a"] == b"another"
    assert (tmp_path / "new/agpt.db").stat().st_ino == before


def test_a_backup_may_leave_the_bucket_alone_and_says_so(
    full: Path, tmp_path: Path, bucket: BucketTree
) -> None:
    bucket.bucket.put_now("run/a", b"a")

    archive, made = backed_up(full, bucket, leaves_bucket=True)
    restored(archive, tmp_path / "new", bucket)

    assert made.header["without_bucket"] is True
    assert made.files == 1  # the letter
    assert contents(bucket) == {"run/a": b"a"}


class Forgetful(Bucket):
    """Says that it has taken everything, and has lost the last byte of it."""

    def put_now(self, name: str, content: Content) -> None:
        whole = content if isinstance(content, bytes) else b"".join(content)
        super().put_now(name, whole[:-1])


@pytest.mark.parametrize("name", ["run/a", "run-1/large"])
def test_what_the_store_does_not_give_back_is_no_restore(
    full: Path, tmp_path: Path, s3: S3, name: str
) -> None:
    for path in list((full / "files").rglob("*")):
        if path.is_file() and path != full / "files" / name:
            path.unlink()
    archive, _ = backed_up(full, None)

    with pytest.raises(Unavailable, match=f"does not give back what was written: {name}"):
        restored(archive, tmp_path / "new", BucketTree(Forgetful(s3.place())))

    assert not (tmp_path / "new/agpt.db").exists()


def test_trees_of_both_kinds_give_files_in_the_same_order(
    tmp_path: Path, bucket: BucketTree
) -> None:
    folder = FolderTree(tmp_path / "files")
    for name in ("run-1/b", "run/b", "run/a", "run_1/a", "run/a.json", "Run/a"):
        folder.put(name, BytesIO(name.encode()), len(name))
        copied(folder, bucket, name)

    assert [one.name for one in folder.entries()] == [one.name for one in bucket.entries()]
    assert [one.size_bytes for one in bucket.entries()] == [5, 7, 5, 10, 5, 7]


def test_a_file_that_is_shorter_than_it_should_be_is_not_put_anywhere(
    tmp_path: Path, bucket: BucketTree
) -> None:
    folder = FolderTree(tmp_path / "files")
    for tree in (folder, bucket):
        for length in (3, len(LARGE)):
            with pytest.raises(Unavailable, match="shorter"):
                tree.put("run/a", BytesIO(LARGE[: length - 1]), length)
            with pytest.raises(NotFound):
                tree.find("run/a")
    assert list((tmp_path / "files/run").iterdir()) == []
