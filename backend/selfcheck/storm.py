"""Does to the private servers what the plan says, at the moments that it says, and notes when."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Final

from backend.core import json
from backend.selfcheck.history import Interruption, now_us
from backend.selfcheck.outside import Outside
from backend.selfcheck.plan import EXECUTOR, Strike, StrikePlan, Trigger
from backend.selfcheck.processes import until
from backend.selfcheck.server import ORPHAN_LIMIT_S
from backend.selfcheck.site import Site, parted
from backend.selfcheck.witness import Witness
from backend.util.identity import Identity, send_signal, wait_until_gone

#: A moment that does not come is not waited for: when all is down nobody commits.
_TRIGGER_LIMIT_S: Final = 2.0
_VICTIM_LIMIT_S: Final = 15.0
_DEATH_LIMIT_S: Final = 10.0
#: So long, on a busy machine, an executor whose connection was cut may be taken for dead.
_UNSEEN_US: Final = 5_000_000


class Storm:
    """
    Strikes one server, or a cluster.

    Attributes:
        struck: How many strikes of each kind.
        killed: How many processes were killed, by name.
        interruptions: When executors died, or lost what they had in hand.
        takeovers_s: How long it took until others had the runs of a frozen executor.
        surprises: What the server did without being told.
    """

    def __init__(self, site: Site, witness: Witness, outside: Outside) -> None:
        """Prepare to strike *site*."""
        self.struck: Counter[Strike] = Counter()
        self.triggers: Counter[Trigger] = Counter()
        self.killed: Counter[str] = Counter()
        self.interruptions: list[Interruption] = []
        self.surprises: list[str] = []
        self.takeovers_s: list[float] = []
        self._site = site
        self._witness = witness
        self._outside = outside
        self._pause = threading.Event()
        self._triggers: dict[Trigger, Callable[[int], bool]] = {
            Trigger.TIME: lambda _: True,
            Trigger.COMMIT: lambda n: witness.wait_for_commits(n, limit_s=_TRIGGER_LIMIT_S),
            Trigger.CALL: lambda n: outside.wait_for_calls(n, limit_s=_TRIGGER_LIMIT_S),
            Trigger.ANSWER: lambda n: outside.wait_for_answers(n, limit_s=_TRIGGER_LIMIT_S),
        }

    def run(self, plans: Iterable[StrikePlan], struck: Callable[[StrikePlan], None]) -> None:
        """
        Strike after strike; after each, tell *struck*.

        Raises:
            CannotStart: If the server does not come back.
        """
        for plan in plans:
            steps = _Steps()
            self._pause.wait(plan.pause_s)
            self._revive()
            steps.done("paused_s")
            victims = self._site.wait_for(plan.victims, limit_s=_VICTIM_LIMIT_S)
            missing = sorted(set(plan.victims) - victims.keys())
            if missing and not self._site.ended:
                names = ", ".join(missing)
                self.surprises.append(f"no process of {names} after {_VICTIM_LIMIT_S:.0f} seconds")
            steps.done("victims_s")
            hit = self._triggers[plan.trigger](plan.count)
            self.triggers[plan.trigger] += hit
            steps.done("moment_s")
            self._strike(plan, victims, steps)
            self._diary(plan, steps, hit=hit)
            self.struck[plan.strike] += 1
            struck(plan)

    def _revive(self) -> None:
        """Start a server that has ended by itself, and note that it has."""
        for one in self._site.ended:
            self.surprises.append(f"the {one.name} ended by itself: {one.last_words()}")
            one.start()

    def _diary(self, plan: StrikePlan, steps: "_Steps", *, hit: bool) -> None:
        """Write down what was done, and how long each part of it took: for who looks for a cause."""
        line = json.text({"at_us": now_us(), "hit": hit, **asdict(plan), **steps.took_s})
        with self._site.diary.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def _strike(self, plan: StrikePlan, victims: dict[str, Identity], steps: "_Steps") -> None:
        begin_us = now_us()
        match plan.strike:
            case Strike.PAUSE:
                self._pause_them(victims, plan.frozen_s)
            case Strike.FREEZE:
                self._freeze(plan, victims, begin_us)
            case Strike.SESSIONS:
                self._site.cut_sessions()
                self.interruptions.append(
                    Interruption(strike=plan.strike, begin_us=begin_us, end_us=now_us())
                )
            case Strike.CUT | Strike.SILENCE:
                self._strike_ways(plan, begin_us)
            case Strike.SUPERVISOR | Strike.EVERYTHING | Strike.MEMBER:
                self._end_members(plan, begin_us, steps)
            case _:
                doomed = self._kill(victims)
                if plan.hits_executor:
                    self._note(plan, begin_us, doomed, steps)

    def _freeze(self, plan: StrikePlan, victims: dict[str, Identity], begin_us: int) -> None:
        """Stop an executor with its supervisor until others have its runs; then it wakes up."""
        owners = self._site.owners(plan.members) or frozenset()
        supervisors = [self._site.members[number].supervisor() for number in plan.members]
        frozen = [*filter(None, supervisors), *victims.values()]
        for one in frozen:
            send_signal(one, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            had = self._witness.runs_of(owners)
            if not until(lambda: not self._witness.runs_of(owners), limit_s=plan.frozen_s):
                left = ", ".join(sorted(self._witness.runs_of(owners)))
                opened = "; ".join(self._witness.open_transactions())
                self.surprises.append(
                    f"after {plan.frozen_s:.0f} seconds nobody has the runs of a frozen executor:"
                    f" {left} (open transactions: {opened or 'none'})"
                )
            elif self._witness.have_moved(had, owners):  # not: they ended just before
                self.takeovers_s.append(time.monotonic() - begun)
        finally:
            for one in reversed(frozen):
                send_signal(one, signal.SIGCONT)
        self.interruptions.append(
            Interruption(
                strike=plan.strike, begin_us=begin_us, end_us=now_us(), owners=owners, woke=True
            )
        )

    def _strike_ways(self, plan: StrikePlan, begin_us: int) -> None:
        """Cut a member's connections, or let nothing through; whoever had its runs may lose them."""
        if plan.strike is Strike.CUT:
            self._site.cut(plan.members)
        else:
            self._site.silence(plan.members, silent=True)
            try:
                self._pause.wait(plan.frozen_s)
            finally:
                self._site.silence(plan.members, silent=False)
        if EXECUTOR in self._site.members[plan.members[0]].services:
            # It went on meanwhile; others may take its runs until it has shown itself again.
            self.interruptions.append(
                Interruption(
                    strike=plan.strike,
                    begin_us=begin_us,
                    end_us=now_us() + _UNSEEN_US,
                    owners=self._site.owners(plan.members),
                )
            )

    def _pause_them(self, victims: dict[str, Identity], frozen_s: float) -> None:
        for one in victims.values():
            send_signal(one, signal.SIGSTOP)
        try:
            self._pause.wait(frozen_s)
        finally:
            for one in victims.values():
                send_signal(one, signal.SIGCONT)

    def _kill(self, victims: dict[str, Identity]) -> list[Identity]:
        doomed = []
        for name, one in victims.items():
            if send_signal(one, signal.SIGKILL):
                self.killed[parted(name)[0]] += 1
                doomed.append(one)
        return doomed

    def _end_members(self, plan: StrikePlan, begin_us: int, steps: "_Steps") -> None:
        members = [self._site.members[number] for number in plan.members]
        supervisors = [one for member in members if (one := member.supervisor()) is not None]
        family = [one for member in members for one in member.everybody()]
        for one in supervisors:
            self._kill({"supervisor": one})
        if plan.strike is not Strike.SUPERVISOR:
            for one in family:
                if one not in supervisors and send_signal(one, signal.SIGKILL):
                    self.killed["with the supervisor"] += 1
        self._note(plan, begin_us, family, steps)
        left = wait_until_gone(family, limit_s=0)
        if left:
            pids = ", ".join(str(one.pid) for one in left)
            self.surprises.append(
                f"{ORPHAN_LIMIT_S:.0f} seconds after its supervisor was killed, {pids} still ran"
            )
        self._pause.wait(plan.away_s)
        self._site.start_again(plan.members)
        steps.done("start_s")

    def _note(
        self, plan: StrikePlan, begin_us: int, doomed: list[Identity], steps: "_Steps"
    ) -> None:
        """Wait until they are gone, and note what was committed by then."""
        wait_until_gone(doomed, limit_s=ORPHAN_LIMIT_S if plan.ends_server else _DEATH_LIMIT_S)
        end_us = now_us()
        owners = self._site.owners(plan.members if plan.ends_server else plan.struck_executors)
        self.interruptions.append(
            Interruption(strike=plan.strike, begin_us=begin_us, end_us=end_us, owners=owners)
        )
        steps.done("death_s")
        self._witness.look()
        self._witness.interrupted(begin_us, owners)
        steps.done("look_s")


class _Steps:
    """How long each part of a strike took, in seconds."""

    def __init__(self) -> None:
        self.took_s: dict[str, float] = {}
        self._last = time.monotonic()

    def done(self, name: str) -> None:
        now = time.monotonic()
        self.took_s[name] = round(now - self._last, 3)
        self._last = now
