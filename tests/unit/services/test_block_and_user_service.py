"""Blocks alone, and accounts."""

from dataclasses import replace

import pytest

from backend.core.catalog import Catalog
from backend.core.errors import BlockInputError, NotAllowed, NotFound
from backend.core.ids import BlockId
from backend.services.blocks import BlockService, Once
from backend.services.bounded import BoundedCache
from backend.services.timezones import is_timezone, known_timezones
from backend.services.users import Caller
from tests.contract.rest_server import AGENT, ANN, CALCULATOR, PLACEHOLDER, RestServer


async def test_inputs_are_converted_as_in_a_graph(server: RestServer) -> None:
    inputs = {"operation": "Add", "a": "2", "b": "3.5"}

    outputs = await server.context.blocks.execute(ANN, BlockId(CALCULATOR), inputs)

    assert outputs == {"result": [5.5]}


@pytest.mark.parametrize(
    ("block_id", "says"),
    [(PLACEHOLDER, "not built into this server yet"), (AGENT, "only inside a graph")],
)
async def test_some_blocks_cannot_be_run_alone_and_say_why(
    server: RestServer, block_id: str, says: str
) -> None:
    with pytest.raises(BlockInputError, match=says):
        await server.context.blocks.execute(ANN, BlockId(block_id), {})


async def test_a_block_that_is_switched_off_is_not_run(server: RestServer) -> None:
    spec = server.catalog.get(CALCULATOR)
    assert spec is not None

    async def never(*_: object, once: Once | None = None) -> list[tuple[str, object]]:
        raise AssertionError

    blocks = BlockService(catalog=Catalog([replace(spec, disabled=True)]), run=never)

    with pytest.raises(NotAllowed):
        await blocks.execute(ANN, spec.id, {})
    with pytest.raises(NotFound):
        await blocks.execute(ANN, BlockId("unknown"), {})
    assert blocks.listed() == []


async def test_placeholders_are_not_listed(server: RestServer) -> None:
    listed = {spec.id for spec in server.context.blocks.listed()}

    assert CALCULATOR in listed
    assert PLACEHOLDER not in listed


async def test_an_account_is_made_once(server: RestServer) -> None:
    caller = Caller(user_id=ANN, token_user_id=ANN, email="ann@example.com", name="Ann")

    first = await server.context.users.get_or_create(caller)
    server.clock.pass_time(days=1)
    second = await server.context.users.get_or_create(caller)

    assert first == second
    assert first.email == "ann@example.com"


async def test_an_account_without_an_address_gets_one_that_is_nobodys(server: RestServer) -> None:
    record = await server.context.users.get_or_create(Caller(user_id=ANN, token_user_id=ANN))

    assert record.email == "ann@users.invalid"


def test_all_zones_of_the_contract_are_known() -> None:
    assert is_timezone("Europe/Berlin")
    assert not is_timezone("europe/berlin")
    assert not is_timezone("Factory")
    assert len(known_timezones()) > 590


def test_a_bounded_cache_forgets_what_was_not_used_for_longest() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.get("a")

    cache.put("c", 3)

    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)
