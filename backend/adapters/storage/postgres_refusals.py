"""Why PostgreSQL cannot be used, in one line, and which reasons no waiting mends."""

from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.exc import DBAPIError

from backend.core.errors import CannotStart

#: Its library has no codes for what goes wrong before a session begins.
_REFUSALS: Final = ("certificate", "SSL", "sslmode", "private key file")
_UNREADABLE: Final = (
    "no address of PostgreSQL; in a name or a password, ? is written %3F, @ %40 and / %2F"
)
_NOT_SIGNED: Final = "certificate verify failed"


def check_parameters(url: str) -> None:
    """
    Refuse an address whose parameters are not PostgreSQL's.

    Args:
        url: Begins with postgresql://, or postgres://.

    Raises:
        CannotStart: Says which parameter, and nothing else of *url*, which may hold a password.
    """
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError as exc:
        # Behind a sign of a password that should have been escaped, its rest is a parameter.
        reason = _UNREADABLE if "@" in url.partition("?")[2] else _line(exc)
        raise CannotStart(f"DATABASE_URL: {reason}") from None


def why(error: DBAPIError) -> str:
    """Return what is wrong, in one line, in PostgreSQL's words; they hold no password."""
    reason = _line(error.orig)
    if _NOT_SIGNED in reason:
        return f"{reason}; sslrootcert in DATABASE_URL is the file of who signed the server's"
    return reason


def is_refusal(error: DBAPIError) -> bool:
    """Say whether a connection was not made because it cannot be trusted, or we are not."""
    is_session = bool(getattr(error.orig, "sqlstate", None))
    return not is_session and any(word in str(error.orig) for word in _REFUSALS)


def _line(error: BaseException | None) -> str:
    """Return the first line of a message; libpq goes on with advice, and what led to it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
