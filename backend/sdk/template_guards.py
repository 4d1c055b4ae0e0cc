"""The looks before the leaps: checks of what an operator, filter or method of a template would make.

Used by `backend.sdk.template_limits` only. Each check raises and changes nothing.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Any, Final

from markupsafe import soft_str

from backend.core.errors import BadRequest, TooLarge

MAX_TEXT_CHARS: Final = 1024 * 1024
MAX_VALUES: Final = 1_000_000
MAX_INTEGER_BITS: Final = 4_096
MAX_WIDTH: Final = 10_000
MAX_FILLING_CHARS: Final = 100
MAX_DIGITS: Final = 100


def bound_text(length: int) -> None:
    """Refuse to make a text of *length* characters if that is too long."""
    if length > MAX_TEXT_CHARS:
        raise TooLarge(f"a text in a template may not exceed {MAX_TEXT_CHARS} characters")


def weighed(value: Any) -> Any:
    """Return *value*, a structure, unless it holds too much, counting what it holds twice twice."""
    left = MAX_VALUES
    heap = [value]
    while heap:
        held = heap.pop()
        if isinstance(held, dict):
            heap.extend(held.values())
        elif isinstance(held, list | tuple):
            heap.extend(held)
        left -= 1
        if len(heap) > left:
            raise TooLarge(f"a structure in a template may not hold more than {MAX_VALUES} values")
    return value


def format_number(value: Any, pattern: str) -> str:
    """Put the number *value* into *pattern*, as in ``"%.2f"``."""
    number = float(value)
    _check_modulo(pattern, number)
    return str(pattern % number)


def check_fields(pattern: str, values: tuple[Any, ...]) -> None:
    """Refuse ``pattern.format(*values)`` when it would inflate."""
    fields = [
        (name, form or "") for _, name, form, _ in Formatter().parse(pattern) if name is not None
    ]
    if any("{" in form for _, form in fields):
        raise BadRequest("a format may not take its width from a value")
    widths = [int(digits) for _, form in fields for digits in re.findall(r"\d{1,9}", form)]
    _bound_widths(widths)
    _bound_filled(pattern, len(fields), values, widths)


def _check_modulo(left: Any, right: Any) -> None:
    """Check ``left % right``, where that fills a text."""
    if not isinstance(left, str):
        return
    if "*" in left:
        raise BadRequest("a format may not take its width from a value")
    widths = [int(digits) for digits in re.findall(r"\d{1,9}", left)]
    _bound_widths(widths)
    values = right if isinstance(right, tuple) else (right,)
    _bound_filled(left, left.count("%"), values, widths)


def _bound_filled(
    pattern: str, fields: int, values: tuple[Any, ...], widths: Iterable[int]
) -> None:
    longest = max((len(soft_str(value)) for value in values), default=0)
    bound_text(len(pattern) + fields * longest + sum(widths))


def _bound_widths(widths: Iterable[Any]) -> None:
    if any(isinstance(width, int) and abs(width) > MAX_WIDTH for width in widths):
        raise TooLarge(f"a width in a template may not exceed {MAX_WIDTH}")


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _check_sum(left: Any, right: Any) -> None:
    if isinstance(left, str) and isinstance(right, str):
        bound_text(len(left) + len(right))


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _bound_bits(_bits(left) + _bits(right))
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | list | tuple) and isinstance(times, int):
            bound_text(len(many) * max(times, 0))


def _check_power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _bound_bits(_bits(left) * max(right, 0))


def _bound_bits(bits: int) -> None:
    if bits > MAX_INTEGER_BITS:
        raise TooLarge(f"a number in a template may not exceed {MAX_INTEGER_BITS} bits")


#: What an operator has to pass before it computes.
BINARY: Final[Mapping[str, Callable[[Any, Any], None]]] = {
    "+": _check_sum,
    "*": _check_product,
    "**": _check_power,
    "%": _check_modulo,
}


def _check_widths(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = (*args, *kwargs.values())
    _bound_widths(given)
    # A filling is put in many times over: it has to be small itself.
    if any(
        isinstance(each, dict | list | tuple) or len(str(each)) > MAX_FILLING_CHARS
        for each in given
    ):
        raise TooLarge(f"a filling may not exceed {MAX_FILLING_CHARS} characters")


def _check_replace(text: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    old = str(args[0] if args else kwargs.get("old", ""))
    new = str(args[1] if len(args) > 1 else kwargs.get("new", ""))
    found = soft_str(text)
    times = found.count(old) if old else len(found) + 1
    bound_text(len(found) + times * len(new))


def _check_join(value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Both ``items|join(between)`` and ``between.join(items)``."""
    as_method = isinstance(value, str) and bool(args) and not isinstance(args[0], str)
    items, between = (args[0], value) if as_method else (value, (*args, kwargs.get("d", ""))[0])
    if not isinstance(items, list | tuple | str | dict):
        raise BadRequest("only a list can be joined; put `|list` before")
    bound_text(sum(len(soft_str(item)) + len(str(between)) for item in items))


def _check_numbers(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not isinstance(kwargs.get("start", args[1] if len(args) > 1 else 0), int | float):
        raise BadRequest("only numbers can be summed")


def _check_precision(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    precision = args[0] if args else kwargs.get("precision", 0)
    if isinstance(precision, int) and abs(precision) > MAX_DIGITS:
        raise TooLarge(f"a number is rounded to at most {MAX_DIGITS} digits")


def _check_default(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if any(isinstance(each, dict | list | tuple) for each in (*args, *kwargs.values())):
        raise BadRequest("`map` takes only plain values as arguments")


#: What a filter, or a method of a text, has to pass before it runs; by name.
GUARDS: Final[Mapping[str, Callable[[Any, tuple[Any, ...], dict[str, Any]], None]]] = {
    "batch": _check_widths,
    "center": _check_widths,
    "indent": _check_widths,
    "join": _check_join,
    "ljust": _check_widths,
    "map": _check_default,
    "replace": _check_replace,
    "rjust": _check_widths,
    "round": _check_precision,
    "slice": _check_widths,
    "sum": _check_numbers,
    "wordwrap": _check_widths,
    "zfill": _check_widths,
}
