"""docs/explanation/internet-scale.md says what the simulation says."""

import pytest

from bench.scale_tables import tables
from tests.house.source import ROOT


@pytest.mark.slow
def test_the_tables_are_those_of_the_simulation() -> None:
    page = (ROOT / "docs" / "explanation" / "internet-scale.md").read_text(encoding="utf-8")

    missing = [table for table in tables().rstrip("\n").split("\n\n") if table not in page]

    assert missing == [], "python -m bench.scale_tables prints them"
