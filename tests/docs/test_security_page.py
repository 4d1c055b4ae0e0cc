"""The page about security has all its rows, and every test that it names is there."""

import ast
import re
from functools import cache

from tests.house.source import ROOT

PAGE = ROOT / "docs" / "reference" / "security.md"
ROWS = 48
#: What a row without a test must say.
_NOT_YET = re.compile(r"not applicable yet: .{10,}|as \d+")


def rows() -> dict[int, list[str]]:
    """Return the cells of each row by its number."""
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if re.fullmatch(r"\d+", cells[0]):
            found[int(cells[0])] = cells
    return found


def test_every_row_is_there() -> None:
    assert list(rows()) == list(range(1, ROWS + 1))


def test_every_row_has_a_test_or_says_why_not() -> None:
    silent = [
        number
        for number, (_, _, here, *shown) in rows().items()
        if not named(" ".join(shown)) and not _NOT_YET.search(here)
    ]

    assert silent == []


def test_every_test_that_is_named_is_there() -> None:
    text = PAGE.read_text("utf-8")
    lost = [f"{file}::{name}" for file, name in named(text) if name not in functions(file)]
    files = [
        file
        for file in re.findall(r"`([a-z_/]+\.py)`", text)
        if not (ROOT / "tests" / file).exists()
    ]

    assert lost + files == []
    assert len(named(text)) > 60


def named(text: str) -> list[tuple[str, str]]:
    """Return the tests that *text* names, with their files."""
    return re.findall(r"`([a-z_/0-9]+\.py)::(test_\w+)`", text)


@cache
def functions(file: str) -> set[str]:
    """Return the names of the functions of a test file; none if there is no such file."""
    path = ROOT / "tests" / file
    tree = ast.parse(path.read_text("utf-8") if path.exists() else "")
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
