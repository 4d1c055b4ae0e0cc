"""`agpt notices`: the queue, and letters as they look."""

import asyncio
import json
from email import message_from_string, policy
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.adapters.storage import open_storage
from backend.adapters.storage.migrate import migrate
from backend.adapters.storage.notice_queue import SqlNoticeQueue
from backend.adapters.storage.preferences import SqlPreferences
from backend.cli import main
from backend.core.ids import UserId
from backend.core.records import NoticeRecord, NoticeStatus
from backend.ports.notices import Group

ANN = UserId("ann")


def agpt(data: Path, *words: str) -> tuple[int, str, str]:
    ended = CliRunner().invoke(main, [*words, "--data-dir", str(data)])
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with two notices that a mail server refused, and one that waits."""
    migrate(tmp_path / "agpt.db")

    async def fill() -> None:
        storage = open_storage(tmp_path / "agpt.db")
        queue = SqlNoticeQueue(storage.database)
        for number in range(3):
            if number == 2:
                await queue.put_in_letter(
                    "l", Group(user_id=ANN, type="AGENT_RUN"), due_us=None, limit=9
                )
                await queue.mark("l", status=NoticeStatus.FAILED, at_us=9, error="550 no", limit=9)
            await queue.add(
                [
                    NoticeRecord(
                        id=f"n{number}",
                        user_id=ANN,
                        type="AGENT_RUN",
                        data={"agent_name": "News"},
                        created_us=number * 1_000_000,
                    )
                ]
            )
        await storage.close()

    asyncio.run(fill())
    return tmp_path


def test_the_queue_is_shown_newest_first_with_what_went_wrong(data: Path) -> None:
    code, text, _ = agpt(data, "notices", "list")

    assert code == 0
    assert text.splitlines() == [
        "1970-01-01 00:00:02  queued   AGENT_RUN News  n2",
        "1970-01-01 00:00:01  failed   AGENT_RUN News  n1: 550 no",
        "1970-01-01 00:00:00  failed   AGENT_RUN News  n0: 550 no",
    ]
    _, text, _ = agpt(data, "notices", "list", "--status", "failed", "--limit", "1", "--json")
    [one] = json.loads(text)
    assert (one["id"], one["attempts"], one["letter"]) == ("n1", 1, "l")
    assert agpt(data, "notices", "list", "--user", "bob")[1] == "There is no notice like that.\n"


def test_one_notice_is_shown_whole(data: Path) -> None:
    code, text, _ = agpt(data, "notices", "show", "n1")

    assert code == 0
    assert "error: 550 no\n" in text
    assert "agent_name: News\n" in text
    code, _, errors = agpt(data, "notices", "show", "other")
    assert code == 1
    assert "there is no notice other" in errors


def test_what_failed_is_sent_again_or_dropped(data: Path) -> None:
    assert agpt(data, "notices", "drop", "n0")[1] == "1 notice will not be sent.\n"
    assert agpt(data, "notices", "retry", "--failed")[1] == "1 notice will be sent again.\n"
    assert agpt(data, "notices", "retry", "--failed")[1] == "0 notices will be sent again.\n"

    found = json.loads(agpt(data, "notices", "list", "--json")[1])

    assert [one["status"] for one in found] == ["QUEUED", "QUEUED", "DROPPED"]
    assert [one["error"] for one in found] == [None, None, "dropped by hand"]


def test_a_letter_can_be_seen_in_each_form(data: Path) -> None:
    _, text, _ = agpt(data, "notices", "preview", "daily_summary")
    _, html, _ = agpt(data, "notices", "preview", "DAILY_SUMMARY", "--format", "html")
    _, eml, _ = agpt(data, "notices", "preview", "DAILY_SUMMARY", "--format", "eml")

    assert text.startswith("Subject: Your agents: 26 November 2026\n\n26 November 2026\n")
    assert html.startswith("<!doctype html>")
    message = message_from_string(eml, policy=policy.default)
    assert message["Subject"] == "Your agents: 26 November 2026"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_template_that_cannot_be_filled_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "summary.html").write_text("{% for one in notices %}")
    monkeypatch.setenv("NOTICE_TEMPLATES_DIR", str(tmp_path / "own"))

    code, _, errors = agpt(data, "notices", "preview", "DAILY_SUMMARY")

    assert code != 0
    assert "NOTICE_TEMPLATES_DIR make no letter of DAILY_SUMMARY" in errors


def test_addresses_that_refuse_letters_are_listed(data: Path) -> None:
    empty = agpt(data, "notices", "bounces")

    async def bounce() -> None:
        storage = open_storage(data / "agpt.db")
        for _ in range(3):
            await SqlPreferences(storage.database).note_bounce(
                "ann@example.com", error="550 nobody", now_us=1_000_000
            )
        await storage.close()

    asyncio.run(bounce())
    code, text, _ = agpt(data, "notices", "bounces")
    [one] = json.loads(agpt(data, "notices", "bounces", "--json")[1])

    assert empty[:2] == (0, "No address has refused a letter.\n")
    assert (code, text) == (
        0,
        "1970-01-01 00:00:01  gets no more  ann@example.com: 550 nobody\n",
    )
    assert (one["address"], one["refusals"], one["gets_no_more"]) == ("ann@example.com", 3, True)
