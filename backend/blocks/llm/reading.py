"""Finds JSON in what a model wrote, however it wrapped it."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

#: Longer answers are looked at no further than this.
_MOST_CHARACTERS: Final = 2_000_000
#: So many places are tried at which a value may begin.
_MOST_STARTS: Final = 200
_FENCED: Final = re.compile(r"```[ \t]*[\w+-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_BEGIN: Final = re.compile(r"[\[{]")
#: A comma too many, as models write it, before the end of a list or object.
_LOOSE_COMMA: Final = re.compile(r",(?=\s*[\]}])")
_LARGEST: Final = 2**63 - 1


def json_in(text: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    """
    Return the value of *kind* that *text* holds: all of it, a fenced part, or the longest inside.

    Raises:
        ValueError: If there is none, says what was wrong with the likeliest.
    """
    text = text[:_MOST_CHARACTERS].strip()
    problem = "there is no JSON in the answer"
    for candidate in _candidates(text):
        try:
            found = _read(candidate)
        except (ValueError, RecursionError) as exc:
            problem = f"the JSON is malformed: {_words(exc)}"
            continue
        if isinstance(found, kind):
            return found
        problem = f"the JSON is {_named(found)}"
    for found in sorted(_inside(text), key=lambda each: -each[0]):
        if isinstance(found[1], kind):
            return found[1]
    raise ValueError(problem)


def _candidates(text: str) -> Iterator[str]:
    """Yield what is JSON if the model did as it was told; of fenced parts, the last one first."""
    if not text or text[0] in '[{"':
        yield text
    yield from reversed([part.strip() for part in _FENCED.findall(text)])


def _inside(text: str) -> Iterator[tuple[int, Any]]:
    """Yield lists and objects that stand anywhere in *text*, each with its length."""
    place = 0
    for _ in range(_MOST_STARTS):
        begin = _BEGIN.search(text, place)
        if begin is None:
            return
        place = begin.start()
        try:
            found, behind = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            place += 1
            continue
        yield behind - place, found
        place = behind


def _read(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except ValueError:
        mended = _LOOSE_COMMA.sub("", text)
        if mended == text:
            raise
        return _DECODER.decode(mended)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _whole(digits: str) -> int | str:
    """Return a whole number; one of over 64 bits stays a text, as it has no other form here."""
    if len(digits) > 20:  # noqa: PLR2004 - longer than any of 64 bits
        return digits
    number = int(digits)
    return number if abs(number) <= _LARGEST else digits


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if abs(number) != float("inf") else digits


#: Not strict: models write line ends into texts as they are.
_DECODER: Final = json.JSONDecoder(
    strict=False, parse_constant=_no_number, parse_int=_whole, parse_float=_finite
)


def _words(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)


def _named(value: Any) -> str:
    kinds = ((bool, "a truth"), (str, "a text"), (list, "a list"), (dict, "an object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a number or null")
