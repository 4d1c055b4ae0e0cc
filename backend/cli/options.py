"""`--json`, the same for all commands: one JSON document on standard output, or one a line."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

T = TypeVar("T")


class FiniteRange(click.FloatRange):
    """A number within a range; "nan" and "inf", which are numbers to Python, are none."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number, or say that it is none."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number


#: Fewer things are done before a bar could be read.
_LONG_WORK: Final = 20

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, for programs."
)
#: For what prints JSON anyway, so that programs need not know which commands do.
json_anyway_option = click.option(
    "--json", is_flag=True, expose_value=False, help="For programs; it prints JSON in any case."
)


def print_json(found: Any) -> None:
    """Print *found* as one JSON document on a line of its own, always in UTF-8."""
    text = json.dumps(found, ensure_ascii=False)
    # Who reads it line by line may take these for ends of lines.
    for end in ("\x85", "\u2028", "\u2029"):
        text = text.replace(end, f"\\u{ord(end):04x}")
    # The name of a file may hold what is no text.
    click.echo(text.encode("utf-8", "replace"))


@contextmanager
def bar_for(things: Iterable[T], count: int, label: str) -> Iterator[Iterable[T]]:
    """Give *things* to walk, with a bar where they are many and somebody looks at it."""
    # Where results come to the same terminal, they show how far it is.
    if count < _LONG_WORK or not sys.stderr.isatty() or sys.stdout.isatty():
        yield things
        return
    with click.progressbar(things, length=count, label=label, file=sys.stderr) as bar:
        yield bar
