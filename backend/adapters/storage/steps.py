"""
What the steps of migrations/versions say of themselves: when they may be taken.

A `pre` step only adds. The program before it, which does not know what was added, goes on working
on the database. A `post` step takes away or changes: only when no such program is left.
"""

import ast
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent / "migrations" / "versions"
_MARK: Final = re.compile(r"\bMark: (\w+)")


class Mark(StrEnum):
    """When a step may be taken."""

    PRE = "pre"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its number, when it may be taken, and what it does, in a sentence."""

    number: str
    mark: Mark
    what: str


@cache
def all_steps() -> tuple[Step, ...]:
    """Return all steps that this program knows, in their order. Reads files; imports none."""
    return tuple(_step(path) for path in sorted(_FOLDER.glob("[0-9]*.py")))


def steps_after(number: str | None) -> list[Step]:
    """Return the steps that a database at *number* has not taken; None: it has taken none."""
    return [step for step in all_steps() if number is None or step.number > number]


def newest_pre(number: str) -> str:
    """Return how far a database at *number* can go by steps that only add."""
    for step in steps_after(number):
        if step.mark is Mark.POST:
            break
        number = step.number
    return number


def needed() -> str:
    """
    Return the step without which this program cannot work: the last that only adds.

    Those after it take away what it does not use any more, and wait until no older program is left.
    """
    return [step.number for step in all_steps() if step.mark is Mark.PRE][-1]


def newest_post(number: str) -> str:
    """Return the last step up to *number* that did not only add; `0000` if there is none."""
    found = [s.number for s in all_steps() if s.mark is Mark.POST and s.number <= number]
    return found[-1] if found else "0000"


def _step(path: Path) -> Step:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    found = _MARK.search(said)
    if found is None:
        raise AssertionError(f"{path.name} does not say whether it is pre or post")
    return Step(path.name.partition("_")[0], Mark(found[1]), said.partition(" Mark:")[0])
