"""`agpt budget` and `agpt usage`: what an operator allows, and what was taken."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage import open_storage
from backend.adapters.storage.migrate import migrate
from backend.cli import main
from backend.core.ids import DEFAULT_USER_ID


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with an account."""
    migrate(tmp_path / "agpt.db")

    async def make() -> None:
        storage = open_storage(tmp_path / "agpt.db", synchronous="OFF")
        await storage.of(DEFAULT_USER_ID).save_user(email="a@b.org", name=None, now_us=1)
        await storage.close()

    asyncio.run(make())
    return tmp_path


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.mark.slow
def test_a_budget_is_set_shown_set_anew_and_removed(data: Path) -> None:
    assert agpt(data, "budget", "list") == (0, "There is no budget.\n", "")
    said = "budget of all agents (money a day, set by the operator)"
    assert agpt(data, "budget", "set", "1.5") == (0, f"{said}: 1.50 USD\n", "")
    assert agpt(data, "budget", "set", "2") == (0, f"{said}: 2.00 USD\n", "")
    code, _, _ = agpt(data, "budget", "set", "9", "--unit", "calls", "--total")
    assert code == 0

    _, listed, _ = agpt(data, "budget", "list")
    assert f"{said}: 0.00 USD of 2.00 USD used\n" in listed
    assert "(calls in all, set by the operator): 0 calls of 9 calls used\n" in listed
    _, listed, _ = agpt(data, "budget", "list", "--json")
    assert {(one["unit"], one["limit"], one["set_by"]) for one in json.loads(listed)} == {
        ("money", 2_000_000, "operator"),
        ("calls", 9, "operator"),
    }

    assert agpt(data, "budget", "remove") == (0, f"{said}: removed\n", "")
    code, _, told = agpt(data, "budget", "remove")
    assert (code, "There is no budget of all agents" in told) == (1, True)
    with closing(sqlite3.connect(data / "agpt.db")) as database:
        verbs = database.execute("SELECT verb FROM audit ORDER BY 1").fetchall()
    assert [verb for (verb,) in verbs] == ["remove_budget", *["set_budget"] * 3]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("budget set 1 --graph a --run b", "give one of --graph and --run"),
        ("budget set 1 --graph nothing", "Graph #nothing not found."),
        ("budget set 1 --run nothing", "Graph execution #nothing not found."),
        ("budget set 1 --user nobody", "User #nobody not found."),
        ("budget set 1e30", "no budget is so large"),
    ],
)
def test_what_cannot_be_set_is_told(data: Path, words: str, says: str) -> None:
    code, _, told = agpt(data, *words.split())

    assert code == 1
    assert says in told
    assert agpt(data, "budget", "list") == (0, "There is no budget.\n", "")


def test_usage_is_shown_by_day_agent_and_model_with_its_sum(data: Path) -> None:
    row = "INSERT INTO model_usage VALUES (?, date('now'), ?, 'm', 2, 1, 30, 4, 1500000, 3, 1)"
    with closing(sqlite3.connect(data / "agpt.db")) as database, database:
        database.execute(row, (DEFAULT_USER_ID, "one"))
        database.execute(row, (DEFAULT_USER_ID, "two"))
        database.execute(row, ("bob", "one"))

    _, text, _ = agpt(data, "usage")
    _, one, _ = agpt(data, "usage", "--graph", "one", "--json")

    assert text.splitlines()[-1].split() == [
        "in",
        "all",
        "4",
        "calls",
        "68",
        "tokens",
        "3.000000",
        "USD",
        "6",
        "cached",
        "2",
        "estimated",
    ]
    said = json.loads(one)
    assert said["total"] == {
        "llm_call_count": 2,
        "llm_retry_count": 1,
        "llm_cached_count": 3,
        "llm_estimated_count": 1,
        "input_token_count": 30,
        "output_token_count": 4,
        "model_cost_micro_usd": 1_500_000,
    }
    assert [(day["graph_id"], day["model"]) for day in said["days"]] == [("one", "m")]
