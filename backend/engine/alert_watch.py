"""Judges runs that have ended by the alerts on their agents, beside the executor and never in it.

The cursor, how rules stand and the notices are one transaction: whatever is killed, a run is judged
once. What is committed with an earlier end than others that were judged is found by looking back.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from backend.core import notices
from backend.core.alerts import Alarm, AlertRule, FailedStep, judge, judge_silence
from backend.core.errors import AgentServerError
from backend.core.records import NoticeRecord
from backend.ports.alerts import AlertLooks, Judged, Look
from backend.ports.clock import Clock

log = structlog.get_logger()

LOOK_S: Final = 2.0
#: How far back each look goes; an executor commits an end at once, or after some tries.
NEAR_US: Final = 60 * 1_000_000
#: How far back one look in `_FAR_EACH` goes: for ends that came late, or by a clock set back.
FAR_US: Final = 2 * 3600 * 1_000_000
_FAR_EACH: Final = 150
_AT_ONCE: Final = 200


class AlertWatch:
    """See the module. `serve` must run."""

    def __init__(
        self,
        alerts: AlertLooks,
        clock: Clock,
        *,
        block_name: Callable[[str], str],
        link: Callable[[str, str], str] = lambda _graph, _run: "",
    ) -> None:
        """
        Judge what *alerts* shows.

        Args:
            block_name: Returns the name of a block by its id.
            link: Returns where a graph's run is shown; empty: nowhere.
        """
        self._alerts = alerts
        self._clock = clock
        self._block_name = block_name
        self._link = link
        self._looks = 0
        self.fired = 0
        self.judged = 0

    async def serve(self) -> None:
        """Judge, until cancelled."""
        while True:
            try:
                await self.look(is_far=self._looks % _FAR_EACH == 0)
            except AgentServerError as exc:
                log.warning("alerts_wait", error=str(exc))
            self._looks += 1
            await asyncio.sleep(LOOK_S)

    async def look(self, *, is_far: bool = False) -> int:
        """Judge what has ended; return how many alarms there were."""
        told = 0
        while True:
            now_us = self._clock.now_us()
            seen = await self._alerts.look(
                now_us=now_us, back_us=FAR_US if is_far else NEAR_US, limit=_AT_ONCE
            )
            is_full = len(seen.runs) == _AT_ONCE
            if not self._is_worth_saving(seen, now_us):
                return told
            judged, count = await self._judged(seen, now_us, is_full=is_full)
            if not await self._alerts.save(judged):
                return told  # somebody else was quicker, or a rule changed: the next look sees it
            told += count
            self.fired += count
            self.judged += len(seen.runs)
            if not is_full:
                return told

    def _is_worth_saving(self, seen: Look, now_us: int) -> bool:
        if seen.runs or seen.silent:
            return True
        # The cursor moves now and then all the same: what is behind it need not be read again.
        return seen.has_rules and (seen.cursor_us is None or abs(now_us - seen.cursor_us) > NEAR_US)

    async def _judged(self, seen: Look, now_us: int, *, is_full: bool) -> tuple[Judged, int]:
        before = {rule.id: rule for rule in seen.rules}
        after = dict(before)
        alarms: list[Alarm] = []
        for run in seen.runs:
            for rule in _rules_for(seen.rules, run.user_id, run.graph_id):
                after[rule.id], alarm = judge(after[rule.id], run, now_us=now_us)
                if alarm is not None:
                    alarms.append(alarm)
        made = [await self._notice(alarm, now_us) for alarm in alarms]
        for rule, agent_name, last_us in seen.silent:
            before.setdefault(rule.id, rule)
            known = after.get(rule.id, rule)
            after[rule.id], alarm = judge_silence(known, last_run_us=last_us, now_us=now_us)
            if alarm is not None:
                alarms.append(alarm)
                made.append(_failed(alarm, self._about(alarm, agent_name, now_us)))
        judged = Judged(
            look=seen,
            rules=[rule for rule in after.values() if rule != before[rule.id]],
            notices=made,
            cursor_us=seen.runs[-1].ended_us if is_full else now_us,
            forget_before_us=now_us - 2 * FAR_US,
        )
        return judged, len(alarms)

    async def _notice(self, alarm: Alarm, now_us: int) -> NoticeRecord:
        assert alarm.run is not None
        about = self._about(alarm, alarm.run.agent_name, now_us)
        step: FailedStep | None = None
        if alarm.rule.names_block:
            step = alarm.run.broken_step or await self._alerts.failed_step(alarm.run.id)
        if step is None:
            return _failed(alarm, about)
        return notices.block_failed(
            about,
            key=alarm.key,
            block_name=self._block_name(step.block_id),
            node_id=step.node_id,
            error=step.error or alarm.said,
        )

    def _about(self, alarm: Alarm, agent_name: str, now_us: int) -> notices.About:
        rule, run_id = alarm.rule, "" if alarm.run is None else alarm.run.id
        return notices.About(
            user_id=rule.user_id,
            agent_name=agent_name,
            graph_id=rule.graph_id,
            now_us=now_us,
            run_id=run_id,
            link=self._link(rule.graph_id, run_id),
        )


def _failed(alarm: Alarm, about: notices.About) -> NoticeRecord:
    return notices.agent_failed(
        about, key=alarm.key, rule=alarm.rule.words(), error=alarm.said, count=alarm.count
    )


def _rules_for(rules: Sequence[AlertRule], user_id: str, graph_id: str) -> list[AlertRule]:
    return [rule for rule in rules if rule.user_id == user_id and rule.graph_id == graph_id]
