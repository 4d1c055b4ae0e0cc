"""The doctor of a cluster: what it mends while the members work, and what waits until they are stopped."""

from pathlib import Path

import psycopg
import pytest

from backend.ports.doctor import Rule
from backend.services.doctor import SENTENCES
from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.members import Cluster
from tests.e2e.test_backup import agpt
from tests.e2e.test_kills import STEPS, assert_completed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.service("postgres"),
    pytest.mark.service("rabbitmq"),
]


def test_members_go_on_while_the_rows_are_mended(tmp_path: Path, outside: EffectCounter) -> None:
    cluster = Cluster(tmp_path, TRUST_ENDPOINTS_FOR_REQUESTS=outside.origin)
    elsewhere = tmp_path / "elsewhere"
    try:
        rest = cluster.start().server.rest
        graph = rest.add(web_chain(outside.origin, STEPS))
        ended = rest.start(graph, run="first")
        rest.ended(graph, ended)
        outside.slow_s = 0.5
        run_id = rest.start(graph, run="r")
        outside.wait_for(STEPS + 2)
        with psycopg.connect(cluster.url) as connection:
            connection.execute("INSERT INTO holds VALUES ('run', 'gone', '', 1)")
            connection.execute("UPDATE executions SET revision = 1 WHERE id = %s", (ended,))

        code, said = agpt("doctor", "--fix", data=elsewhere, url=cluster.url)
        outside.slow_s = 0.05

        assert code == 1, said
        assert "mended  1 pauses of what is gone were set aside.\n" in said
        assert f"left    {SENTENCES[Rule.REVISIONS]} (it is mended only while nothing works" in said
        assert_completed(rest.ended(graph, run_id))
        cluster.stop()
        code, said = agpt("doctor", "--fix", data=elsewhere, url=cluster.url)
        assert (code, "mended  1 runs were brought to the revision" in said) == (0, True), said
        cluster.assert_nothing_broken()
    finally:
        cluster.finish()
