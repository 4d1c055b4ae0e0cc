"""Runs that are shown to whoever has their link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from backend.core.ids import ExecutionId, GraphId, UserId
from backend.core.status import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedRun:
    """
    What strangers see of a run, and all that they see.

    Attributes:
        graph_name: Empty when the graph is gone.
        outputs: By name of the output block.
    """

    id: ExecutionId
    graph_name: str
    graph_description: str
    status: Status
    created_us: int
    outputs: Mapping[str, list[Any]]


class UserShares(Protocol):
    """The links of one user's runs. Somebody else's run is answered like one that does not exist."""

    async def share(self, graph_id: GraphId, run_id: ExecutionId, token: str) -> bool:
        """Show a run of *graph_id* to whoever has *token*, and to nobody by an older link."""

    async def unshare(self, graph_id: GraphId, run_id: ExecutionId) -> bool:
        """Show it to nobody any more; False if there is no such run. Twice is harmless."""


class Shares(Protocol):
    """All of them."""

    def of(self, user_id: UserId) -> UserShares:
        """Return those of *user_id*."""

    async def shared(self, token: str) -> SharedRun | None:
        """
        Return the run that *token* shows; None if it shows none.

        Outputs over the adapter's limit, all together, are told of and not shown.
        """
