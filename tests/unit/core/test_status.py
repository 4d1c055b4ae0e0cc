"""Sets of statuses. Which may follow which is a table of tests/contract/vectors."""

from backend.core.status import FINAL, UNFINISHED, Status


def test_what_is_final_needs_nobody() -> None:
    assert FINAL.isdisjoint(UNFINISHED)
    assert FINAL | UNFINISHED | {Status.INCOMPLETE, Status.REVIEW} == set(Status)
