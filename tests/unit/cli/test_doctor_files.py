"""The doctor looks after files, in a folder and in a bucket, by the same rules."""

import os
import time
from io import BytesIO
from pathlib import Path

import pytest

from backend.adapters.files.facts import written
from backend.adapters.files.halves import AGE_S, set_aside
from backend.adapters.files.trees import BucketTree, FolderTree, Tree
from backend.adapters.premises import DataPremises
from backend.core.ids import UserId
from backend.ports.doctor import PlaceRule
from backend.ports.files import FileId, StoredFile
from tests.s3 import S3

pytestmark = pytest.mark.slow

A, B, C = ("run/" + digit * 32 for digit in "abc")


@pytest.fixture(params=["folder", "bucket"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    if request.param == "folder":
        return FolderTree(tmp_path / "files")
    s3: S3 = request.getfixturevalue("s3")
    return BucketTree(s3.bucket())


def put(tree: Tree, name: str, content: bytes) -> None:
    tree.put(name, BytesIO(content), len(content))


def keep(tree: Tree, name: str, content: bytes, *, says: int | None = None) -> None:
    """Keep a file with its facts."""
    stored = StoredFile(
        id=FileId(name.replace("/", "_")),
        name="a.txt",
        media_type="text/plain",
        size_bytes=len(content) if says is None else says,
        expires=False,
    )
    put(tree, name, content)
    put(tree, f"{name}.json", written(UserId("ann"), stored, None))


def premises(tree: Tree, data: Path, *, later_s: float = AGE_S + 60) -> DataPremises:
    return DataPremises(
        data,
        aside=data / "doctor" / "1",
        now_s=lambda: time.time() + later_s,
        bucket=tree if isinstance(tree, BucketTree) else None,
    )


def broken(found: DataPremises) -> dict[str, str]:
    return {one.row.removeprefix("files/"): one.detail for one in found.broken(PlaceRule.FILES)}


def names(tree: Tree) -> list[str]:
    return [one.name for one in tree.entries()]


def test_whole_files_values_and_what_is_under_way_break_no_rule(tree: Tree, tmp_path: Path) -> None:
    keep(tree, A, b"content")
    put(tree, f"run/{'0' * 64}.value", b"[]")

    assert broken(premises(tree, tmp_path)) == {}
    put(tree, B, b"half")
    assert broken(premises(tree, tmp_path, later_s=AGE_S - 60)) == {}


def test_halves_are_set_aside_whole_and_nothing_else_is(tree: Tree, tmp_path: Path) -> None:
    keep(tree, A, b"content")
    put(tree, B, b"half" * 2_000_000)
    put(tree, f"{C}.json", b"{}")
    found = premises(tree, tmp_path)
    expected = {B: f"{'b' * 32}.json is not beside it", f"{C}.json": f"{'c' * 32} is not beside it"}
    assert broken(found) == expected

    trial = found.mend(PlaceRule.FILES, is_trial=True)
    assert (broken(found), (tmp_path / "doctor").exists()) == (expected, False)
    assert found.mend(PlaceRule.FILES, is_trial=False) == trial

    assert len(trial) == 2
    assert names(tree) == [A, f"{A}.json"]
    aside = tmp_path / "doctor/1/files"
    assert (aside / B).read_bytes() == b"half" * 2_000_000
    assert {path.stat().st_mode & 0o777 for path in aside.rglob("*") if path.is_file()} == {0o600}
    assert found.mend(PlaceRule.FILES, is_trial=False) == []


def test_a_file_that_has_not_the_size_that_its_facts_say_is_told_and_left(
    tree: Tree, tmp_path: Path
) -> None:
    keep(tree, A, b"content", says=9)
    put(tree, B, b"content")
    put(tree, f"{B}.json", b"{")
    found = premises(tree, tmp_path)

    assert broken(found) == {
        A: "it has 7 bytes, and should have 9",
        f"{B}.json": "it cannot be read",
    }
    assert found.mend(PlaceRule.FILES, is_trial=False) == []
    assert names(tree) == [A, f"{A}.json", B, f"{B}.json"]


def test_what_is_whole_by_now_is_not_taken_away(tree: Tree, tmp_path: Path) -> None:
    put(tree, A, b"content")
    [half] = broken(premises(tree, tmp_path))
    keep(tree, A, b"content")

    assert not set_aside(tree, half, tmp_path / "aside")
    assert names(tree) == [A, f"{A}.json"]
    assert not set_aside(tree, B, tmp_path / "aside")


def test_a_half_stays_where_it_is_until_its_copy_is_whole(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill in the middle: the copy has no name yet."""
    tree = BucketTree(s3.bucket())
    put(tree, B, b"half")

    def dies(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", dies)
    with pytest.raises(KeyboardInterrupt):
        set_aside(tree, B, tmp_path / "aside" / "b")
    monkeypatch.undo()

    assert names(tree) == [B]
    assert not (tmp_path / "aside" / "b").exists()
    assert set_aside(tree, B, tmp_path / "aside" / "b")
    assert (names(tree), (tmp_path / "aside/b").read_bytes()) == ([], b"half")
