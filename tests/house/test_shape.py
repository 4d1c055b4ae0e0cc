"""Small rooms: how long a file and a function may be, and what each file says first."""

import ast
import re

from tests.house.source import parse, sources, texts

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
CODE = ("backend", "tests", "bench", "tools")
#: A migration is a list of tables, frozen on the day it was written; dividing it helps nobody.
LISTS = "/migrations/versions/"


def test_every_python_file_parses() -> None:
    broken = [
        name for name, text in texts().items() if name.endswith(".py") and parse(text) is None
    ]

    assert broken == []


def test_no_file_is_longer_than_one_sitting() -> None:
    long = {
        source.name: lines
        for source in sources(*CODE)
        if LISTS not in source.name and (lines := source.text.count("\n")) > LONGEST_FILE
    }

    assert long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{source.name}:{function.lineno} {function.name}": lines
        for source in sources(*CODE)
        for function in source.functions
        if LISTS not in source.name
        and (lines := (function.end_lineno or function.lineno) - function.lineno + 1)
        > LONGEST_FUNCTION
    }

    assert long == {}


def test_every_file_begins_by_saying_what_it_is() -> None:
    silent = [
        source.name
        for source in sources("backend", "bench", "tools", "tests")
        if not (ast.get_docstring(source.tree) or "").strip()
        or not source.text.startswith(('"""', 'r"""'))
    ]

    assert silent == []


def test_nothing_is_put_off() -> None:
    # Spelled in two halves, or this file would find itself.
    marks = re.compile("(?:TO" + "DO|FIX" + "ME|X" + "XX|HA" + "CK:)(?![A-Z])")
    found = [
        f"{name}:{number}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if marks.search(line)
    ]

    assert found == []
