"""A copy follows its source while others write; when it is whole, servers start on one of the two."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from backend.adapters.database_place import Place
from backend.adapters.moving import follow, switch
from backend.adapters.moving.changes import end_notes
from backend.adapters.moving.follow import following
from backend.adapters.moving.move import Copied, Move, copy_running, give_up
from backend.adapters.moving.sources import postgres_connection
from backend.adapters.moving.switch import remove_stage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.migrate_postgres import migrate_postgres
from backend.core.errors import CannotStart, Conflict
from tests.databases import emptied
from tests.filled import fill
from tests.services import require_service
from tests.unit.adapters.moving.test_move import change, silent, sums

pytestmark = pytest.mark.slow


@pytest.fixture
def up(tmp_path: Path) -> Move:
    """From a file with rows in every table to a database without any."""
    path = tmp_path / "agpt.db"
    fill(path, 6)
    url = emptied(require_service("postgres"))
    return Move(source=Place(path), target=Place(path, url), data_dir=tmp_path, again=False)


@pytest.fixture
def back(up: Move) -> Move:
    """The way back of one that went there."""
    copied = copy_running(up, silent)
    with following(up, copied) as follower:
        follower.finish()
    up.source.path.unlink()
    remove_stage(up.data_dir)
    return replace(up, source=up.target, target=up.source)


def test_what_changes_again_and_again_is_copied_as_it_is_at_last(up: Move) -> None:
    copied = copy_running(up, silent)
    with following(up, copied) as follower:
        changed = [follower.catch_up()]
        change(up.source)
        changed.append(follower.catch_up(counts=True))
        halfway = sums(up.source)
        assert sums(up.target) == halfway

        with closing(sqlite3.connect(up.source.path)) as connection, connection:
            connection.execute("UPDATE graphs SET name = 'once more'")
            connection.execute("DELETE FROM node_executions")
        changed.append(follower.catch_up())
        changed.append(follower.catch_up())
        with closing(sqlite3.connect(up.source.path)) as connection, connection:
            connection.execute("UPDATE graphs SET name = 'at last'")
        follower.finish()

    assert (changed[0], changed[3]) == (0, 0)
    assert changed[1] > changed[2] > 0
    assert sums(up.target) == sums(up.source) != halfway


def test_a_change_that_is_kept_after_later_ones_is_not_missed(back: Move) -> None:
    """Transactions of PostgreSQL end in another order than that in which they write their notes."""
    copied = copy_running(back, silent)
    url = back.source.url
    with psycopg.connect(url) as slow, following(back, copied) as follower:
        slow.execute("UPDATE graphs SET name = 'slow'")
        with psycopg.connect(url) as quick:
            quick.execute("INSERT INTO installation VALUES ('quick', 'one')")
        assert follower.catch_up() == 1

        slow.commit()
        assert follower.catch_up() == 6
        follower.finish()

    assert sums(back.target) == sums(back.source)
    assert migrate(back.target.path) == "current"


def test_what_comes_faster_than_it_is_copied_is_given_up_to_the_stop(
    up: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_LITTLE", -1)
    copied = copy_running(up, silent)
    said: list[str] = []

    with following(up, copied) as follower:
        follower.settle(said.append)

    assert len(said) == follow._TIMES


def _finish(move: Move, copied: Copied) -> None:
    with following(move, copied) as follower:
        follower.finish()


def test_no_server_starts_on_what_was_left_until_the_move_is_given_up(back: Move) -> None:
    _finish(back, copy_running(back, silent))

    with pytest.raises(CannotStart, match="have moved to another one, with `agpt migrate`"):
        migrate_postgres(back.source.url)
    assert migrate(back.target.path) == "current"

    give_up(back, was_opened=True)
    assert migrate_postgres(back.source.url) == "current"
    assert not back.target.path.exists()


def test_what_others_work_on_is_not_left(back: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a cluster all members must be stopped, not only the one of this machine."""
    monkeypatch.setattr(switch, "_GONE_S", 0.1)
    copied = copy_running(back, silent)

    with (
        postgres_connection(back.source.url, writes=False),
        pytest.raises(Conflict, match=r"Other servers or commands work on .* \(1 sessions\)"),
    ):
        _finish(back, copied)
    give_up(back)

    assert migrate_postgres(back.source.url) == "current"
    assert not back.target.path.exists()
    _finish(back, copy_running(back, silent))
    end_notes(back.source)
    assert sums(back.target) == sums(back.source)
