"""DataSampling: a few records out of many."""

from collections.abc import Iterator
from enum import StrEnum
from random import Random
from typing import Any

from backend.blocks.logic.samples import DRAWS, Draw
from backend.sdk import (
    SMALL_INPUTS,
    Block,
    BlockContext,
    Category,
    Effect,
    EffectRule,
    Example,
    Place,
    pin,
    pins,
)


class SamplingMethod(StrEnum):
    """How records are chosen."""

    RANDOM = "random"
    SYSTEMATIC = "systematic"
    TOP = "top"
    BOTTOM = "bottom"
    STRATIFIED = "stratified"
    WEIGHTED = "weighted"
    RESERVOIR = "reservoir"
    CLUSTER = "cluster"


_MEN_AND_MICE = [{"k": "man", "n": 1}, {"k": "mouse", "n": 2}, {"k": "man", "n": 3}]


class DataSamplingBlock(Block):
    """Chooses some records of a list, by one of eight methods. The same seed chooses the same."""

    id = "4a448883-71fa-49cf-91cf-70d793bd7d87"
    categories = (Category.LOGIC,)
    # Without a seed, a second run would choose others: it must not begin before its cause is kept.
    effect = EffectRule(pin="random_seed", effects={"None": Effect.READ}, otherwise=Effect.PURE)
    place = Place.THREAD
    inline_size = SMALL_INPUTS
    examples = (
        Example(
            inputs={"data": _MEN_AND_MICE, "sample_size": 2, "sampling_method": "bottom"},
            outputs=[("sampled_data", _MEN_AND_MICE[1:]), ("sample_indices", [1, 2])],
        ),
        Example(
            inputs={"data": [[1], [2], [3], [4]], "sample_size": 2, "random_seed": 1},
            outputs=[("sampled_data", [[2], [3]]), ("sample_indices", [1, 2])],
        ),
        Example(
            inputs={
                "data": _MEN_AND_MICE,
                "sample_size": 1,
                "sampling_method": "weighted",
                "random_seed": 1,
            },
            error="weight_key",
        ),
        Example(
            inputs={"data": {"only": 1}, "sample_size": 1},
            outputs=[("sampled_data", [{"only": 1}]), ("sample_indices", [0])],
        ),
        Example(inputs={"data": [{}]}, error="10 records cannot be chosen out of 1"),
    )

    @pins
    class Input:
        """Input pins."""

        data: dict[str, Any] | list[dict[str, Any] | list[Any]] = pin(
            description="The records; a dictionary is one record."
        )
        sample_size: int = pin(default=10, description="How many records to choose.")
        sampling_method: SamplingMethod = pin(
            default=SamplingMethod.RANDOM, description="How to choose them."
        )
        accumulate: bool = pin(
            default=False, description="Without effect: a block remembers nothing between its runs."
        )
        random_seed: int | None = pin(
            default=None, description="The same number makes the same choice again."
        )
        stratify_key: str | None = pin(
            default=None, description="For stratified: each kind gets its share."
        )
        weight_key: str | None = pin(
            default=None, description="For weighted: the more weight, the likelier, even twice."
        )
        cluster_key: str | None = pin(
            default=None, description="For cluster: kinds are taken as a whole, up to the size."
        )

    @pins
    class Output:
        """Output pins."""

        sampled_data: list[dict[str, Any] | list[Any]] = pin(description="The chosen records.")
        sample_indices: list[int] = pin(description="Where each lay, from 0.")

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        """Yield the records, then their indices."""
        records = inputs.data if isinstance(inputs.data, list) else [inputs.data]
        size = inputs.sample_size
        if not 0 <= size <= len(records):
            raise ValueError(f"{size} records cannot be chosen out of {len(records)}")
        method = inputs.sampling_method
        keys = {
            SamplingMethod.STRATIFIED: ("stratify_key", inputs.stratify_key),
            SamplingMethod.WEIGHTED: ("weight_key", inputs.weight_key),
            SamplingMethod.CLUSTER: ("cluster_key", inputs.cluster_key),
        }
        pin_name, key = keys.get(method, ("", ""))
        if key is None:
            raise ValueError(f"{pin_name} is needed for the method {method.value}")
        # Records are chosen for statistics, not for secrets.
        draw = Draw(records, size, key, Random(inputs.random_seed))  # noqa: S311
        indices = DRAWS[method.value](draw)
        yield "sampled_data", [records[index] for index in indices]
        yield "sample_indices", indices
