"""A run whose step takes the executor down each time: parked, and retried by hand."""

import os
import signal
from contextlib import suppress

import pytest

from tests.e2e.effects import Effect, EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server, assert_consistent

# A minute each: from the third loss on, ten seconds lie between two tries.
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.chaos]


@pytest.mark.both_stores
def test_a_run_that_kills_its_executor_is_parked_and_goes_on_when_it_is_retried(
    server: Server, outside: EffectCounter
) -> None:
    graph = server.rest.add(web_chain(outside.origin, 3))
    deaths: list[int] = []

    def kill(effect: Effect) -> None:
        if (effect.run, effect.step) == ("bad", "1"):
            deaths.append(server.pid("ExecutionManager"))
            with suppress(ProcessLookupError):
                os.kill(deaths[-1], signal.SIGKILL)

    outside.on_effect = kill
    bad = server.rest.start(graph, run="bad")
    parked = server.rest.ended(graph, bad, limit_s=240)
    good = server.rest.ended(graph, server.rest.start(graph, run="good"))

    assert (parked["status"], good["status"]) == ("TERMINATED", "COMPLETED")
    assert "parked: the executor was lost 6 times" in parked["stats"]["error"]
    assert "SendWebRequestBlock at work" in parked["stats"]["error"]
    assert len(deaths) == len(set(deaths))
    [listed] = server.rest.get("/admin/parked-runs")["runs"]
    assert listed["id"] == bad

    outside.on_effect = lambda _: None
    path = f"/graphs/{graph}/executions/{bad}"
    server.rest.post(f"{path}/retry")
    ended = server.rest.ended(graph, bad)

    assert (ended["status"], ended["outputs"]) == ("COMPLETED", {"answer": [{"run": "bad"}]})
    effects = outside.of("bad")
    assert {step: len(found) for step, found in effects.items()} == {
        "0": 1,
        "1": len(deaths) + 1,
        "2": 1,
    }
    # The service outside can tell that it is the same request.
    assert len({effect.key for effect in effects["1"]}) == 1
    assert server.rest.get("/admin/parked-runs")["runs"] == []
    assert_consistent(server)
