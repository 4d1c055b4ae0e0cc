"""What owners are told of failures: notices with a cause, so that what repeats can be gathered."""

from dataclasses import replace

import pytest

from backend.adapters.mail.letter_templates import load_templates
from backend.core import notices
from backend.core.ids import UserId
from backend.core.notice_words import words
from backend.core.preferences import KINDS
from backend.engine.letters import LetterWriter

ANN = UserId("ann")
ABOUT = notices.About(user_id=ANN, agent_name="Sample", graph_id="g", run_id="r", now_us=7)


def test_every_kind_has_a_strategy_and_those_of_people_a_preference() -> None:
    assert set(notices.STRATEGIES) == set(notices.NoticeType)

    of_people = {kind for kind, how in notices.STRATEGIES.items() if how != "admin"}

    assert of_people == set(KINDS)


def test_the_same_rule_of_the_same_agent_is_the_same_cause_another_time() -> None:
    rule, other = "3 runs in a row failed", replace(ABOUT, graph_id="other")
    first = notices.agent_failed(ABOUT, key="rule:r1", rule=rule, error="no network")
    second = notices.agent_failed(ABOUT, key="rule:r2", rule=rule, error="no network")
    third = notices.agent_failed(other, key="rule:r3", rule=rule, error="no network")

    assert len({first.id, second.id, third.id}) == 3
    assert first.cause == second.cause
    assert third.cause != first.cause


def test_a_long_error_is_cut() -> None:
    notice = notices.block_failed(
        ABOUT, key="e", block_name="SendWebRequestBlock", node_id="n", error="x" * 1_000_000
    )

    assert len(notice.data["error"]) == 2_001
    assert notice.type == "BLOCK_EXECUTION_FAILED"


def test_a_paused_schedule_says_what_can_be_done() -> None:
    notice = notices.schedule_paused(
        ABOUT,
        key="s:1",
        schedule_id="s",
        schedule_name="daily",
        reason="its agent is deleted",
        remedy="delete it, or restore the agent",
    )

    assert notice.type == "CONTINUOUS_AGENT_ERROR"
    assert (notice.created_us, notice.next_us) == (7, 7)
    assert notice.data["remedy"] == "delete it, or restore the agent"


@pytest.mark.parametrize("what", ["schedule", "watch"])
def test_what_is_paused_is_called_what_it_is_in_letters_and_in_chats(what: str) -> None:
    notice = notices.schedule_paused(
        ABOUT, key="1", schedule_id="i", schedule_name="daily", reason="r", remedy="m", what=what
    )

    letter = LetterWriter(load_templates()).write([notice], 1)

    assert letter.subject.endswith(f"its {what} daily is paused")
    assert f"its {what} daily is paused" in letter.text
    assert f"its {what} <bdi>daily</bdi> is paused" in letter.html
    assert words(notice.type, notice.data).title.endswith(f"the {what} daily is paused")
