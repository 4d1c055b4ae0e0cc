"""A broker that is short of memory takes no messages: a cluster works on, says so, and needs no restart."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server, Socket, until
from tests.e2e.members import Cluster
from tests.e2e.test_cluster import owner_of
from tests.private_broker import PrivateBroker

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.service("postgres")]

STEPS = 6
#: A request is answered; nothing is waited for that a broker should say.
ANSWER_S = 10.0
#: Those who publish for certain; who has nothing to say is not held up.
SAYING = ("AgentServer", "WebsocketServer")
WORDS = "has taken no messages for"


@pytest.fixture
def cluster(
    tmp_path: Path, outside: EffectCounter, private_broker: PrivateBroker
) -> Iterator[Cluster]:
    """Two executors on a broker that nobody else uses."""
    made = Cluster(tmp_path, broker=private_broker.url, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    try:
        made.start()
        made.add("ExecutionManager")
        yield made
    finally:
        private_broker.end_alarm()
        made.finish()


def health(server: Server, service: str) -> str:
    """Return what a service says of the broker; it is well all the same."""
    got = httpx2.get(f"http://localhost:{server.ports[service]}/health", timeout=20)
    assert got.status_code == 200, got.text
    return str(got.json()["broker"])


def figure(server: Server, service: str, name: str) -> float:
    got = httpx2.get(f"http://localhost:{server.ports[service]}/metrics", timeout=20).text
    [line] = [one for one in got.splitlines() if one.startswith(f"autogpt_{name} ")]
    return float(line.split()[1])


def test_a_cluster_works_on_while_its_broker_takes_no_messages(
    cluster: Cluster, outside: EffectCounter, private_broker: PrivateBroker
) -> None:
    rest, server = cluster.server.rest, cluster.server
    graph = rest.add(web_chain(outside.origin, STEPS))
    rest.ended(graph, rest.start(graph, run="before"), limit_s=60)
    assert health(server, "AgentServer") == "connected"

    socket = Socket(server)
    socket.subscribe_graph(graph)
    private_broker.alarm()
    begin = time.monotonic()
    during = {f"during-{n}": rest.start(graph, run=f"during-{n}") for n in range(10)}
    took_s = time.monotonic() - begin
    for run in during.values():
        assert rest.ended(graph, run, limit_s=60)["status"] == "COMPLETED"
    seen = socket.until_ended()
    until(lambda: all(WORDS in health(server, one) for one in SAYING), what="all to say it")
    assert figure(server, "AgentServer", "broker_blocked_seconds") > 0
    assert "broker_takes_no_messages" in server.log("AgentServer")

    # What is slow enough to be stopped, and to be left by who dies.
    outside.slow_s = 1.0
    stopped, orphan = rest.start(graph, run="stopped"), rest.start(graph, run="orphan")
    until(lambda: outside.of("stopped") and outside.of("orphan"), what="both to be under way")
    rest.stop(graph, stopped)
    owner = cluster.owners(orphan)[orphan]
    owner_of(cluster, orphan).kill("ExecutionManager")
    until(lambda: cluster.owners(orphan)[orphan] != owner, limit_s=30, what="a new owner")
    outside.slow_s = 0.0
    assert rest.ended(graph, stopped, limit_s=60)["status"] == "TERMINATED"
    assert rest.ended(graph, orphan, limit_s=60)["status"] == "COMPLETED"

    private_broker.end_alarm()
    until(lambda: {health(server, one) for one in SAYING} == {"connected"}, what="all to be well")
    after = rest.start(graph, run="after")
    assert rest.ended(graph, after, limit_s=60)["status"] == "COMPLETED"
    assert took_s < ANSWER_S
    assert seen[-1]["data"]["status"] == "COMPLETED"
    assert figure(server, "AgentServer", "broker_losses") == 0
    assert figure(server, "WebsocketServer", "broker_losses") == 0
    assert "broker_takes_messages_again" in server.log("AgentServer")
    socket.close()
    cluster.assert_nothing_broken()
