"""The table is whole: every weakness has its row, every row its tests, and the tests are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.weaknesses.table import COUNTS, DOCUMENT, ROOT, ROWS, Row, document

SPECIFICATION = ROOT.parent / "shared" / "spec" / "semantics.md"
COMPATIBILITY = ROOT / "docs" / "reference" / "compatibility.md"


def test_every_weakness_has_one_row() -> None:
    assert [row.id for row in ROWS] == [
        f"{part}{number}" for part, count in COUNTS.items() for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_says_what_shows_it_or_why_nothing_can(row: Row) -> None:
    assert bool(row.shown_by) == bool(row.here)
    assert row.shown_by or row.later or row.stays


@pytest.mark.parametrize("test", sorted({test for row in ROWS for test in row.shown_by}))
def test_a_test_that_is_named_is_there(test: str) -> None:
    file, _, name = test.partition("::")

    assert name in functions_of(ROOT / file)


def test_what_stays_is_a_line_of_compatibility() -> None:
    lines = set(re.findall(r"(?m)^\| (\d+) \|", COMPATIBILITY.read_text(encoding="utf-8")))

    assert {str(row.stays) for row in ROWS if row.stays} <= lines


def test_the_document_is_printed_from_the_table() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), (
        "print it again: python -m tests.weaknesses.table"
    )


def test_the_table_has_all_rows_of_the_specification() -> None:
    if not SPECIFICATION.exists():
        pytest.skip("the specification is not here")
    text = SPECIFICATION.read_text(encoding="utf-8")
    section = text.partition("\n# 7. ")[2].partition("\n# 8. ")[0]
    parts = {part[0]: part for part in section.split("\n## 7.")[1:]}

    for letter in "ABC":
        numbers = {int(n) for n in re.findall(rf"(?m)^\| {letter}(\d+) \|", parts[letter])}
        assert numbers == set(range(1, COUNTS[letter] + 1))
    assert len(re.findall("(?m)^- ", parts["D"])) == COUNTS["D"]
    # The round trips of a run, its process, and the round trips of a node are three rows of ours.
    asymptotics = parts["E"].partition("Asymptotics:")[2]
    assert len(re.findall("(?m)^- ", asymptotics)) + 3 == COUNTS["E"]
    assert len(re.findall(r"(?m)^\| (?!block \|)\w", parts["F"])) == COUNTS["F"]


@cache
def functions_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))
