"""What a node's maker wants done when its block is slow, fails, or may not run at once with itself.

Lies in the node's metadata under ``policy``; what is not said there is the block's default, then
the installation's (settings). docs/reference/policies.md has the words.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from backend.core.block import BlockSpec, Effect

#: The key in a node's metadata.
POLICY: Final = "policy"

MOST_RETRIES: Final = 100
#: A month. Whoever wants to wait longer wants no limit, which is 0.
LONGEST_S: Final = 31 * 24 * 3600.0
MOST_CONCURRENCY: Final = 10_000
MOST_WAIT_FACTOR: Final = 100


class OnError(StrEnum):
    """What happens in a run when a node has failed for good."""

    ERROR_PIN = "error_pin"  #: its text goes to the links of the pin ``error``; the run goes on
    CONTINUE = "continue"  #: the run goes on, and nothing is passed on
    FAIL = "fail"  #: the run fails


class UnknownOutcome(StrEnum):
    """What happens to a node that must not be repeated, and may have taken effect in a crash."""

    FAIL = "fail"
    ASK = "ask"  #: a person decides whether it is run again


class Failure(StrEnum):
    """Kinds of failures, as retries name them."""

    TIMEOUT = "timeout"  #: the node's time limit, or that of a request it made
    UNAVAILABLE = "unavailable"  #: somebody else's server is away, or answers 5xx
    INPUT = "input"  #: the block cannot work with its input
    OUTPUT = "output"  #: it yielded what its pins do not declare
    EXECUTION = "execution"  #: the block said so itself
    UNKNOWN = "unknown"  #: it raised something that nobody expected


@dataclass(frozen=True, kw_only=True, slots=True)
class NodePolicy:
    """
    The policy of one node.

    Attributes:
        time_limit_s: For one try; 0 is none; None is the block's, else the installation's.
        retries: Tries after the first, for failures of the kinds in *retry_on*; None is the
            block's.
        retry_wait_s: Before the first of them; each further wait is *retry_wait_factor* times
            longer, *retry_wait_most_s* at most.
        concurrency: Executions of the node, in one run, that work at once; None is no limit.
        model_cache_s: The answer of a model to the same question of the same user is taken again
            while it is not older than this; 0: never.
    """

    time_limit_s: float | None = None
    retries: int | None = None
    retry_on: frozenset[Failure] = frozenset({Failure.TIMEOUT, Failure.UNAVAILABLE})
    retry_wait_s: float = 1.0
    retry_wait_factor: float = 2.0
    retry_wait_most_s: float = 60.0
    on_error: OnError = OnError.ERROR_PIN
    concurrency: int | None = None
    unknown_outcome: UnknownOutcome = UnknownOutcome.FAIL
    model_cache_s: float = 0.0

    def wait_before_retry_s(
        self, block: BlockSpec, effect: Effect, *, failed: int, kind: Failure
    ) -> float | None:
        """
        Return how long to wait before the next try; None when there is none.

        Args:
            failed: How many tries have failed, the present one included.
        """
        retries = block.retries if self.retries is None else self.retries
        # What must happen at most once is not tried twice: a failure does not say how far it came.
        if effect is Effect.AT_MOST_ONCE or failed > retries or kind not in self.retry_on:
            return None
        wait_s = self.retry_wait_s * self.retry_wait_factor ** (failed - 1)
        return min(wait_s, self.retry_wait_most_s)


DEFAULT: Final = NodePolicy()


def policy_of(metadata: Mapping[str, Any]) -> NodePolicy:
    """Return the policy in a node's *metadata*; the default where that is none that can be used."""
    said = metadata.get(POLICY)
    if said is None:
        return DEFAULT
    if not isinstance(said, Mapping) or any(True for _ in _wrong(said)):
        return DEFAULT  # saved before this was checked; `problems` keeps it from running
    return NodePolicy(**{name: _READ[name](value) for name, value in said.items()})


def problems(metadata: Mapping[str, Any], block: BlockSpec) -> dict[str, str]:
    """Return what is wrong with the policy in a node's *metadata*, by field."""
    said = metadata.get(POLICY)
    if said is None:
        return {}
    if not isinstance(said, Mapping):
        return {POLICY: "must be an object"}
    found = {f"{POLICY}.{name}": text for name, text in _wrong(said)}
    if not found and said.get("retries") and block.effect is Effect.AT_MOST_ONCE:
        found[f"{POLICY}.retries"] = (
            f"{block.name} must not be run twice: whether a failed try took effect is not known"
        )
    return found


def _wrong(said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in said.items():
        rule = _RULES.get(str(name))
        if rule is None:
            yield str(name)[:100], f"is no part of a policy; those are {', '.join(_RULES)}"
        elif not rule[0](value):
            yield name, rule[1]


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= LONGEST_S


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _is_one_of(options: type[StrEnum]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in list(options)


def _are_failures(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_one_of(Failure), value))


_SECONDS: Final = f"must be a number of seconds, 0 to {LONGEST_S:.0f}"

#: By name: whether a value will do, and what is said of one that will not.
_RULES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "time_limit_s": (_is_seconds, f"{_SECONDS}; 0 is no limit"),
    "retries": (_is_whole(0, MOST_RETRIES), f"must be a whole number, 0 to {MOST_RETRIES}"),
    "retry_on": (_are_failures, f"must be a list of these: {', '.join(Failure)}"),
    "retry_wait_s": (_is_seconds, _SECONDS),
    "retry_wait_factor": (
        lambda value: _is_number(value) and 1 <= value <= MOST_WAIT_FACTOR,
        f"must be a number, 1 to {MOST_WAIT_FACTOR}",
    ),
    "retry_wait_most_s": (_is_seconds, _SECONDS),
    "on_error": (_is_one_of(OnError), f"must be one of these: {', '.join(OnError)}"),
    "concurrency": (
        _is_whole(1, MOST_CONCURRENCY),
        f"must be a whole number, 1 to {MOST_CONCURRENCY}",
    ),
    "unknown_outcome": (
        _is_one_of(UnknownOutcome),
        f"must be one of these: {', '.join(UnknownOutcome)}",
    ),
    "model_cache_s": (_is_seconds, f"{_SECONDS}; 0: no answer is taken again"),
}

_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "time_limit_s": float,
    "retries": int,
    "retry_on": lambda value: frozenset(map(Failure, value)),
    "retry_wait_s": float,
    "retry_wait_factor": float,
    "retry_wait_most_s": float,
    "on_error": OnError,
    "concurrency": int,
    "unknown_outcome": UnknownOutcome,
    "model_cache_s": float,
}
