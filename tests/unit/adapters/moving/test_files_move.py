"""Files go from a folder to a bucket and back, also those that come and go meanwhile."""

import time
from io import BytesIO
from pathlib import Path

import pytest

from backend.adapters.files.trees import BucketTree, FolderTree, Tree
from backend.adapters.moving.files import MARK, begin, copy_running, finish, place, staged, unmark
from backend.core.errors import Conflict, Unavailable
from tests.s3 import S3
from tests.unit.adapters.moving.test_round_trip import silent

pytestmark = pytest.mark.slow

BEFORE_S = 3 * 24 * 3600.0


def put(tree: Tree, name: str, content: bytes) -> None:
    tree.put(name, BytesIO(content), len(content))


def contents(tree: Tree) -> dict[str, bytes]:
    found = {}
    for one in tree.entries():
        with tree.opened(one.name) as (size, source):
            found[one.name] = source.read(size)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> FolderTree:
    return FolderTree(tmp_path / "files")


@pytest.fixture
def bucket(s3: S3) -> BucketTree:
    return BucketTree(s3.bucket())


@pytest.mark.parametrize("way", ["there", "back"])
def test_what_changes_between_both_copies_is_right_in_the_end(
    folder: FolderTree, bucket: BucketTree, tmp_path: Path, way: str
) -> None:
    source: Tree = folder if way == "there" else bucket
    target: Tree = bucket if way == "there" else staged(tmp_path)
    for name in ("run/stays", "run/changes", "run/goes", "run-2/stays"):
        put(source, name, b"1")
    begin(target)
    since_s = time.time()

    first = copy_running(source, target, silent)
    put(source, "run/changes", b"2")
    put(source, "run/comes", b"3")
    source.delete("run/goes")
    last = finish(source, target, since_s, silent)

    assert (first.files, last.files, last.gone) == (4, 2, 1)
    assert contents(target) == contents(source)
    assert contents(target)["run/changes"] == b"2"


def test_a_folder_that_is_filled_gets_its_place_and_what_was_there_goes_aside(
    folder: FolderTree, tmp_path: Path
) -> None:
    put(folder, "run/old", b"old")
    target = staged(tmp_path)
    begin(target)
    put(target, "run/new", b"new")

    place(target, tmp_path, 1_764_255_600_000_000)

    assert contents(folder) == {"run/new": b"new"}
    assert contents(FolderTree(tmp_path / "files.before-20251127T150000")) == {"run/old": b"old"}


def test_a_bucket_of_somebody_else_is_left_alone_and_one_that_was_begun_is_gone_on_with(
    folder: FolderTree, bucket: BucketTree
) -> None:
    put(folder, "run/a", b"a")
    put(folder, "run/b", b"b")
    put(bucket, "run/a", b"x")
    with pytest.raises(Conflict, match="is not empty: run/a is there"):
        begin(bucket)

    bucket.bucket.put_now(MARK, b"")
    begin(bucket)
    copy_running(folder, bucket, silent)

    assert contents(bucket) == {"run/a": b"a", "run/b": b"b"}
    assert copy_running(folder, bucket, silent).files == 0
    unmark(bucket)
    with pytest.raises(Conflict):
        begin(bucket)


def test_files_that_were_read_back_and_did_not_change_are_not_read_again(
    folder: FolderTree, bucket: BucketTree
) -> None:
    put(folder, "run/a", b"a")
    begin(bucket)
    copy_running(folder, bucket, silent)
    put(bucket, "run/a", b"x")  # as if the store had changed it

    later_s = time.time() + BEFORE_S
    assert finish(folder, bucket, later_s, silent).files == 0
    assert finish(folder, bucket, time.time(), silent).files == 1


def test_what_is_not_the_same_in_the_end_is_no_move(
    folder: FolderTree, bucket: BucketTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "run/a", b"a")
    begin(bucket)
    monkeypatch.setattr(BucketTree, "delete", lambda _self, _name: None)
    put(bucket, "run/more", b"m")

    with pytest.raises(Unavailable, match="run/more is another"):
        finish(folder, bucket, time.time(), silent)
    assert contents(folder) == {"run/a": b"a"}
