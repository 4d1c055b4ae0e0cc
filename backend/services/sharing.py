"""Sharing a run: a link for whoever gets it, as long as the run's owner likes."""

from collections.abc import Callable

from backend.core.errors import NotFound
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.sharing import SharedRun, Shares


class SharingService:
    """Shared runs of all users."""

    def __init__(self, *, shares: Shares, new_token: Callable[[], str], base_url: str) -> None:
        """
        Share runs at ``base_url/share/token``.

        Args:
            new_token: Returns a UUID that nobody can guess; ids will not do, they follow the clock.
        """
        self._shares = shares
        self._new_token = new_token
        self._base_url = base_url

    async def share(
        self, user_id: UserId, graph_id: GraphId, run_id: ExecutionId
    ) -> tuple[str, str]:
        """Share a run by a new link; an older one shows nothing from now on. Return link, token."""
        token = self._new_token()
        if not await self._shares.of(user_id).share(graph_id, run_id, token):
            raise _unknown(run_id)
        return f"{self._base_url}/share/{token}", token

    async def unshare(self, user_id: UserId, graph_id: GraphId, run_id: ExecutionId) -> None:
        """Share a run no more."""
        if not await self._shares.of(user_id).unshare(graph_id, run_id):
            raise _unknown(run_id)

    async def shared(self, token: str) -> SharedRun:
        """Return what *token* shows, to anybody."""
        found = await self._shares.shared(token)
        if found is None:
            raise NotFound("There is nothing shared at this address, or not any more.")
        return found


def _unknown(run_id: ExecutionId) -> NotFound:
    return NotFound(f"Graph execution #{run_id} not found.")
