"""Which status may follow which: all 49 pairs."""

import itertools

import pytest

from backend.core.errors import IllegalTransition
from backend.core.status import FINAL, UNFINISHED, Status, advance

LEGAL = {
    "INCOMPLETE": "QUEUED RUNNING FAILED TERMINATED",
    "QUEUED": "RUNNING FAILED TERMINATED",
    "RUNNING": "COMPLETED FAILED TERMINATED REVIEW",
    "TERMINATED": "QUEUED RUNNING",
    "REVIEW": "QUEUED RUNNING FAILED TERMINATED",
    "COMPLETED": "",
    "FAILED": "",
}


@pytest.mark.parametrize(("now", "wanted"), list(itertools.product(Status, Status)))
def test_a_status_follows_only_where_the_table_says(now: Status, wanted: Status) -> None:
    if wanted.value in LEGAL[now.value].split():
        assert advance(now, wanted) is wanted
        return

    with pytest.raises(IllegalTransition, match=f"{wanted} cannot follow {now}"):
        advance(now, wanted)


def test_what_is_final_needs_nobody() -> None:
    assert FINAL.isdisjoint(UNFINISHED)
    assert FINAL | UNFINISHED | {Status.INCOMPLETE, Status.REVIEW} == set(Status)
