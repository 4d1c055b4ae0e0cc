"""What is kept with the webhook of a trigger that this server watches: checked when it is set up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.core.catalog import Catalog
from backend.core.errors import BadRequest
from backend.core.graph import Graph
from backend.core.graph_schema import credentials_masks
from backend.core.ids import CredentialsId, UserId
from backend.core.triggers import PAYLOAD, Trigger
from backend.core.watch_settings import read_settings
from backend.core.watches import WATCHED, WatchKind
from backend.ports.credentials import CredentialsStore
from backend.ports.watches import Watches


@dataclass(frozen=True, kw_only=True)
class WatchConfig:
    """Values by pin of the trigger, and with whose credentials it is looked."""

    values: Mapping[str, Any]
    credentials_id: str = ""


class WatchConfigs:
    """
    Reads them.

    Args:
        least_s: Others' servers are not asked more often (MIN_POLL_INTERVAL_S).
        most: Watches of one user (MAX_WATCHES_PER_USER).
        has_folders: Whether drop folders are watched here (FILE_DROP).
    """

    def __init__(
        self,
        *,
        watches: Watches,
        credentials: CredentialsStore,
        catalog: Catalog,
        least_s: float,
        most: int,
        has_folders: bool,
    ) -> None:
        self._watches = watches
        self._credentials = credentials
        self._catalog = catalog
        self._least_s = least_s
        self._most = most
        self._has_folders = has_folders

    async def require_room(self, user_id: UserId) -> None:
        """Raise BadRequest if *user_id* has as many watches as there may be."""
        if await self._watches.count(user_id) >= self._most:
            raise BadRequest(
                f"there are {self._most} watched triggers already; delete some first "
                "(setting MAX_WATCHES_PER_USER)"
            )

    async def of(
        self,
        user_id: UserId,
        graph: Graph,
        trigger: Trigger,
        *,
        inputs: Mapping[str, Any],
        credentials: Mapping[str, Any],
    ) -> WatchConfig:
        """
        Return what is kept with the webhook of *trigger*, a node of *graph*.

        Args:
            inputs: The preset's; they stand before the node's own values.
            credentials: The preset's, by the names of the graph's credentials schema.

        Raises:
            BadRequest: If something is missing or cannot be; says what, and how to mend it.
        """
        assert trigger.block.webhook is not None
        kind = WatchKind(trigger.block.webhook.provider)
        [node] = [one for one in graph.nodes if one.id == trigger.node_id]
        given = {**node.input_default, **trigger.mask(inputs)}
        values = {pin: given[pin] for pin in trigger.pins if pin in given and pin != PAYLOAD}
        read_settings(kind, values, least_s=self._least_s)
        if kind is WatchKind.FOLDER and not self._has_folders:
            raise BadRequest("no folders are watched here: an operator can set FILE_DROP=true")
        if not trigger.block.credentials:
            return WatchConfig(values=values)
        masks = credentials_masks(graph, self._catalog, credentials)
        [pin] = trigger.block.credentials
        reference = {**node.input_default, **masks.get(node.id, {})}.get(pin)
        return WatchConfig(values=values, credentials_id=await self._lent(user_id, kind, reference))

    async def _lent(self, user_id: UserId, kind: WatchKind, reference: Any) -> str:
        found = str(reference.get("id") or "") if isinstance(reference, Mapping) else ""
        if not found:
            raise BadRequest(
                f"the trigger needs credentials of the provider {kind.value!r}, a user name with "
                "its password: keep them, and name them in agent_credentials"
            )
        record = await self._credentials.of(user_id).get(CredentialsId(found))
        if record is None or record.provider != kind.value:
            raise BadRequest(f"Unknown credentials #{found[:200]} of {kind.value!r}.")
        return record.id


def is_watched(trigger: Trigger | None) -> bool:
    """Say whether this server itself looks for what starts *trigger*."""
    webhook = trigger.block.webhook if trigger is not None else None
    return webhook is not None and webhook.provider in WATCHED
