"""What a check is going to do, all of it drawn from its seed: which agents run, what is killed when."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")

EXECUTOR: Final = "ExecutionManager"
SERVICES: Final = (
    "DatabaseManager",
    "Scheduler",
    "NotificationManager",
    "WebsocketServer",
    "AgentServer",
    EXECUTOR,
)
#: Between a service and the number of its member, where there are several.
AT: Final = "@"
#: Kills in one life of the supervisor. At eleven deaths of one service within a minute it gives up,
#: and that is its right; long before, its back-off would make the check wait more than kill.
LIFE_KILLS: Final = (3, 7)
#: What a machine of two cores recovers from in time.
MOST_A_MINUTE: Final = 120


class Kind(StrEnum):
    """An agent that runs during a check."""

    TEXT = "text"  #: pure steps in a row
    STREAM = "stream"  #: one node yields many values, and each goes on
    LOOP = "loop"
    JOIN = "join"  #: a static value meets one that comes from outside
    EACH = "each"  #: keyed calls, several at once
    CHAIN = "chain"  #: keyed calls, one after the other
    PUT = "put"  #: idempotent calls, one after the other
    ONCE = "once"  #: calls that must happen at most once
    NESTED = "nested"  #: an agent that runs an agent
    REVIEW = "review"  #: waits for a person
    FAILING = "failing"  #: one node fails, the others go on


class Decision(StrEnum):
    """What the person answers where a run asks one."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"


class Strike(StrEnum):
    """What is done to the server at one moment."""

    SERVICE = "service"  #: one service is killed
    SEVERAL = "several"  #: two or three at once
    SERVICES = "all services"
    SUPERVISOR = "supervisor"  #: its services follow by themselves; then it is started again
    EVERYTHING = "everything"  #: supervisor and services at once, as when the power goes
    PAUSE = "pause"  #: SIGSTOP of the executor, and SIGCONT after some time; kills nobody
    # Only of a cluster:
    MEMBER = "member"  #: a member's supervisor and services at once, as when its power goes
    FREEZE = "freeze"  #: SIGSTOP of an executor and its supervisor until others have its runs
    SESSIONS = "sessions"  #: all sessions of the database are ended; kills nobody
    CUT = "cut"  #: a member's connections to both servers are cut; kills nobody
    SILENCE = "silence"  #: nothing comes through on them for a while, and nobody is told

    @property
    def kills(self) -> bool:
        """Whether it kills anybody."""
        return self not in _HARMLESS


_HARMLESS: Final = frozenset(
    {Strike.PAUSE, Strike.FREEZE, Strike.SESSIONS, Strike.CUT, Strike.SILENCE}
)


class Trigger(StrEnum):
    """The moment of a strike. All are seen from outside: the server knows nothing of the check."""

    TIME = "time"  #: after the pause, whatever happens then
    COMMIT = "commit"  #: right after some more transactions have been committed
    CALL = "call"  #: while some further call outside is under way
    ANSWER = "answer"  #: a call outside was just answered, and that is not committed yet


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """
    One run to start.

    Attributes:
        stop_after_s: When it is told to stop, counted from its start; None: never.
        watched: Whether a WebSocket client follows it.
        keyed: Whether its start has an idempotency key, and so is asked for again if no answer
            comes: it must be one run all the same.
    """

    number: int
    kind: Kind
    decision: Decision
    stop_after_s: float | None
    watched: bool
    keyed: bool = False

    @property
    def name(self) -> str:
        """Its name, which is an input of the run and travels with each of its calls."""
        return f"run-{self.number}"


@dataclass(frozen=True, kw_only=True)
class StrikePlan:
    """
    One strike.

    Attributes:
        pause_s: Time after the strike before; the trigger counts from then.
        count: How many commits, calls or answers the trigger lets pass.
        frozen_s: How long a paused executor stays so, or a member hears nothing; a frozen one at
            most.
        members: Whose supervisors or connections are struck, by their numbers.
        away_s: How long a member that was ended stays away.
    """

    number: int
    strike: Strike
    victims: tuple[str, ...]
    trigger: Trigger
    count: int
    pause_s: float
    frozen_s: float
    members: tuple[int, ...] = (0,)
    away_s: float = 0.0

    @property
    def kills(self) -> bool:
        """Whether it kills anybody."""
        return self.strike.kills

    @property
    def ends_server(self) -> bool:
        """Whether the server has to be started again after it."""
        return self.strike in (Strike.SUPERVISOR, Strike.EVERYTHING, Strike.MEMBER)

    @property
    def hits_executor(self) -> bool:
        """Whether runs are interrupted by it."""
        return self.ends_server or (self.kills and bool(self.struck_executors))

    @property
    def struck_executors(self) -> frozenset[int]:
        """The members whose executors are among the victims."""
        parts = (name.partition(AT) for name in self.victims)
        return frozenset(int(member or 0) for name, _, member in parts if name == EXECUTOR)


#: Kinds that are told to stop now and then: those that take a while.
_STOPPED: Final = frozenset({Kind.CHAIN, Kind.EACH, Kind.NESTED, Kind.REVIEW, Kind.PUT})
_STRIKES: Final = {Strike.SERVICE: 60, Strike.SEVERAL: 17, Strike.SERVICES: 10, Strike.PAUSE: 13}
_TRIGGERS: Final = {Trigger.COMMIT: 45, Trigger.CALL: 20, Trigger.ANSWER: 20, Trigger.TIME: 15}
#: Of the services the executor has most to lose.
_VICTIMS: Final = {name: 10 if name == EXECUTOR else 2 for name in SERVICES} | {"AgentServer": 4}


def run_plan(seed: int, number: int) -> RunPlan:
    """Return the run *number* of a check with *seed*; always the same one."""
    choice = random.Random(f"{seed}/run/{number}")  # noqa: S311 -- a plan, no secret
    kind = [*Kind][number % len(Kind)] if number < len(Kind) else choice.choice([*Kind])
    stops = kind in _STOPPED and choice.random() < 0.15  # noqa: PLR2004 -- about one in seven
    return RunPlan(
        number=number,
        kind=kind,
        decision=choice.choice([*Decision]),
        stop_after_s=choice.uniform(0, 1.2) if stops else None,
        watched=choice.random() < 0.25,  # noqa: PLR2004 -- one in four
        keyed=choice.random() < 0.5,  # noqa: PLR2004 -- every other one
    )


def strike_plans(seed: int, kills: int, *, pause_s: float) -> Iterator[StrikePlan]:
    """
    Yield all strikes of a check: exactly *kills* that kill, and pauses between them.

    Args:
        pause_s: Mean time between two strikes.
    """
    choice = random.Random(f"{seed}/strikes")  # noqa: S311 -- a plan, no secret
    left = choice.randint(*LIFE_KILLS)
    done = number = 0
    while done < kills:
        if left == 0:
            strike = choice.choice((Strike.SUPERVISOR, Strike.EVERYTHING))
        else:
            strike = weighted(choice, _STRIKES)
        plan = _strike_plan(choice, number, strike, pause_s)
        number += 1
        if plan.kills:
            done += 1
            left = choice.randint(*LIFE_KILLS) if plan.ends_server else left - 1
        yield plan


def slow_s(seed: int, run: str, step: str) -> float:
    """Return how long the answer to a call takes: mostly short, now and then a second."""
    choice = random.Random(f"{seed}/slow/{run}/{step}")  # noqa: S311 -- a plan, no secret
    return choice.uniform(0.5, 1.0) if choice.random() < 0.05 else choice.uniform(0.01, 0.2)  # noqa: PLR2004 -- one in twenty


def _strike_plan(choice: random.Random, number: int, strike: Strike, pause_s: float) -> StrikePlan:
    trigger = weighted(choice, _TRIGGERS)
    return StrikePlan(
        number=number,
        strike=strike,
        victims=_victims(choice, strike),
        trigger=trigger,
        count=choice.randint(1, 5),
        pause_s=choice.uniform(0.2, 1.8) * pause_s,
        frozen_s=choice.uniform(0.5, 4.0) if strike is Strike.PAUSE else 0.0,
    )


def _victims(choice: random.Random, strike: Strike) -> tuple[str, ...]:
    match strike:
        case Strike.SERVICE:
            return (weighted(choice, _VICTIMS),)
        case Strike.SEVERAL:
            return tuple(sorted(choice.sample(SERVICES, choice.randint(2, 3))))
        case Strike.PAUSE:
            return (EXECUTOR,)
        case Strike.SUPERVISOR:
            return ()
        case _:
            return SERVICES


def weighted(choice: random.Random, weights: Mapping[T, int]) -> T:
    """Draw one, by its weight."""
    return choice.choices([*weights], weights=[*weights.values()])[0]
