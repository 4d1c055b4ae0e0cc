"""Sections of pages, and which of them fit a question."""

from backend.core.page_search import PageIndex, sections_of

SCHEDULES = """# Run agents on time

Agents run by themselves.

## Pause one

A paused schedule keeps its place.

```sh
# This is no heading
agpt schedule pause it
```

### And again

`agpt schedule resume`.
"""
BUDGETS = """# Budgets

A budget holds what models may cost. A schedule counts too.
"""


def test_a_page_becomes_its_sections() -> None:
    found = [(one.title, one.heading, one.text) for one in sections_of("s.md", SCHEDULES)]

    assert [one[:2] for one in found] == [
        ("Run agents on time", "Run agents on time"),
        ("Run agents on time", "Pause one"),
        ("Run agents on time", "And again"),
    ]
    assert "# This is no heading" in found[1][2]


def test_text_without_any_heading_is_a_section() -> None:
    [one] = sections_of("a.md", "words\n")

    assert (one.title, one.heading, one.text) == ("a.md", "a.md", "words")
    assert list(sections_of("b.md", "\n \n# Only a title\n")) == []


def test_what_fits_best_comes_first() -> None:
    index = PageIndex({"s.md": SCHEDULES, "b.md": BUDGETS})

    found = index.search("How do I pause a schedule?", most=2)

    assert (found[0].path, found[0].heading) == ("s.md", "Pause one")
    assert len(found) == 2
    assert index.search("models cost", most=5)[0].path == "b.md"


def test_what_fits_nothing_finds_nothing() -> None:
    index = PageIndex({"s.md": SCHEDULES})

    assert index.search("zebra", most=5) == []
    assert index.search("", most=5) == []
    assert PageIndex({}).search("pause", most=5) == []
