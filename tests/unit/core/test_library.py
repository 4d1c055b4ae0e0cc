"""What an agent's newest runs say of it."""

import pytest

from backend.core.library import (
    NEW_FOR_US,
    LibraryStatus,
    RecentRun,
    name_of_copy,
    standing,
)
from backend.core.status import Status

NOW = 10 * NEW_FOR_US


def runs(*statuses: Status, ended_us: int = NOW - 1) -> list[RecentRun]:
    return [RecentRun(status=one, created_us=1, ended_us=ended_us) for one in statuses]


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([], LibraryStatus.COMPLETED),
        ([Status.COMPLETED], LibraryStatus.COMPLETED),
        ([Status.COMPLETED, Status.RUNNING], LibraryStatus.HEALTHY),
        ([Status.RUNNING, Status.QUEUED], LibraryStatus.WAITING),
        ([Status.RUNNING, Status.QUEUED, Status.FAILED], LibraryStatus.ERROR),
        ([Status.TERMINATED, Status.REVIEW], LibraryStatus.COMPLETED),
    ],
)
def test_one_failure_says_more_than_what_waits_and_that_more_than_what_runs(
    statuses: list[Status], said: LibraryStatus
) -> None:
    assert standing(runs(*statuses), now_us=NOW).status is said


def test_only_a_completed_run_of_the_last_seven_days_is_new_output() -> None:
    fresh = standing(runs(Status.COMPLETED, ended_us=NOW - NEW_FOR_US + 1), now_us=NOW)
    old = standing(runs(Status.COMPLETED, ended_us=NOW - NEW_FOR_US), now_us=NOW)
    failed = standing(runs(Status.FAILED), now_us=NOW)

    assert (fresh.new_output, old.new_output, failed.new_output) == (True, False, False)


def test_the_rate_of_success_is_a_percentage_and_none_without_runs() -> None:
    two_of_three = standing(runs(Status.COMPLETED, Status.FAILED, Status.COMPLETED), now_us=NOW)

    assert two_of_three.success_rate == 66.67
    assert standing([], now_us=NOW).success_rate is None


def test_the_name_of_a_copy_never_grows_over_its_limit() -> None:
    assert name_of_copy("Daily", most=20) == "Daily (copy)"
    assert name_of_copy("x" * 20, most=20) == "x" * 13 + " (copy)"
