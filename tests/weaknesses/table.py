"""The table: each weakness, why it is not here, and the tests that show it.

The rows lie in table.json. They are those of the specification that this server was written
against; `test_table.py` holds both together where that is at hand. The document is printed from
them: `python -m tests.weaknesses.table`.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = ROOT / "docs" / "explanation" / "weaknesses.md"


@dataclass(frozen=True, kw_only=True)
class Row:
    """
    A weakness.

    Attributes:
        here: Why it is not here; goes with the tests.
        shown_by: Node ids of tests.
        later: What is not built yet, so that the weakness cannot be there; or what part of it.
        stays: The number of the line in compatibility.md that says why it is still there.
    """

    id: str
    weakness: str
    here: str = ""
    shown_by: tuple[str, ...] = ()
    later: str = ""
    stays: int | None = None


def _read() -> dict[str, tuple[Row, ...]]:
    parts = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {
        heading: tuple(Row(**{**row, "shown_by": tuple(row.get("shown_by", ()))}) for row in rows)
        for heading, rows in parts.items()
    }


#: All rows, under their headings.
TABLE: Final = _read()
ROWS: Final = tuple(row for rows in TABLE.values() for row in rows)

#: How many rows each part has: the ids run from 1.
COUNTS: Final = {"A": 29, "B": 8, "C": 6, "D": 8, "E": 12, "F": 9}

_TOP: Final = """\
# Weaknesses

Servers of this kind have had weaknesses that only show under load, after a crash, or with a value
that nobody thought of. Here is each that we know of, why it is not in this server, and the test
that shows it. *Not built yet* stands where the feature is still missing, and with it the weakness.

This page is printed from `tests/weaknesses/table.json`; a test holds both together.
"""


def document() -> str:
    """Return the page."""
    parts = [_TOP]
    for heading, rows in TABLE.items():
        lines = [_line(row) for row in rows]
        parts.append(
            f"## {heading}\n\n| # | weakness | here | shown by |\n|---|---|---|---|\n"
            + "".join(lines)
        )
    return "\n".join(parts)


def _line(row: Row) -> str:
    told = [row.here] if row.here else []
    if row.later:
        told.append(f"*not built yet*: {row.later}")
    if row.stays:
        told.append(f"it stays: [compatibility](../reference/compatibility.md), {row.stays}")
    tests = "<br>".join(f"`{test.split('::test_')[1]}`" for test in row.shown_by)
    return f"| {row.id} | {row.weakness} | {'; '.join(told)} | {tests} |\n"


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document(), encoding="utf-8")
