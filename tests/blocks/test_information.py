"""What an agent keeps, it finds again; what it does not share, others do not see."""

from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.memory.information import PersistInformationBlock, RetrieveInformationBlock
from backend.core.errors import BlockError
from backend.sdk import BlockContext, Effect, spec_of
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.memory import TransientMemories


@pytest.fixture
def context() -> BlockContext:
    return replace(CONTEXT, memory=TransientMemories())


async def persist(context: BlockContext, value: Any, **inputs: Any) -> Any:
    [(_, kept)] = await outputs_of(
        PersistInformationBlock(), {"key": "k", "value": value, **inputs}, context
    )
    return kept


async def retrieve(context: BlockContext, **inputs: Any) -> Any:
    [(_, found)] = await outputs_of(RetrieveInformationBlock(), {"key": "k", **inputs}, context)
    return found


@pytest.mark.parametrize("value", [0, False, "", [], {}, "x", {"a": [1]}])
@pytest.mark.parametrize("scope", ["within_agent", "across_agents"])
async def test_a_value_is_found_again(context: BlockContext, value: Any, scope: str) -> None:
    assert await persist(context, value, scope=scope) == value

    assert await retrieve(context, scope=scope, default_value="nothing") == value


@pytest.mark.parametrize(
    ("changes", "scope", "found"),
    [
        ({"graph_exec_id": "later"}, "within_agent", 1),
        ({"graph_id": "another"}, "within_agent", "nothing"),
        ({"graph_id": "another"}, "across_agents", 2),
        ({"user_id": "bob"}, "within_agent", "nothing"),
        ({"user_id": "bob"}, "across_agents", "nothing"),
    ],
)
async def test_who_shares_a_key(
    context: BlockContext, changes: dict[str, str], scope: str, found: Any
) -> None:
    await persist(context, 1, scope="within_agent")
    await persist(context, 2, scope="across_agents")

    other = replace(context, **changes)  # type: ignore[arg-type] # all of them are texts

    assert await retrieve(other, scope=scope, default_value="nothing") == found


async def test_no_key_of_an_agent_reaches_into_another_scope(context: BlockContext) -> None:
    await persist(context, 1, key="global#k")
    await persist(context, 1, key="agent#another#k", scope="across_agents")

    assert await retrieve(context, scope="across_agents") is None
    assert await retrieve(replace(context, graph_id="another")) is None


async def test_outside_of_an_agent_there_is_nothing_within_it(context: BlockContext) -> None:
    alone = replace(context, graph_id="")

    with pytest.raises(BlockError, match="use this block in a graph"):
        await persist(alone, 1)

    assert await persist(alone, 1, scope="across_agents") == 1


def test_both_may_be_run_again() -> None:
    assert spec_of(PersistInformationBlock).effect is Effect.IDEMPOTENT
    assert spec_of(RetrieveInformationBlock).effect is Effect.READ
