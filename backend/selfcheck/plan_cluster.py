"""What a check is going to do to a cluster, drawn from its seed."""

import random
from collections.abc import Iterator
from typing import Final

from backend.selfcheck.plan import (
    AT,
    EXECUTOR,
    LIFE_KILLS,
    SERVICES,
    Strike,
    StrikePlan,
    Trigger,
    weighted,
)

#: The services of each member: a whole server, and machines with one service.
MEMBERS: Final = (SERVICES, (EXECUTOR,), (EXECUTOR,), ("AgentServer",), ("WebsocketServer",))
#: Who is asked whether a member lives takes up to 24 s to miss a frozen one, and must see it twice;
#: where cores are busy with other things, longer. How long it took is in the report.
FROZEN_S: Final = 60.0

#: A freeze takes half a minute, so it is rare.
_STRIKES: Final = {
    Strike.SERVICE: 48,
    Strike.SEVERAL: 14,
    Strike.SERVICES: 5,
    Strike.SUPERVISOR: 5,
    Strike.MEMBER: 10,
    Strike.EVERYTHING: 3,
    Strike.SESSIONS: 8,
    Strike.PAUSE: 5,
    Strike.FREEZE: 2,
    Strike.CUT: 8,
    Strike.SILENCE: 4,
}
_TRIGGERS: Final = {Trigger.COMMIT: 45, Trigger.CALL: 20, Trigger.ANSWER: 20, Trigger.TIME: 15}
_EXECUTORS: Final = tuple(number for number, names in enumerate(MEMBERS) if EXECUTOR in names)
_LONGEST_AWAY_S: Final = 3.0
#: Short of what the broker takes for death: the member goes on with what it has.
_LONGEST_SILENCE_S: Final = 6.0
_WEIGHTS: Final = {EXECUTOR: 8, "AgentServer": 3}


def at(service: str, member: int) -> str:
    """Return the name of a service of a member."""
    return f"{service}{AT}{member}" if member else service


_ALL: Final = tuple(at(name, number) for number, names in enumerate(MEMBERS) for name in names)
_VICTIMS: Final = {name: _WEIGHTS.get(name.partition(AT)[0], 1) for name in _ALL}


def cluster_plans(seed: int, kills: int, *, pause_s: float) -> Iterator[StrikePlan]:
    """
    Yield all strikes of a check of a cluster: exactly *kills* that kill, and others between them.

    The first strikes that take long come early: a short check has them too.

    Args:
        pause_s: Mean time between two strikes.
    """
    choice = random.Random(f"{seed}/cluster")  # noqa: S311 -- a plan, no secret
    left = [choice.randint(*LIFE_KILLS) for _ in MEMBERS]
    freeze_at = choice.randint(2, 6)
    done = number = 0
    while done < kills:
        strike = Strike.FREEZE if number == freeze_at else weighted(choice, _STRIKES)
        plan = _plan(choice, number, strike, pause_s)
        tired = [member for member in _struck(plan) if left[member] == 0]
        if tired and not plan.ends_server:
            # A supervisor whose services died too often gives up, and that is its right.
            plan = _plan(choice, number, Strike.MEMBER, pause_s, member=tired[0])
        number += 1
        for member in _struck(plan):
            left[member] = choice.randint(*LIFE_KILLS) if plan.ends_server else left[member] - 1
        done += plan.kills
        yield plan


def _struck(plan: StrikePlan) -> list[int]:
    """Return the members of which something is killed."""
    if plan.ends_server:
        return list(plan.members)
    names = plan.victims if plan.kills else ()
    return sorted({int(name.partition(AT)[2] or 0) for name in names})


def _plan(
    choice: random.Random, number: int, strike: Strike, pause_s: float, *, member: int | None = None
) -> StrikePlan:
    at_executor = strike in (Strike.PAUSE, Strike.FREEZE)
    if member is None:
        member = choice.choice(_EXECUTORS[1:] if strike is Strike.FREEZE else range(len(MEMBERS)))
    if strike is Strike.PAUSE:
        member = choice.choice(_EXECUTORS)
    members: tuple[int, ...] = {
        Strike.EVERYTHING: tuple(range(len(MEMBERS))),
        Strike.MEMBER: (member,),
        Strike.SUPERVISOR: (member,),
        Strike.FREEZE: (member,),
        Strike.CUT: (member,),
        Strike.SILENCE: (member,),
    }.get(strike, ())
    return StrikePlan(
        number=number,
        strike=strike,
        victims=(at(EXECUTOR, member),) if at_executor else _victims(choice, strike),
        trigger=weighted(choice, _TRIGGERS),
        count=choice.randint(1, 5),
        pause_s=choice.uniform(0.2, 1.8) * pause_s,
        frozen_s=_frozen_s(choice, strike),
        members=members,
        away_s=choice.uniform(0, _LONGEST_AWAY_S) if strike is Strike.MEMBER else 0.0,
    )


def _frozen_s(choice: random.Random, strike: Strike) -> float:
    match strike:
        case Strike.PAUSE:
            return choice.uniform(0.5, 4.0)
        case Strike.SILENCE:
            return choice.uniform(0.5, _LONGEST_SILENCE_S)
        case Strike.FREEZE:
            return FROZEN_S
        case _:
            return 0.0


def _victims(choice: random.Random, strike: Strike) -> tuple[str, ...]:
    match strike:
        case Strike.SERVICE:
            return (weighted(choice, _VICTIMS),)
        case Strike.SEVERAL:
            return tuple(sorted(choice.sample(_ALL, choice.randint(2, 3))))
        case Strike.SERVICES:
            return _ALL
        case _:
            return ()
