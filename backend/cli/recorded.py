"""What the command line itself changes goes into the audit log, under the account that runs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def recorded(verb: str, kind: str, object_id: str = "", *, user: str = "") -> Iterator[None]:
    """
    Let what is changed inside have its row in the audit log, in the transaction of the change.

    Args:
        user: Whose things are changed, where they are somebody's.
    """
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.core.audit import Actor, By  # noqa: PLC0415 -- the same
    from backend.ports.audit import Recording, under  # noqa: PLC0415 -- the same

    made = Recording(
        at_us=SystemClock().now_us(),
        actor=Actor(who=account(), by=By.CLI, acting_for=user),
        verb=verb,
        kind=kind,
        object_id=object_id,
    )
    with under(made):
        yield


def account() -> str:
    """Return the name of the machine's account that runs this; its number where it has none."""
    import pwd  # noqa: PLC0415 -- POSIX-only

    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
