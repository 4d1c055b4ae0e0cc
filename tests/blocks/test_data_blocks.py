"""Lists, dictionaries and samples: what no worked example shows, and that inputs stay as they are."""

from copy import deepcopy
from typing import Any

import pytest

from backend.blocks.build_index import discover
from backend.blocks.data.create_list import CreateListBlock
from backend.blocks.flow.agent_input_kinds import AgentDateInputBlock, AgentTimeInputBlock
from backend.blocks.logic.data_sampling import DataSamplingBlock, SamplingMethod
from backend.sdk import Block, BlockError, BlockExecutionError, Effect, Example, json_text, spec_of
from backend.testing.blocks import check_example, outputs_of

EXAMPLES = [
    pytest.param(block, example, id=f"{block.__name__}-{index}")
    for block in discover()
    if Effect.PURE in (block.effect, spec_of(block).effect_with({"random_seed": 1}))
    for index, example in enumerate(block.examples)
]


@pytest.mark.parametrize(("block", "example"), EXAMPLES)
async def test_a_block_leaves_its_inputs_as_they_are(block: type[Block], example: Example) -> None:
    """They are shared with other nodes."""
    inputs = deepcopy(dict(example.inputs))

    await check_example(block(), example)

    assert example.inputs == inputs


async def lists(**inputs: Any) -> list[Any]:
    return [value for _, value in await outputs_of(CreateListBlock(), inputs)]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"values": ["long " * 9, "a"], "max_tokens": 1}, [["long " * 9], ["a"]]),
        ({"values": ["", ""], "max_tokens": 1}, [[""], [""]]),
        ({"values": ["水" * 4, "b"], "max_tokens": 4}, [["水" * 4, "b"]]),
        ({"values": [{"a": 1}, 2], "max_tokens": 2}, [[{"a": 1}], [2]]),
        ({"values": [1, 2], "max_size": 0, "max_tokens": 0}, [[1, 2]]),
        ({"values": [1, 2, 3, "four"], "max_size": 3, "max_tokens": 2}, [[1, 2], [3, "four"]]),
        ({"values": [1, 2], "max_size": 2}, [[1, 2]]),
        ({"values": [], "max_size": 2}, [[]]),
    ],
)
async def test_a_list_is_cut_but_never_empty(inputs: dict[str, Any], expected: list[Any]) -> None:
    assert await lists(**inputs) == expected


RECORDS = [{"id": n, "kind": "abc"[n % 3], "weight": n % 2} for n in range(30)]
KEYS = {"stratify_key": "kind", "weight_key": "weight", "cluster_key": "kind"}


async def sample(**inputs: Any) -> tuple[list[Any], list[int]]:
    (_, records), (_, indices) = await outputs_of(DataSamplingBlock(), inputs)
    return records, indices


@pytest.mark.parametrize("method", list(SamplingMethod))
@pytest.mark.parametrize("size", [0, 1, 7, 30])
async def test_a_sample_has_its_size_and_the_same_seed_gives_the_same(
    method: SamplingMethod, size: int
) -> None:
    asked = {"data": RECORDS, "sample_size": size, "sampling_method": method.value, **KEYS}

    records, indices = await sample(**asked, random_seed=3)

    assert len(indices) == size
    assert records == [RECORDS[index] for index in indices]
    assert method is SamplingMethod.WEIGHTED or len(set(indices)) == size
    assert (records, indices) == await sample(**asked, random_seed=3)


async def test_strata_get_their_shares() -> None:
    records, _ = await sample(
        data=RECORDS, sample_size=6, sampling_method="stratified", random_seed=1, **KEYS
    )

    kinds = [record["kind"] for record in records]
    assert kinds == ["a", "a", "b", "b", "c", "c"]


async def test_what_weighs_nothing_is_never_chosen() -> None:
    records, _ = await sample(data=RECORDS, sample_size=30, sampling_method="weighted", **KEYS)

    assert {record["weight"] for record in records} == {1}


async def test_a_cluster_comes_as_a_whole() -> None:
    records, _ = await sample(data=RECORDS, sample_size=10, sampling_method="cluster", **KEYS)

    assert len({record["kind"] for record in records}) == 1


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"data": [], "sample_size": -1}, "-1 records"),
        ({"data": RECORDS, "sampling_method": "stratified"}, "stratify_key"),
        ({"data": RECORDS, "sampling_method": "cluster"}, "cluster_key"),
        ({"data": [[1]], "sample_size": 1, "sampling_method": "cluster", **KEYS}, "is a list"),
        ({"data": [{}], "sample_size": 1, "sampling_method": "weighted", **KEYS}, "no weight"),
        (
            {"data": [{"weight": 0}], "sample_size": 1, "sampling_method": "weighted", **KEYS},
            "zero",
        ),
        ({"data": RECORDS, "sampling_method": "best"}, "is not one of"),
    ],
)
async def test_an_impossible_sample_is_refused(inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(BlockError, match=words):
        await sample(**inputs)


@pytest.mark.parametrize(
    ("inputs", "effect"),
    [({}, Effect.READ), ({"random_seed": None}, Effect.READ), ({"random_seed": 0}, Effect.PURE)],
)
def test_only_a_seed_makes_sampling_pure(inputs: dict[str, Any], effect: Effect) -> None:
    assert spec_of(DataSamplingBlock).effect_with(inputs) is effect


@pytest.mark.parametrize(
    ("block", "value", "result"),
    [
        (AgentDateInputBlock(), "2026-01-31T23:59:00+02:00", "2026-01-31"),
        (AgentDateInputBlock(), "20260131", "2026-01-31"),
        (AgentTimeInputBlock(), "07:30Z", "07:30:00+00:00"),
    ],
)
async def test_other_ways_of_iso_8601_are_read(block: Block, value: str, result: str) -> None:
    assert await outputs_of(block, {"name": "when", "value": value}) == [("result", result)]


@pytest.mark.parametrize("value", ["2026-02-30", "soon", "x" * 999])
async def test_what_is_no_date_is_said_in_few_words(value: str) -> None:
    with pytest.raises(BlockExecutionError, match="is no date") as caught:
        await outputs_of(AgentDateInputBlock(), {"name": "when", "value": value})

    assert len(caught.value.reason) < 100


def test_all_examples_are_json() -> None:
    for block in discover():
        for example in block.examples:
            assert json_text([dict(example.inputs), list(example.outputs)])
