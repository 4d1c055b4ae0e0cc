"""The audit log: records what people and keys change and which secrets they read; shows it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from backend.core.audit import Actor, AuditEntry, By, ChainBreak, Fact, Head, Outcome
from backend.core.errors import LoginRefused, NotAllowed
from backend.ports.audit import (
    Audited,
    AuditLog,
    AuditQuery,
    Recording,
    add_facts,
    name_actor,
    name_object,
    reveal,
    under,
)
from backend.ports.clock import Clock
from backend.services.bounded import BoundedCache

__all__ = [
    "MAX_PAGE",
    "SECRET_READ",
    "AuditQuery",
    "AuditService",
    "Audited",
    "By",
    "Recording",
    "add_facts",
    "name_actor",
    "name_object",
    "reveal",
]

SECRET_READ: Final = "read_secret"  # noqa: S105 - a verb
MAX_PAGE: Final = 500
#: What was recorded a moment ago and need not be again.
_REMEMBERED: Final = 10_000
#: Of the same refusals to the same one, one is recorded in so many seconds.
_REFUSED_AGAIN_S: Final = 60.0


class AuditService:
    """Records; see backend.ports.audit for how a change gets its row in its own transaction."""

    def __init__(self, *, log: AuditLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._recent: BoundedCache[tuple[str, ...], float] = BoundedCache(_REMEMBERED)

    @asynccontextmanager
    async def recording(
        self,
        actor: Actor,
        verb: str,
        kind: str,
        object_id: str = "",
        facts: Mapping[str, Fact] | None = None,
        *,
        always: bool = False,
    ) -> AsyncIterator[Recording]:
        """
        Record what is done inside.

        The row is written with the first change in storage; with *always*, where there was none,
        when the inside has ended well. A refusal is recorded, and a failure after a change; other
        errors changed nothing. With an empty *verb* only secrets that are revealed are recorded.
        What cannot be recorded raises Unavailable: nothing goes unseen.
        """
        made = Recording(
            at_us=self._clock.now_us(),
            actor=actor,
            verb=verb,
            kind=kind,
            object_id=object_id,
            facts=dict(facts or {}),
            always=always,
        )
        with under(made):
            try:
                yield made
            except (NotAllowed, LoginRefused):
                await self._refused(made)
                raise
            except Exception:
                if made.is_saved:
                    await self._log.append(made.entry(Outcome.FAILED))
                raise
            if made.is_wanted and made.always:
                await self._log.append(made.entry())
            await self._revealed(made)

    async def record(
        self,
        actor: Actor,
        verb: str,
        kind: str,
        object_id: str = "",
        *,
        outcome: Outcome = Outcome.DONE,
        **facts: Fact,
    ) -> None:
        """Record something by itself: what is no request, or was refused before it became one."""
        await self._log.append(
            AuditEntry(
                at_us=self._clock.now_us(),
                actor=actor,
                verb=verb,
                kind=kind,
                object_id=object_id,
                outcome=outcome,
                facts=facts,
            )
        )

    async def listed(self, wanted: AuditQuery) -> list[Audited]:
        """Return the newest rows that match, newest first."""
        return await self._log.listed(wanted)

    async def verify(self, kept: Head | None = None) -> list[ChainBreak]:
        """Return where the chain does not hold; see AuditLog."""
        return await self._log.verify(kept)

    async def _refused(self, made: Recording) -> None:
        actor = made.actor
        # Who is refused again and again must not fill the disk with it.
        whom = str(made.facts.get("user", ""))
        same = (actor.who, actor.by_id, actor.acting_for, made.verb, made.kind, whom, actor.address)
        if made.verb and self._is_news(same, _REFUSED_AGAIN_S):
            await self._log.append(made.entry(Outcome.REFUSED))

    async def _revealed(self, made: Recording) -> None:
        actor = made.actor
        for (kind, object_id), again_after_s in made.revealed.items():
            same = (SECRET_READ, actor.who, actor.by_id, actor.acting_for, kind, object_id)
            if again_after_s and not self._is_news(same, again_after_s):
                continue
            await self.record(actor, SECRET_READ, kind, object_id)

    def _is_news(self, same: tuple[str, ...], within_s: float) -> bool:
        now_s = self._clock.monotonic_s()
        last_s = self._recent.get(same)
        if last_s is not None and now_s - last_s < within_s:
            return False
        self._recent.put(same, now_s)
        return True
