"""An agent in an agent, with its executor killed in between."""

import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import nesting, web_chain
from tests.e2e.harness import Server, assert_consistent

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.both_stores
def test_the_same_child_goes_on_after_a_kill_and_hands_its_outputs_on(
    server: Server, outside: EffectCounter
) -> None:
    inner = nesting(web_chain(outside.origin, 10, name="inner"), name="middle")
    graph = server.rest.add(nesting(inner))
    run_id = server.rest.start(graph, run="r")
    outside.wait_for(5)
    before = server.rows("SELECT id, parent_id, root_id, depth FROM executions ORDER BY depth")

    server.kill("ExecutionManager")
    run = server.rest.ended(graph, run_id)

    assert (run["status"], run["outputs"]) == ("COMPLETED", {"answer": [{"run": "r"}]})
    after = server.rows("SELECT id, parent_id, root_id, depth FROM executions ORDER BY depth")
    assert after == before
    assert [row[3] for row in after] == [0, 1, 2]
    # 3 of its own, 3 of the middle, 12 of the innermost.
    assert run["stats"]["node_exec_count"] == 18
    assert sum(outside.repeated().values()) <= 1
    assert_consistent(server)
