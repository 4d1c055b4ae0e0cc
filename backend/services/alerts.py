"""Alerts on agents: what their owners are told of, beside what they see. Judging is the scheduler's."""

from dataclasses import dataclass, replace
from typing import Final

from backend.core.alerts import COUNTED, AlertKind, AlertRule
from backend.core.errors import BadRequest, Conflict, NotFound
from backend.core.ids import GraphId, UserId
from backend.ports.alerts import AgentAlerts
from backend.ports.clock import Clock

#: Of one agent. More would tell the same thing many times.
MAX_ALERTS: Final = 20
#: The judge may change a rule between reading and writing; not often.
_TRIES: Final = 5


@dataclass(frozen=True, kw_only=True)
class AlertChange:
    """What an owner changes of a rule; None leaves it as it is."""

    threshold: int | None = None
    names_block: bool | None = None
    is_active: bool | None = None


class AlertService:
    """Alerts of all users; every method names the user whose they are."""

    def __init__(self, *, alerts: AgentAlerts, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock

    async def add(
        self,
        user_id: UserId,
        graph_id: GraphId,
        kind: AlertKind,
        *,
        threshold: int | None = None,
        names_block: bool = False,
    ) -> AlertRule:
        """
        Save a rule of an agent and return it; it counts from now on.

        Raises:
            NotFound: If there is no such graph.
            BadRequest: If the threshold cannot be, or is missing where the kind counts something,
                or there are too many rules.
        """
        if threshold is None and kind in COUNTED:
            raise BadRequest(f"a rule of kind {kind} needs a threshold, in {COUNTED[kind]}")
        now_us = self._clock.now_us()
        rule = AlertRule(
            id=self._clock.new_id(),
            user_id=user_id,
            graph_id=graph_id,
            kind=kind,
            threshold=1 if threshold is None else threshold,
            names_block=names_block,
            created_us=now_us,
            since_us=now_us,
        )
        await self._alerts.add(_checked(rule), most=MAX_ALERTS)
        return rule

    async def listed(self, user_id: UserId, graph_id: GraphId) -> list[AlertRule]:
        """Return the rules of an agent and how they stand; of one that is not there, none."""
        return await self._alerts.listed(user_id, graph_id)

    async def get(self, user_id: UserId, graph_id: GraphId, alert_id: str) -> AlertRule:
        """Return a rule and how it stands."""
        found = await self._alerts.get(user_id, graph_id, alert_id)
        if found is None:
            raise NotFound(f"Alert #{alert_id} not found.")
        return found

    async def change(
        self, user_id: UserId, graph_id: GraphId, alert_id: str, change: AlertChange
    ) -> AlertRule:
        """
        Change a rule and return it; it counts anew from now on, how often it came true stays.

        Raises:
            NotFound: If there is no such rule.
            BadRequest: If the threshold cannot be.
            Conflict: If others change it again and again.
        """
        told = {name: value for name, value in vars(change).items() if value is not None}
        for _ in range(_TRIES):
            before = await self.get(user_id, graph_id, alert_id)
            anew = replace(before, streak=0, silence_us=None, since_us=self._clock.now_us())
            after = _checked(replace(anew, **told))
            if await self._alerts.change(after):
                return replace(after, revision=before.revision + 1)
        raise Conflict("the alert is being changed by others; try again")

    async def remove(self, user_id: UserId, graph_id: GraphId, alert_id: str) -> None:
        """Delete a rule; what it has told stays told."""
        if not await self._alerts.remove(user_id, graph_id, alert_id):
            raise NotFound(f"Alert #{alert_id} not found.")


def _checked(rule: AlertRule) -> AlertRule:
    problem = rule.problem()
    if problem is not None:
        raise BadRequest(problem)
    return rule
