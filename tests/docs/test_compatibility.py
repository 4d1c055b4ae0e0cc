"""Each difference from the Platform has a number of its own, so that others can name it."""

import re
from collections import Counter

from tests.house.source import ROOT

PAGE = ROOT / "docs" / "reference" / "compatibility.md"


def test_no_number_stands_for_two_differences() -> None:
    numbers = Counter(re.findall(r"^\| (\d+) \|", PAGE.read_text("utf-8"), re.MULTILINE))

    assert len(numbers) > 50
    assert {number for number, count in numbers.items() if count > 1} == set()
