"""Regular expressions that people write: none holds the program for longer than a second.

They are those of Python, and the extensions of the package ``regex``, but for two: there is no
fuzzy matching, so that ``{e}`` means itself, and no verbose mode, where sizes could hide.
"""

import re
import threading
import warnings
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import regex  # type: ignore[import-untyped] # it brings no types

from backend.core.errors import BadRequest, TooLarge

#: In all for one search. The engine looks at its clock now and then, and takes some time to tidy
#: up: with half a second, a search never held a machine under load for a whole one.
MAX_SECONDS: Final = 0.5

MAX_PATTERN_CHARS: Final = 5_000

#: ``a{1000}`` is compiled into a thousand times ``a``. A hundred thousand crash the engine.
MAX_UNROLLED: Final = 10_000


#: The filters of warnings are one thing for all threads.
_ONE_AT_A_TIME: Final = threading.Lock()


class PatternInvalid(BadRequest):
    """This is no regular expression."""


class PatternTooSlow(BadRequest):
    """A regular expression takes too long on this text."""


def find(
    pattern: str,
    text: str,
    *,
    most: int = 1,
    group: int = 0,
    case_sensitive: bool = True,
    dot_all: bool = False,
    limit_s: float = MAX_SECONDS,
) -> list[str | None]:
    """
    Return what *group* holds in the first *most* matches of *pattern* in *text*.

    None where the group took no part in the match. An empty list means that nothing matches.

    Raises:
        PatternInvalid: If *pattern* is malformed, or has no such group.
        PatternTooSlow: If the time is over.
        TooLarge: If *pattern* is longer than its limit, or repeats too much.
    """
    compiled = _compiled(pattern, case_sensitive, dot_all)
    if not 0 <= group <= compiled.groups:
        raise PatternInvalid(f"the regular expression has no group {group}")
    try:
        # The time is for all matches together. Others run meanwhile: in a thread, that is.
        found = compiled.finditer(text, timeout=limit_s, concurrent=True)
        return [match[group] for match in islice(found, most)]
    except TimeoutError as exc:
        raise PatternTooSlow(
            f"the regular expression takes more than {limit_s:g} s on this text"
        ) from exc
    except (MemoryError, RecursionError) as exc:
        raise TooLarge("the regular expression needs too much memory on this text") from exc


@lru_cache(maxsize=256)
def _compiled(pattern: str, case_sensitive: bool, dot_all: bool) -> Any:  # noqa: FBT001 - the cache's key
    if len(pattern) > MAX_PATTERN_CHARS:
        raise TooLarge(
            f"a regular expression may not be longer than {MAX_PATTERN_CHARS} characters"
        )
    parts = _PARTS.findall(pattern)
    if _VERBOSE.search("".join(part if len(part) == 1 else " " for part in parts)):
        raise PatternInvalid("a regular expression may not have the flag x: write it on one line")
    if _unrolled(parts) > MAX_UNROLLED:
        raise TooLarge(f"a regular expression may not repeat more than {MAX_UNROLLED} times")
    source = "".join(r"\{" if part == "{" else part for part in parts)
    flags = regex.VERSION0 | (0 if case_sensitive else regex.I) | (regex.S if dot_all else 0)
    try:
        with _ONE_AT_A_TIME, warnings.catch_warnings():
            # What looks like an operator inside [] has no meaning in this version of the grammar.
            warnings.simplefilter("ignore", FutureWarning)
            return regex.compile(source, flags, cache_pattern=False)
    except (regex.error, ValueError, OverflowError, KeyError) as exc:
        raise PatternInvalid(f"this is no regular expression: {exc}") from exc
    except RecursionError as exc:
        raise TooLarge("the regular expression is nested too deeply") from exc


_VERBOSE: Final = re.compile(r"\(\?[A-Za-z0-9]*x")

#: A brace that is no count comes out alone, and is then escaped. A class ends at the first bracket
#: that can end it, so that no count hides in what is no class.
_PARTS: Final = re.compile(
    r"""
    \\[NpP]\{(?=[0-9,]*[^0-9,{}])[^{}]*+\}  # a character by its name or kind
    | \\.
    | \[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z)    # a class, or what should be one
    | \(\?\#[^)]*+\)                        # a comment
    | \{[0-9]+(?:,[0-9]*)?\}|\{,[0-9]+\}    # a count
    | .
    """,
    re.DOTALL | re.VERBOSE,
)

_DIGITS: Final = 9


def _unrolled(parts: list[str]) -> int:
    """Return how many parts the expression has when each count is written out."""
    outer: list[int] = []
    size = last = 0
    for part in parts:
        if part == "(":
            outer.append(size)
            size = last = 0
        elif part == ")":
            last = size + 1
            size = last + (outer.pop() if outer else 0)
        elif part[0] == "{" and len(part) > 1:
            # More digits than these are too large in any case, and `int` refuses very many.
            least = int(part[1:-1].partition(",")[0][:_DIGITS] or 0)
            size += last * max(least - 1, 0)
            last *= max(least, 1)
        elif part not in ("?", "*", "+"):
            size += 1
            last = 1
    return size
