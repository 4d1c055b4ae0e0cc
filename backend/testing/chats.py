"""The spec of conversations with the copilot: what every adapter must do."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import pytest

from backend.core.chat import GRAPH_ID, TRIGGER, VERSION, ChatId, ChatMessage, Turn
from backend.core.errors import Conflict, NotFound, StaleAttempt, TooLarge
from backend.core.ids import ExecutionId, UserId
from backend.core.records import NewExecution
from backend.ports.chat import ChatRetention, Chats

ANN: Final = UserId("ann")
BOB: Final = UserId("bob")
TALK: Final = ChatId("talk")

#: Lets a run end, as an executor does.
Ends: TypeAlias = Callable[[str], Awaitable[None]]


def new_run(run_id: str, *, user: UserId = ANN, at_us: int = 5) -> NewExecution:
    """Return the run of a turn."""
    return NewExecution(
        id=ExecutionId(run_id),
        user_id=user,
        graph_id=GRAPH_ID,
        graph_version=VERSION,
        inputs={},
        trigger=TRIGGER,
        created_us=at_us,
    )


def message(run_id: str, number: int = 0, text: str = "Hello", **more: Any) -> ChatMessage:
    """Return a message of a turn."""
    return ChatMessage(
        number=number,
        run_id=ExecutionId(run_id),
        body={"role": "user", "content": text, **more},
        tokens=number,
        created_us=5,
    )


async def begun(chats: Chats, run_id: str = "run", text: str = "Hello", *, at_us: int = 5) -> Turn:
    """Begin a turn of Ann's."""
    return await chats.of(ANN).begin(TALK, new_run(run_id, at_us=at_us), message(run_id, text=text))


class ChatsSpec:
    """Give fixtures `chats`, empty, `retention` and `end`; every test must pass."""

    @pytest.fixture(autouse=True)
    async def _talk(self, chats: Chats) -> None:
        await chats.of(ANN).add(TALK, now_us=1, most=10)

    async def test_a_session_is_its_owners_alone(self, chats: Chats) -> None:
        await begun(chats)

        assert await chats.of(BOB).get(TALK) is None
        assert await chats.of(BOB).page(skip=0, most=10) == ([], 0)
        assert await chats.of(BOB).messages(TALK, limit=10) == []
        with pytest.raises(NotFound):
            await chats.of(BOB).begin(TALK, new_run("theirs", user=BOB), message("theirs"))
        with pytest.raises(StaleAttempt):
            await chats.of(BOB).say(TALK, message("run", 1))

    async def test_what_changed_last_comes_first(self, chats: Chats) -> None:
        await chats.of(ANN).add(ChatId("newer"), now_us=2, most=10)
        await begun(chats)

        found, total = await chats.of(ANN).page(skip=0, most=1)

        assert ([one.id for one in found], total) == ([TALK], 2)
        [second], _ = await chats.of(ANN).page(skip=1, most=1)
        assert (second.id, second.title, second.updated_us) == ("newer", None, 2)

    async def test_no_more_sessions_than_one_may_have(self, chats: Chats) -> None:
        with pytest.raises(Conflict):
            await chats.of(ANN).add(ChatId("b"), now_us=2, most=1)

    async def test_a_turn_is_its_message_and_its_run(self, chats: Chats) -> None:
        turn = await begun(chats, text="\n  Find   me\nan agent")

        assert (turn.first, turn.is_new, turn.run.id, turn.run.graph_id) == (
            0,
            True,
            "run",
            GRAPH_ID,
        )
        chat = await chats.of(ANN).get(TALK)
        assert chat is not None
        assert (chat.title, chat.messages, chat.run_id, chat.updated_us) == ("Find me", 1, "run", 5)
        [said] = await chats.of(ANN).messages(TALK, limit=10)
        assert (said.number, said.run_id, said.body["role"]) == (0, "run", "user")

    async def test_the_same_run_twice_is_one_turn(self, chats: Chats) -> None:
        await begun(chats)
        await chats.of(ANN).say(TALK, message("run", 1))

        again = await begun(chats)

        assert (again.first, again.is_new) == (0, False)
        assert len(await chats.of(ANN).messages(TALK, limit=10)) == 2
        await chats.of(ANN).add(ChatId("other"), now_us=2, most=10)
        with pytest.raises(Conflict):
            await chats.of(ANN).begin(ChatId("other"), new_run("run"), message("run"))

    async def test_one_turn_after_the_other(self, chats: Chats, end: Ends) -> None:
        await begun(chats)
        with pytest.raises(Conflict):
            await begun(chats, "second")

        await end("run")
        turn = await begun(chats, "second")

        assert turn.first == 1
        with pytest.raises(StaleAttempt):
            await chats.of(ANN).say(TALK, message("run", 2))
        assert [one.run_id for one in await chats.of(ANN).messages(TALK, limit=10)] == [
            "run",
            "second",
        ]

    async def test_what_is_said_twice_is_there_once(self, chats: Chats) -> None:
        await begun(chats)
        for _ in range(2):
            await chats.of(ANN).say(TALK, message("run", 1, "a"))

        with pytest.raises(StaleAttempt):
            await chats.of(ANN).say(TALK, message("run", 1, "b"))
        with pytest.raises(StaleAttempt):
            await chats.of(ANN).say(TALK, message("run", 3, "c"))

        found = await chats.of(ANN).messages(TALK, limit=10)
        assert [(one.number, one.body["content"], one.tokens) for one in found] == [
            (0, "Hello", 0),
            (1, "a", 1),
        ]

    async def test_messages_are_found_by_turn_and_from_the_end(
        self, chats: Chats, end: Ends
    ) -> None:
        mine = chats.of(ANN)
        await begun(chats)
        await mine.say(TALK, message("run", 1))
        await end("run")
        await begun(chats, "second")
        await mine.say(TALK, message("second", 3))

        async def numbers(**wanted: Any) -> list[int]:
            return [one.number for one in await mine.messages(TALK, **wanted)]

        assert await numbers(limit=10) == [0, 1, 2, 3]
        assert await numbers(limit=2) == [2, 3]
        assert await numbers(limit=10, run_id="second") == [2, 3]
        assert await numbers(limit=10, run_id="second", after=2) == [3]

    async def test_a_message_that_is_too_large_is_refused(self, chats: Chats) -> None:
        with pytest.raises(TooLarge):
            await begun(chats, text="x" * 20_000_000)

        chat = await chats.of(ANN).get(TALK)
        assert chat is not None
        assert (chat.messages, chat.run_id) == (0, None)

    async def test_old_sessions_go_step_by_step_but_none_that_is_answered(
        self, chats: Chats, retention: ChatRetention, end: Ends
    ) -> None:
        await begun(chats)
        await chats.of(ANN).say(TALK, message("run", 1))
        await chats.of(ANN).add(ChatId("new"), now_us=100, most=10)
        assert await retention.delete_old(50, limit=10) == 0

        await end("run")
        steps = [await retention.delete_old(50, limit=1) for _ in range(4)]

        assert steps == [1, 1, 1, 0]
        found, _ = await chats.of(ANN).page(skip=0, most=10)
        assert [one.id for one in found] == ["new"]
        assert await chats.of(ANN).messages(TALK, limit=10) == []
