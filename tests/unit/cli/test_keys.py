"""`agpt key`: what it makes opens the external API, and what it takes back does not."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import pytest
from click.testing import CliRunner

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage, open_storage
from backend.adapters.storage.migrate import migrate
from backend.cli import main
from backend.core.api_keys import ApiKeyRecord
from backend.core.ids import DEFAULT_USER_ID, UserId
from backend.wiring_keys import api_keys_of

T = TypeVar("T")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a new database, and its owner in it."""
    migrate(tmp_path / "agpt.db")
    with_storage(
        tmp_path,
        lambda storage: storage.of(DEFAULT_USER_ID).save_user(email="a@b", name=None, now_us=1),
    )
    return tmp_path


def with_storage(data: Path, work: Callable[[SqlStorage], Coroutine[None, None, T]]) -> T:
    async def done() -> T:
        storage = open_storage(data / "agpt.db")
        try:
            return await work(storage)
        finally:
            await storage.close()

    return asyncio.run(done())


def known(data: Path, text: str) -> ApiKeyRecord | None:
    return with_storage(data, lambda storage: api_keys_of(storage, SystemClock()).known(text))


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


def test_a_key_is_made_listed_rotated_and_revoked(data: Path) -> None:
    assert agpt(data, "key", "list") == (0, "", "There are no keys.\n")
    code, text, _ = agpt(data, "key", "add", "CI", "-p", "read_graph", "-p", "IDENTITY")
    assert code == 0
    made = known(data, text.strip())
    assert made is not None
    assert (made.name, made.user_id, made.expires_us) == ("CI", DEFAULT_USER_ID, None)

    code, listed, _ = agpt(data, "key", "list")
    assert code == 0
    assert listed == (
        f"key {made.id}  {text[:8]}…{text.strip()[-8:]}  ACTIVE  IDENTITY,READ_GRAPH  CI\n"
    )

    code, rotated, _ = agpt(data, "key", "rotate", made.id, "--grace", "1h")
    assert code == 0
    assert known(data, text.strip()) is not None
    assert known(data, rotated.strip()) is not None

    assert agpt(data, "key", "revoke", made.id) == (0, "The key CI is revoked.\n", "")
    assert known(data, text.strip()) is known(data, rotated.strip()) is None
    assert agpt(data, "key", "rotate", made.id)[0] == 1


def test_what_programs_read_has_the_shapes_of_the_api(data: Path) -> None:
    _, text, _ = agpt(data, "key", "add", "CI", "-p", "all", "--ttl", "1d", "--json")
    made = json.loads(text)
    assert len(made["api_key"]["scopes"]) == 10
    assert made["api_key"]["expires_at"] is not None

    _, listed, _ = agpt(data, "key", "list", "--json")
    assert [one["id"] for one in json.loads(listed)] == [made["api_key"]["id"]]

    _, revoked, _ = agpt(data, "key", "revoke", made["api_key"]["id"], "--json")
    assert json.loads(revoked)["status"] == "REVOKED"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("key add x -p IDENTITY --user nobody", "There is no user #nobody."),
        ("key add x -p IDENTITY --ttl soon", "'soon' is no time"),
        ("key add x -p IDENTITY --ttl 9999d", "9999d is too long"),
        ("key revoke nothing", "API key #nothing not found."),
        ("key rotate nothing", "API key #nothing not found."),
    ],
)
def test_what_cannot_be_done_is_told(data: Path, words: str, says: str) -> None:
    code, _, told = agpt(data, *words.split())

    assert code == 1
    assert says in told
    assert agpt(data, "key", "list")[1] == ""


def test_one_user_s_keys_are_not_another_s(data: Path) -> None:
    bob = UserId("bob")
    with_storage(data, lambda s: s.of(bob).save_user(email="bob@b", name=None, now_us=1))
    _, text, _ = agpt(data, "key", "add", "x", "-p", "IDENTITY", "--user", "bob", "--json")
    key_id = json.loads(text)["api_key"]["id"]

    assert agpt(data, "key", "revoke", key_id)[0] == 1
    assert agpt(data, "key", "list")[1] == ""
    assert agpt(data, "key", "revoke", key_id, "--user", "bob")[0] == 0
