"""Decisions that people take for their runs: what waits, and what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.core.errors import NotFound
from backend.core.ids import ExecutionId, UserId
from backend.core.reviews import Answer, ReviewRecord
from backend.ports.clock import Clock
from backend.ports.dispatch import Dispatcher, SignalKind
from backend.ports.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How many questions were answered, and how."""

    approved: int
    rejected: int


class ReviewService:
    """Reviews of all users; every method names the user whose they are."""

    def __init__(self, *, storage: Storage, dispatcher: Dispatcher, clock: Clock) -> None:
        self._storage = storage
        self._dispatcher = dispatcher
        self._clock = clock

    async def waiting(self, user_id: UserId, *, page: int, page_size: int) -> list[ReviewRecord]:
        """Return a page (from 1) of the open questions, newest first."""
        stored = self._storage.of(user_id)
        return await stored.waiting_reviews(page=page, page_size=page_size)

    async def of_run(self, user_id: UserId, run_id: ExecutionId) -> list[ReviewRecord]:
        """Return the open questions of a run, oldest first."""
        found = await self._storage.of(user_id).reviews_of(run_id)
        if found is None:
            raise NotFound(f"Graph execution #{run_id} not found.")
        return found

    async def answer(self, user_id: UserId, answers: Sequence[Answer]) -> Answered:
        """
        Answer questions of one run, all or none. The run goes on when none is open any more.

        The same answer again is harmless.

        Raises:
            NotFound: If there is no such question.
            Conflict: If they are of several runs, or of one that does not wait for people.
            BadRequest: If a decision is turned round, or what is not editable is changed.
        """
        stored = self._storage.of(user_id)
        run_id, goes_on = await stored.answer_reviews(answers, now_us=self._clock.now_us())
        if goes_on:
            self._dispatcher.signal(SignalKind.RUN, run_id, user_id)
        approved = sum(answer.approved for answer in answers)
        return Answered(approved=approved, rejected=len(answers) - approved)
