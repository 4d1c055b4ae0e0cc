"""What a template may cost: a Jinja environment in which every way to blow up has a bound.

Time: loops, calls and filters tick a budget of steps and a deadline. Memory: texts grow only by
operators, joins, captures and a few methods and filters, and each of these looks before it leaps.
Structures that hold the same thing many times over (a list of two of itself, thirty times) are
weighed when they are made.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import _PassArg
from markupsafe import soft_str

from backend.core.errors import BadRequest, TooLarge

#: The budget of one filling lies in its context, under a name that no template can write.
BUDGET: Final = " budget"

MAX_STEPS: Final = 200_000
MAX_SECONDS: Final = 2.0
_STEPS_PER_LOOK: Final = 50
MAX_TEXT_CHARS: Final = 1024 * 1024
MAX_VALUES: Final = 1_000_000
MAX_INTEGER_BITS: Final = 4_096
MAX_WIDTH: Final = 10_000

_REMOVED_FILTERS: Final = ("pprint", "tojson", "urlize", "xmlattr")

#: All that templates may ask of plain values; what is missing here either changes or inflates.
_METHODS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset(
        "capitalize casefold count endswith find format format_map index isalnum isalpha isascii "
        "isdecimal isdigit islower isnumeric isspace istitle isupper join lower lstrip partition "
        "removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines "
        "startswith strip swapcase title upper center ljust rjust zfill".split()
    ),
    dict: frozenset("get items keys values copy".split()),
    list: frozenset("count index copy".split()),
    tuple: frozenset("count index".split()),
    int: frozenset("real imag bit_length is_integer numerator denominator".split()),
    float: frozenset("real imag is_integer".split()),
    bytes: frozenset(),
}


class TemplateTooExpensive(BadRequest):
    """A template takes too long."""


class Budget:
    """What is left of the steps and the time of one filling."""

    __slots__ = ("_deadline", "_steps")

    def __init__(self) -> None:
        # One over a multiple, so that the first step reads the clock: most templates take none.
        self._steps = MAX_STEPS + 1
        self._deadline = 0.0

    def tick(self) -> None:
        """Count one step; the clock is read now and then."""
        self._steps -= 1
        if self._steps % _STEPS_PER_LOOK == 0:
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        self._deadline = self._deadline or now + MAX_SECONDS
        if self._steps < 0:
            raise TemplateTooExpensive(f"a template may not take more than {MAX_STEPS} steps")
        if now > self._deadline:
            raise TemplateTooExpensive(f"a template may not take more than {MAX_SECONDS:g} s")


def _budget(context: Context) -> Budget:
    budget = context.parent[BUDGET]
    assert isinstance(budget, Budget)
    return budget


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


class _Code(CodeGenerator):
    """Writes the looks before the leaps into the code of a template."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        """Join through `LimitedEnvironment.joined`."""
        escaped = "markup_join" if frame.eval_ctx.autoescape else "str_join"
        if frame.eval_ctx.volatile:
            escaped = "(markup_join if context.eval_ctx.volatile else str_join)"
        self.write(f"environment.joined({escaped}, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:
        """Weigh what is made."""
        self._weighed(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:
        """Weigh what is made."""
        self._weighed(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:
        """Weigh what is made; a tuple of targets makes nothing."""
        if node.ctx == "load":
            self._weighed(super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def _weighed(self, visit: Callable[[Any, Frame], None], node: nodes.Expr, frame: Frame) -> None:
        self.write("environment.weighed(")
        visit(node, frame)
        self.write(")")


class LimitedEnvironment(ImmutableSandboxedEnvironment):
    """An immutable sandbox without globals, in which nothing explodes."""

    code_generator_class = _Code
    intercepted_binops = frozenset({"+", "*", "**", "%"})
    weighed = staticmethod(weighed)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.globals.clear()
        for name in _REMOVED_FILTERS:
            del self.filters[name]
        self.filters["format"] = _format_number
        self.filters = {name: _limited(name, each) for name, each in self.filters.items()}
        self.filters[_COUNTED] = _counted

    def concat(self, parts: Iterable[str]) -> str:
        """Join the pieces of a capture, a macro or a block."""
        pieces = list(parts)
        bound_text(sum(map(len, pieces)))
        return "".join(pieces)

    def joined(self, join: Callable[[Iterable[Any]], str], parts: Iterable[Any]) -> str:
        """Join the operands of ``~``."""
        pieces = [soft_str(part) for part in parts]
        bound_text(sum(map(len, pieces)))
        return join(pieces)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Say whether *attr* of *obj* may be had: of plain values only what is listed."""
        for kind, allowed in _METHODS.items():
            if isinstance(obj, kind):
                return attr in allowed
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return the sandbox's own formatting, without widths that inflate."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            _check_format(value.__self__)
        return wrapped

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call *obj*; of the methods of texts, those that inflate are checked first."""
        _budget(context).tick()
        owner = getattr(obj, "__self__", None)
        check = _GUARDS.get(getattr(obj, "__name__", "")) if isinstance(owner, str) else None
        if check is not None:
            check(owner, args, kwargs)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute ``left operator right``, of a bounded size."""
        _BINARY[operator](left, right)
        result = super().call_binop(context, operator, left, right)
        return weighed(result) if isinstance(result, list | tuple) else result

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(
                loop.iter, _COUNTED, [], [], None, None, lineno=loop.lineno, environment=self
            )
        return tree


_COUNTED: Final = " counted"


@pass_context
def _counted(context: Context, items: Iterable[Any]) -> Iterator[Any]:
    """Yield *items*, one step each."""
    budget = _budget(context)
    for item in items:
        budget.tick()
        yield item


def _limited(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter *function* with its check in front."""
    kind = _PassArg.from_obj(function)
    check = _GUARDS.get(name)

    @pass_context
    def limited(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        _budget(context).tick()
        if check is not None:
            check(value, args, kwargs)
        if kind is _PassArg.context:
            return function(context, value, *args, **kwargs)
        if kind is _PassArg.eval_context:
            return function(context.eval_ctx, value, *args, **kwargs)
        if kind is _PassArg.environment:
            return function(context.environment, value, *args, **kwargs)
        return function(value, *args, **kwargs)

    return limited


def _format_number(value: Any, pattern: str) -> str:
    """Put the number *value* into *pattern*, as in ``"%.2f"``."""
    _check_format(pattern)
    return pattern % float(value)


def _check_format(pattern: str) -> None:
    if "*" in pattern or "{}" in pattern.partition(":")[2]:
        raise BadRequest("a format may not take its width from a value")
    _bound_widths(int(digits) for digits in re.findall(r"\d{1,9}", pattern))


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


def _check_modulo(left: Any, right: Any) -> None:
    if isinstance(left, str):
        _check_format(left)
        values = right if isinstance(right, tuple) else (right,)
        bound_text(len(left) + left.count("%") * max(len(soft_str(value)) for value in values))


_BINARY: Final[Mapping[str, Callable[[Any, Any], None]]] = {
    "+": _check_sum,
    "*": _check_product,
    "**": _check_power,
    "%": _check_modulo,
}


def _check_widths(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    given = (*args, *kwargs.values())
    _bound_widths(given)
    # A filling is put in many times over: it has to be small itself.
    if any(isinstance(each, dict | list | tuple) or len(str(each)) > 100 for each in given):
        raise TooLarge("a filling in a template may not exceed 100 characters")


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
    if isinstance(precision, int) and abs(precision) > 100:
        raise TooLarge("a number is rounded to at most 100 digits")


def _check_default(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if any(isinstance(each, dict | list | tuple) for each in (*args, *kwargs.values())):
        raise BadRequest("`map` takes only plain values as arguments")


#: What a filter, or a method of a text, has to pass before it runs; by name.
_GUARDS: Final[Mapping[str, Callable[[Any, tuple[Any, ...], dict[str, Any]], None]]] = {
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
