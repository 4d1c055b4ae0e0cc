"""Regular expressions of people: they mean what Python's mean, and hold nothing up."""

import re
import time
from contextlib import suppress

import pytest

from backend.core.errors import TooLarge
from backend.sdk.patterns import (
    MAX_PATTERN_CHARS,
    MAX_SECONDS,
    PatternInvalid,
    PatternTooSlow,
    find,
)


@pytest.mark.parametrize(
    "pattern",
    [
        "a{e}",
        "{id}",
        "x{s}?",
        r"\{i\}",
        "a{}",
        "[{]e}",
        "a{2,3}",
        "b{,2}c",
        "(?i)ID",
        r"(?<=\": \")[^\"]+",
        r"(\w)\1",
        "[]}]",
        r"\(?x",
        "(?P<n>x)(?P=n)",
        "a++",
        r"\u00e9|\x41",
        r"\N{LATIN SMALL LETTER A}{2}",
        "^b$",
        "b.c",
    ],
)
@pytest.mark.parametrize("dot_all", [True, False])
def test_an_expression_means_what_it_means_in_python(pattern: str, *, dot_all: bool) -> None:
    text = 'a{e} {id} x{s} {i} aaa bbc ID ": "v" & }] (x xx A aa{} b\nc é'

    flags = re.DOTALL if dot_all else re.NOFLAG
    expected = [match[0] for match in re.finditer(pattern, text, flags)]

    assert find(pattern, text, most=1000, dot_all=dot_all) == expected


@pytest.mark.parametrize("pattern", ["[a&&b]", "[a||b]", "[[a]", "[a~~b]"])
def test_what_looks_like_an_operator_warns_nobody(pattern: str) -> None:
    assert find(pattern, "a") == ["a"]


def test_a_group_that_took_no_part_is_none() -> None:
    assert find("(a)|b", "ab", group=1, most=5) == ["a", None]


def test_at_most_so_many_matches_are_looked_for() -> None:
    assert find(".", "abc", most=2) == ["a", "b"]


@pytest.mark.parametrize("pattern", ["(", "[", "*", "(?P<1>a)", r"\p{nothing}", "a**", "(?x) a"])
def test_what_is_no_expression_is_refused(pattern: str) -> None:
    with pytest.raises(PatternInvalid):
        find(pattern, "text")


@pytest.mark.parametrize("group", [-1, 2])
def test_a_group_that_is_not_there_is_refused(group: int) -> None:
    with pytest.raises(PatternInvalid, match="no group"):
        find("(a)", "a", group=group)


@pytest.mark.parametrize(
    "pattern",
    [
        "a{10001}",
        "(?:a|bc){1000000}",
        "((a{100}b){100}){100}",
        "a{99999999999999999999}",
        "a" + "{9}" * 9,
        "[]]{20000}",
        "(?#[)a{20000}(?#])",
        "[[:alpha:]]{20000}",
        r"\[a{20000}\]",
        "a{" + "9" * 4900 + "}",
        "(" * 2000 + ")" * 2000,
        "a" * (MAX_PATTERN_CHARS + 1),
    ],
)
def test_an_expression_that_would_fill_the_memory_is_refused(pattern: str) -> None:
    with pytest.raises(TooLarge):
        find(pattern, "text")


#: The engine sees through (a+)+$ and ends at once; the others take for ever.
CATASTROPHES = [
    ("(a|a)*$", "a" * 5000 + "b"),
    ("(x+x+)+y", "x" * 3000),
    (r"^(.*?,){11}P", "1,2,3,4,5,6,7,8,9,10,11," * 100),
    ("(?=(a*)*b)", "a" * 1_000_000),
    ("(?:a?b?c?){1000}$", "abc" * 20_000),
]


@pytest.mark.parametrize(("pattern", "text"), CATASTROPHES)
def test_an_expression_that_takes_for_ever_is_given_up(pattern: str, text: str) -> None:
    with pytest.raises(PatternTooSlow, match=r"more than 0\.05 s"):
        find(pattern, text, limit_s=0.05)


@pytest.mark.parametrize(("pattern", "text"), [("(a+)+$", "a" * 40 + "!"), CATASTROPHES[1]])
def test_the_processor_is_never_held_for_a_second(pattern: str, text: str) -> None:
    # The time that this process computed, because the machine may be busy with others.
    begin = time.process_time()

    with suppress(PatternTooSlow):
        find(pattern, text)

    assert time.process_time() - begin < 2 * MAX_SECONDS


def test_the_limit_holds_for_all_matches_together() -> None:
    with pytest.raises(PatternTooSlow):
        find("a", "a" * 10_000_000, most=10_000_000, limit_s=0.02)
