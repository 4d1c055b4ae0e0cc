"""`run_processes` with processes that are not ours: order, the last one, and stopping whatever happens."""

import logging
from dataclasses import dataclass, field

import pytest

from backend.app import in_start_order, run_processes
from backend.core.errors import CannotStart

Diary = list[tuple[object, ...]]


@dataclass
class Actor:
    service_name: str
    diary: Diary = field(default_factory=list)
    depends_on: tuple[str, ...] = ()
    breaks_at: str = ""

    def start(self, background: bool, silent: bool = False, **kwargs: object) -> int:  # noqa: FBT001, FBT002 -- contract
        self.diary.append(("start", self.service_name, background, silent, kwargs))
        self._break("start")
        return 0

    def stop(self) -> None:
        self.diary.append(("stop", self.service_name))
        self._break("stop")

    def _break(self, at: str) -> None:
        if self.breaks_at == at:
            raise RuntimeError(f"{self.service_name} broke")


def names(processes: list[Actor]) -> list[str]:
    return [process.service_name for process in processes]


def test_all_but_the_last_start_in_the_background_and_stop_in_reverse() -> None:
    diary: Diary = []

    run_processes(Actor("a", diary), Actor("b", diary), Actor("c", diary), silent=True, x=1)

    assert diary == [
        ("start", "a", True, True, {"x": 1}),
        ("start", "b", True, True, {"x": 1}),
        ("start", "c", False, True, {"x": 1}),
        ("stop", "c"),
        ("stop", "b"),
        ("stop", "a"),
    ]


def test_when_a_start_fails_all_are_stopped() -> None:
    diary: Diary = []

    with pytest.raises(RuntimeError, match="b broke"):
        run_processes(Actor("a", diary), Actor("b", diary, breaks_at="start"), Actor("c", diary))

    assert [entry for entry in diary if entry[0] == "stop"] == [
        ("stop", "c"),
        ("stop", "b"),
        ("stop", "a"),
    ]


def test_a_stop_that_fails_is_logged_by_name_and_the_others_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    diary: Diary = []

    with caplog.at_level(logging.ERROR):
        run_processes(Actor("a", diary), Actor("b", diary, breaks_at="stop"))

    assert diary[-1] == ("stop", "a")
    assert "b could not be stopped" in caplog.text


def test_nothing_to_run_is_fine() -> None:
    run_processes()


def test_what_a_process_depends_on_comes_before_it() -> None:
    given = [Actor("a", depends_on=("c",)), Actor("b"), Actor("c", depends_on=("d", "not here"))]
    given.append(Actor("d"))

    assert names(in_start_order(given)) == ["d", "c", "a", "b"]  # type: ignore[arg-type] # actors they are


def test_a_circle_is_named() -> None:
    given = [Actor("a", depends_on=("b",)), Actor("b", depends_on=("a",))]

    with pytest.raises(CannotStart, match="a → b → a"):
        in_start_order(given)
