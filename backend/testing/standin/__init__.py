"""Services of others, played on this machine: real HTTP on loopback, for tests of what calls them.

    with StandIn() as services:
        context = services.context(GuardedWebClient())
        services.next("jina", LIMITED)          # once, instead of what it would answer
        ...
        assert services.asked[-1].path == "/s/cats"

Each service is a `Play` in a module of this package, listed in `plays`. It answers as the real one
does to what our blocks ask, and refuses a key that is not `KEY` as the real one would.
"""

from backend.testing.standin.messages import (
    BROKEN,
    GARBAGE,
    KEY,
    LIMITED,
    Asked,
    Play,
    Reply,
    html,
    text,
)
from backend.testing.standin.server import StandIn

__all__ = [
    "BROKEN",
    "GARBAGE",
    "KEY",
    "LIMITED",
    "Asked",
    "Play",
    "Reply",
    "StandIn",
    "html",
    "text",
]
