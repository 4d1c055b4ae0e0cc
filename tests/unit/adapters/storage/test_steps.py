"""Each step of the tables says when it may be taken, and one that only adds does nothing else."""

import ast
from pathlib import Path

import pytest

from backend.adapters.storage import migrate as migrations
from backend.adapters.storage import steps
from backend.adapters.storage.migrate import HEAD
from backend.adapters.storage.steps import (
    Mark,
    Step,
    all_steps,
    newest_post,
    newest_pre,
    steps_after,
)

FOLDER = Path(migrations.__file__).parent / "migrations" / "versions"
#: A program that knows nothing of them goes on. An index is no part of what programs know.
ADDING = {"create_table", "add_column", "create_index", "drop_index"}
#: Steps that do something else and are `pre` all the same, with the reason.
PRE_ALL_THE_SAME = {"0006": "writes a row that says from when on retention counts"}


def calls(number: str) -> list[ast.Call]:
    [path] = FOLDER.glob(f"{number}_*.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_all_steps_are_known_in_their_order() -> None:
    numbers = [step.number for step in all_steps()]

    assert numbers == sorted(numbers)
    assert numbers[-1] == HEAD
    assert all(step.what.endswith(".") for step in all_steps())


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.number)
def test_a_pre_step_only_adds(step: Step) -> None:
    done = {
        call.func.attr
        for call in calls(step.number)
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in ("op", "batch")
    }

    if step.mark is Mark.PRE and step.number not in PRE_ALL_THE_SAME:
        assert done <= ADDING


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.number)
def test_a_column_of_a_pre_step_may_be_left_out(step: Step) -> None:
    """An older program goes on inserting rows without it."""
    added = [
        call
        for call in calls(step.number)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_column"
    ]

    for column in (one for call in added for one in call.args if isinstance(one, ast.Call)):
        said = {word.arg: word.value for word in column.keywords}
        needed = said.get("nullable")
        must_be = isinstance(needed, ast.Constant) and needed.value is False
        assert step.mark is Mark.POST or not must_be or "server_default" in said


def test_a_server_lives_with_steps_up_to_the_first_that_does_not_only_add(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tuple(
        Step(number, mark, "Something.")
        for number, mark in (
            ("0001", Mark.PRE),
            ("0002", Mark.POST),
            ("0003", Mark.PRE),
            ("0004", Mark.POST),
            ("0005", Mark.PRE),
        )
    )
    monkeypatch.setattr(steps, "all_steps", lambda: made)

    assert [step.number for step in steps_after("0003")] == ["0004", "0005"]
    assert [newest_pre(number) for number in ("0001", "0002", "0005")] == ["0001", "0003", "0005"]
    assert [newest_post(number) for number in ("0001", "0003", "0005")] == ["0000", "0002", "0004"]
