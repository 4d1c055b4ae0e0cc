"""How many files and sockets the services may have open at once: as many as they are allowed."""

from typing import Final

from backend.core.errors import CannotStart

#: What thousands of sockets need, with files beside them. More would only cost memory.
WANTED: Final = 65_536
#: Below this, a busy hour ends in refused connections.
NEEDED: Final = 1_024


def raise_open_files() -> int:
    """
    Raise this process's limit, which its children inherit, and return what it is now.

    Raises:
        CannotStart: If the limit that only the operator can move is too low to serve anybody.
    """
    import resource  # noqa: PLC0415 -- there is none where no server runs

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if allowed < NEEDED:
        raise CannotStart(
            f"This session may have {allowed} files open at once, and the server needs {NEEDED}: "
            f"raise the limit, as with `ulimit -Hn {WANTED}`, or LimitNOFILE= of the unit."
        )
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        return allowed
    return soft
