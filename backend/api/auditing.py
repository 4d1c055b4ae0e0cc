"""What each route says of itself to the audit log, and the layer that records it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from fastapi import Request, Response

from backend.api.context import context_of
from backend.core.audit import Actor, By
from backend.services.users import Caller

READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSED: Final = 400


@dataclass(frozen=True, slots=True)
class Audited:
    """
    A change, or with an empty verb an answer that may show secrets (see services.audit.reveal).

    Attributes:
        verb: What is done: create, change, delete, …
        kind: To what kind of thing.
        object_id: The path's parameter that holds its id; empty: the change itself tells.
        facts: Further parameters of the path that are kept.
        always: What changes is not in storage, which would write the row with its change.
    """

    verb: str
    kind: str
    object_id: str = ""
    facts: tuple[str, ...] = ()
    always: bool = False


@dataclass(frozen=True, slots=True)
class NotAudited:
    """A route that changes something and is not in the audit log, and why."""

    because: str


#: An answer that may show secrets.
SHOWS_SECRETS: Final = Audited("", "")
#: Starts of runs.
RUNS: Final = NotAudited("runs are their own record")

Audit: TypeAlias = Audited | NotAudited
Handle: TypeAlias = Callable[[Request], Awaitable[Response]]


def declared(method: str, path: str, audit: Audit | None) -> Audited | None:
    """
    Return what is to be recorded for a route; None: nothing.

    Raises:
        TypeError: If it changes something and declares nothing.
    """
    if audit is None and method not in READS:
        raise TypeError(
            f"{method} {path} declares nothing for the audit log: give audit=Audited(…), or "
            "audit=NotAudited(…) with the reason"
        )
    return audit if isinstance(audit, Audited) else None


async def recorded(request: Request, audit: Audited, handle: Handle) -> Response:
    """Return the answer of *handle*, with what it did in the audit log before it leaves."""
    parameters = request.path_params
    facts = {name: str(parameters[name]) for name in audit.facts if name in parameters}
    object_id = str(parameters.get(audit.object_id, ""))
    service = context_of(request).audit
    actor = actor_of(request)
    async with service.recording(
        actor, audit.verb, audit.kind, object_id, facts, always=audit.always
    ) as made:
        response = await handle(request)
        # An endpoint that answers an error itself has changed nothing.
        made.always = made.always and response.status_code < _REFUSED
    return response


def actor_of(request: Request) -> Actor:
    """Return who sent *request*, as far as it is known by now."""
    caller: Caller | None = request.scope.get("caller")
    client, request_id = request.scope.get("client"), request.scope.get("request_id", "")
    address = client[0] if client else ""
    if caller is None:
        return Actor(who="", by=By.NOTHING, address=address, request_id=request_id)
    acts = caller.user_id != caller.token_user_id
    return Actor(
        who=caller.token_user_id,
        by=caller.by,
        by_id=caller.by_id,
        acting_for=caller.user_id if acts else "",
        address=address,
        request_id=request_id,
    )
