"""The names of time zones, from the package that carries their rules."""

from functools import cache
from importlib.resources import files

#: In the list, and no place on earth.
_NOT_A_ZONE = "Factory"


@cache
def known_timezones() -> tuple[str, ...]:
    """Return all IANA names, sorted. Read from a file once."""
    names = files("tzdata").joinpath("zones").read_text("utf-8").split()
    return tuple(sorted(name for name in names if name != _NOT_A_ZONE))


def is_timezone(name: str) -> bool:
    """Say whether *name* is an IANA name, letter by letter."""
    return name in known_timezones()
