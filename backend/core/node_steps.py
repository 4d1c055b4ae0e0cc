"""Steps inside one execution of a node: what is done once, whatever happens to the server (pure)."""

from dataclasses import dataclass

from backend.core.budgets import NO_DEFAULTS, NO_ESTIMATE, BudgetDefaults, Estimate
from backend.core.ids import ExecutionId, GraphId, UserId

#: A step's name is a key of a row; blocks make it of what they do.
NAME_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelUse:
    """
    What was asked of language models.

    Attributes:
        calls: Tries that may have reached a provider, those whose answer was lost included.
        retries: Those of *calls* that were made because an earlier one of the same question failed.
        cached_calls: Questions that an earlier answer was taken for; they are no calls.
        cost_micro_usd: Millionths of a US dollar.
        estimated_calls: Those of *calls* whose provider did not say how many tokens they took; they
            were estimated.
    """

    calls: int = 0
    retries: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_calls: int = 0
    cost_micro_usd: int = 0
    estimated_calls: int = 0

    def __add__(self, other: "ModelUse") -> "ModelUse":
        return ModelUse(
            calls=self.calls + other.calls,
            retries=self.retries + other.retries,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_calls=self.cached_calls + other.cached_calls,
            cost_micro_usd=self.cost_micro_usd + other.cost_micro_usd,
            estimated_calls=self.estimated_calls + other.estimated_calls,
        )


NO_USE = ModelUse()


@dataclass(frozen=True, kw_only=True, slots=True)
class StepPlace:
    """
    The node execution that does a step, in the hands of one executor.

    Attributes:
        owner, attempt: Whose run it is; the steps of anybody else are refused.
    """

    user_id: UserId
    graph_id: GraphId
    run_id: ExecutionId
    root_id: ExecutionId
    node_exec_id: str
    owner: str
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """
    How an answer is found again.

    Attributes:
        key: The same for the same question, and for no other.
        age_us: It may be so old, microseconds.
    """

    key: str
    age_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedCall:
    """
    A call of a model that a step is about to make.

    Attributes:
        most: What it may take.
        defaults: The budgets that everybody has.
        cache: An earlier answer will do, if there is one; None: it will not.
    """

    model: str
    most: Estimate = NO_ESTIMATE
    defaults: BudgetDefaults = NO_DEFAULTS
    cache: Remembered | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CallMade:
    """
    What a call of a model took, as its provider says.

    Attributes:
        estimated_calls: 1 if its tokens are an estimate, because the provider does not say.
        cache: Keep the answer for the same question; None: do not.
    """

    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    estimated_calls: int = 0
    cache: Remembered | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepBegun:
    """
    A step that is begun, or that was done before.

    Attributes:
        tries: How often it was begun, this time included.
        is_done: *result* is what it came to, or an earlier answer that was taken for it; it must
            not be done again.
        used: What all steps of its node execution have used so far; told of calls of models only.
        is_reserved: Whether budgets hold something back for its call.
        waits_for: Which budget has no room for its call, in words: it is not begun.
    """

    tries: int
    is_done: bool = False
    result: object = None
    used: ModelUse = NO_USE
    is_reserved: bool = False
    waits_for: str | None = None
