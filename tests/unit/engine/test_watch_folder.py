"""Drop folders on a real disk: what is whole is taken once, and nothing that is not ours."""

import os
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.files import FolderFiles
from backend.adapters.files.drop import FolderDrops
from backend.core.errors import BadRequest, NotConfigured
from backend.core.ids import UserId
from backend.core.watch_settings import FolderWatch
from backend.engine.watch_folder import FolderLooker
from backend.ports.files import FileLimits
from backend.services.files import FileService
from backend.testing.clock import FakeClock
from tests.unit.engine.watching import look

MOVE = FolderWatch(folder="in", pattern="*.txt", every_s=5, settle_s=2, is_kept=False)
LEAVE = FolderWatch(folder="in", pattern="*.txt", every_s=5, settle_s=2, is_kept=True)
OLD = 10**15  #: long after what tests say of their files


@pytest.fixture
def place(tmp_path: Path) -> Path:
    made = tmp_path / "drop" / "ann" / "in"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def looker(tmp_path: Path) -> FolderLooker:
    files = FolderFiles(tmp_path / "files", FileLimits(file_bytes=100), durable=False)
    return FolderLooker(
        FolderDrops(tmp_path / "drop"), FileService(files=files, clock=FakeClock(OLD))
    )


def put(place: Path, name: str, text: str = "x", *, at_s: int = 1_000_000) -> Path:
    made = place / name
    made.write_text(text)
    os.utime(made, (at_s, at_s))
    return made


def become_link(place: Path) -> None:
    place.rmdir()
    place.symlink_to(place.parent.parent)


def names(items: list[Any]) -> list[str]:
    return [item.payload["name"] for item in items]


async def test_a_file_is_taken_and_moved_aside(looker: FolderLooker, place: Path) -> None:
    put(place, "a.txt", "hello")
    put(place, "b.pdf")
    put(place, ".c.txt")

    state: dict[str, Any] = {}
    [item] = await look(looker, MOVE, state)

    assert (item.payload["name"], item.payload["size"]) == ("a.txt", 5)
    assert item.payload["file"].startswith("workspace://")
    assert (place / "done" / "a.txt").read_text() == "hello"
    assert await look(looker, MOVE, state) == []


async def test_what_still_changes_is_left_until_it_rests(looker: FolderLooker, place: Path) -> None:
    now_s = OLD // 1_000_000
    state: dict[str, Any] = {}
    put(place, "a.txt", "half", at_s=now_s)
    first = await look(looker, MOVE, state, now_us=OLD)
    put(place, "a.txt", "whole", at_s=now_s + 1)
    second = await look(looker, MOVE, state, now_us=OLD + 1_500_000)

    third = await look(looker, MOVE, state, now_us=OLD + 3_500_000)

    assert (first, second, names(third)) == ([], [], ["a.txt"])


async def test_a_file_from_the_future_rests_as_well(looker: FolderLooker, place: Path) -> None:
    """The clock of a share need not be ours."""
    state: dict[str, Any] = {}
    put(place, "a.txt", at_s=2 * OLD // 1_000_000)

    found = [await look(looker, MOVE, state, now_us=OLD + n * 1_000_000) for n in range(3)]

    assert [len(one) for one in found] == [0, 0, 1]


async def test_after_a_crash_the_same_file_has_the_same_key(
    looker: FolderLooker, place: Path
) -> None:
    put(place, "a.txt")
    state: dict[str, Any] = {}

    [before] = await look(looker, MOVE, state, most=1)
    [after] = await look(looker, MOVE, state)
    put(place, "a.txt", at_s=1_000_001)
    [other] = await look(looker, MOVE, state)

    assert before == after
    assert other.key != after.key
    assert sorted(one.name for one in (place / "done").iterdir()) == ["a-1.txt", "a.txt"]


async def test_a_file_that_stays_is_taken_once(looker: FolderLooker, place: Path) -> None:
    put(place, "a.txt")
    state: dict[str, Any] = {}

    found = [await look(looker, LEAVE, state) for _ in range(2)]
    put(place, "a.txt", "new", at_s=1_000_002)
    found.append(await look(looker, LEAVE, state))

    assert [names(one) for one in found] == [["a.txt"], [], ["a.txt"]]


async def test_nothing_is_followed_out_of_the_folder(
    looker: FolderLooker, place: Path, tmp_path: Path
) -> None:
    secret = put(tmp_path, "secret.txt")
    (place / "link.txt").symlink_to(secret)
    os.link(secret, place / "twin.txt")
    os.mkfifo(place / "pipe.txt")
    (place / "folder.txt").mkdir()

    assert await look(looker, MOVE, {}) == []


async def test_a_folder_that_is_a_link_is_refused(looker: FolderLooker, place: Path) -> None:
    become_link(place)

    with pytest.raises(BadRequest, match="links are refused"):
        await look(looker, MOVE, {})


async def test_a_file_that_is_too_large_goes_aside_and_keeps_no_other(
    looker: FolderLooker, place: Path
) -> None:
    put(place, "a.txt", "x" * 101)
    put(place, "b.txt")

    found = await look(looker, MOVE, {})

    assert names(found) == ["b.txt"]
    assert (place / "refused" / "a.txt").exists()


@pytest.mark.parametrize(
    ("user", "folder"), [("..", "in"), ("a/b", "in"), ("", "in"), ("ann", ".."), ("ann", "done")]
)
def test_no_name_leads_elsewhere(tmp_path: Path, user: str, folder: str) -> None:
    with pytest.raises(BadRequest):
        FolderDrops(tmp_path).of(UserId(user), folder)


def test_where_there_are_none_it_says_what_to_do() -> None:
    with pytest.raises(NotConfigured, match="FILE_DROP"):
        FolderDrops(None).of(UserId("ann"), "in")
