"""Agent files of other people in which a model decides: each runs to its end, with what it says."""

import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from backend.core.graph import Graph, Node, all_graphs
from backend.core.graph_repair import repaired
from backend.core.models import ModelSpec
from backend.core.status import Status
from backend.services.portable import read_graph
from tests.unit.engine.engine_blocks import CATALOG
from tests.unit.engine.engine_deciding import KEY, Keys, says
from tests.unit.engine.engine_house import House

#: They lie beside the project, never in it.
PLACE: Final = Path(__file__).parents[3].parent / "shared" / "agents"
DECIDER: Final = "3b191d9f-356f-482d-8238-ba04b6d18381"
SPECS: Final = {
    name: ModelSpec(name=name, provider="openai") for name in ("gpt-5-2025-08-07", "gpt-4o")
}


def with_key(node: Node) -> Node:
    """Return *node* with somebody's key where a model decides."""
    if node.block_id != DECIDER:
        return node
    return replace(node, input_default={**node.input_default, "credentials": KEY})


def agents() -> Iterable[Graph]:
    """Yield the agents whose blocks are all built, ready to run."""
    for path in sorted(PLACE.glob("*/*.json")):
        if DECIDER not in path.read_text():
            continue
        read = read_graph(path.read_bytes(), name=path.stem, fresh=lambda: str(uuid.uuid4()))
        graph, _ = repaired(read, CATALOG)
        nodes = [node for one in all_graphs(graph) for node in one.nodes]
        specs = [CATALOG.get(node.block_id) for node in nodes]
        says_so = any(link.source_name == "finished" for link in graph.links)
        if says_so and all(spec is not None and not spec.placeholder for spec in specs):
            yield replace(graph, nodes=tuple(map(with_key, graph.nodes)))


@pytest.mark.slow
@pytest.mark.skipif(not PLACE.exists(), reason="the agents are not beside this project")
async def test_agents_of_others_run_to_their_end(house: House) -> None:
    house.lender = Keys()
    ran = list(agents())
    model = says(*[f"answer {number}" for number in range(len(ran))])
    async with house.engine(models=model, model_specs=SPECS):
        for number, graph in enumerate(ran):
            await house.add(graph)
            names = [str(node.input_default.get("name")) for node in graph.nodes]
            inputs: dict[str, Any] = dict.fromkeys(names, "What grows here?")
            run = await house.ended(await house.submit(graph.id, **inputs))

            assert run.status is Status.COMPLETED, graph.name
            assert f"answer {number}" in str(run.outputs), graph.name
            assert run.stats is not None
            assert run.stats.node_error_count == 0, graph.name

    assert len(ran) >= 7
