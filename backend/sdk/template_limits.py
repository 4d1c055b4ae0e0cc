"""What a template may cost: a Jinja environment in which every way to blow up has a bound.

Time: loops, calls and filters tick a budget of steps and a deadline. Memory: texts grow only by
operators, joins, captures and a few methods and filters, and each of these looks before it leaps.
Structures that hold the same thing many times over (a list of two of itself, thirty times) are
weighed when they are made.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import _PassArg
from markupsafe import soft_str

from backend.core.errors import BadRequest
from backend.sdk.template_guards import (
    BINARY,
    GUARDS,
    bound_text,
    check_fields,
    format_number,
    weighed,
)

#: The budget of one filling lies in its context, under a name that no template can write.
BUDGET: Final = " budget"

MAX_STEPS: Final = 200_000
MAX_SECONDS: Final = 2.0
_STEPS_PER_LOOK: Final = 50

_REMOVED_FILTERS: Final = ("pprint", "tojson", "urlize", "xmlattr")

#: All that templates may ask of plain values; what is missing here either changes or inflates.
_METHODS: Final[Mapping[type, frozenset[str]]] = {
    str: frozenset(
        [
            "capitalize",
            "casefold",
            "count",
            "endswith",
            "find",
            "format",
            "format_map",
            "index",
            "isalnum",
            "isalpha",
            "isascii",
            "isdecimal",
            "isdigit",
            "islower",
            "isnumeric",
            "isspace",
            "istitle",
            "isupper",
            "join",
            "lower",
            "lstrip",
            "partition",
            "removeprefix",
            "removesuffix",
            "replace",
            "rfind",
            "rindex",
            "rpartition",
            "rsplit",
            "rstrip",
            "split",
            "splitlines",
            "startswith",
            "strip",
            "swapcase",
            "title",
            "upper",
            "center",
            "ljust",
            "rjust",
            "zfill",
        ]
    ),
    dict: frozenset(["get", "items", "keys", "values", "copy"]),
    list: frozenset(["count", "index", "copy"]),
    tuple: frozenset(["count", "index"]),
    int: frozenset(["real", "imag", "bit_length", "is_integer", "numerator", "denominator"]),
    float: frozenset(["real", "imag", "is_integer"]),
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


class _Code(CodeGenerator):
    """Writes the looks before the leaps into the code of a template."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - the compiler's name
        """Join through `LimitedEnvironment.joined`."""
        escaped = "markup_join" if frame.eval_ctx.autoescape else "str_join"
        if frame.eval_ctx.volatile:
            escaped = "(markup_join if context.eval_ctx.volatile else str_join)"
        self.write(f"environment.joined({escaped}, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802 - the compiler's name
        """Weigh what is made."""
        self._weighed(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 - the compiler's name
        """Weigh what is made."""
        self._weighed(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802 - the compiler's name
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
        self.filters["format"] = format_number
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
        """Return the sandbox's own formatting, without widths and repetitions that inflate."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None
        pattern, formatted = value.__self__, wrapped

        def bounded(*args: Any, **kwargs: Any) -> str:
            check_fields(pattern, (*args, *kwargs.values()))
            return formatted(*args, **kwargs)

        return bounded

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call *obj*; of the methods of texts, those that inflate are checked first."""
        _budget(context).tick()
        owner = getattr(obj, "__self__", None)
        check = GUARDS.get(getattr(obj, "__name__", "")) if isinstance(owner, str) else None
        if check is not None:
            check(owner, args, kwargs)
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute ``left operator right``, of a bounded size."""
        BINARY[operator](left, right)
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
    check = GUARDS.get(name)

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
