"""Files in an S3-compatible bucket: a whole server keeps nothing of them on its own disk."""

import base64
import random
from pathlib import Path

import pytest

from tests.e2e.effects import EffectCounter
from tests.e2e.graphs import web_chain
from tests.e2e.harness import Server, assert_consistent, serving
from tests.e2e.members import Cluster
from tests.e2e.test_files import reading, upload
from tests.s3 import S3, Gate

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MEGABYTE = 1024 * 1024
STEPS = 6


def files_of(server: Server) -> list[Path]:
    return [path for path in (server.data_dir / "files").rglob("*") if path.is_file()]


def test_an_upload_goes_into_the_bucket_through_a_run_and_back(tmp_path: Path, s3: S3) -> None:
    lines = base64.b64encode(random.randbytes(8 * MEGABYTE)) + b"\nsecond\nthird"
    with serving(tmp_path / "data", **s3.environment()) as server:
        graph = server.rest.add(reading())

        uri = upload(server, lines)
        run = server.rest.ended(graph, server.rest.start(graph, file=uri))
        file_id = uri.removeprefix("workspace://").partition("#")[0]
        back = server.rest._client.get(f"/api/workspace/files/{file_id}/download", timeout=60)

        assert run["outputs"] == {"text": ["second"]}
        assert (back.status_code, back.content == lines) == (200, True)
        assert files_of(server) == []


def test_a_run_with_large_values_goes_on_when_the_bucket_is_back(
    tmp_path: Path, s3: S3, outside: EffectCounter
) -> None:
    text = base64.b64encode(random.randbytes(1_500_000)).decode()
    with Gate(s3.port) as gate:
        settings = s3.environment(endpoint=gate.endpoint)
        settings["TRUST_ENDPOINTS_FOR_REQUESTS"] = outside.origin
        with serving(tmp_path / "data", **settings) as server:
            graph = server.rest.add(web_chain(outside.origin, STEPS))
            run_id = server.rest.start(graph, run=text)
            outside.wait_for(STEPS // 2)

            gate.cut()
            server.kill("ExecutionManager")
            refused = server.rest._client.post(
                f"/api/graphs/{graph}/execute", json={"inputs": {"run": text[1:]}}, timeout=60
            )
            gate.mend()
            run = server.rest.ended(graph, run_id)

            assert refused.status_code == 503
            assert "cannot be used" in refused.json()["detail"]
            assert (run["status"], run["inputs"]) == ("COMPLETED", {"run": text})
            assert run["outputs"] == {"answer": [{"run": text}]}
            assert files_of(server) == []
            assert_consistent(server)


@pytest.mark.service("postgres")
@pytest.mark.service("rabbitmq")
def test_what_one_machine_of_a_cluster_stores_the_others_read(
    tmp_path: Path, s3: S3, outside: EffectCounter
) -> None:
    lines = base64.b64encode(random.randbytes(2 * MEGABYTE)) + b"\nsecond\nthird"
    text = base64.b64encode(random.randbytes(1_500_000)).decode()
    settings = {**s3.environment(), "TRUST_ENDPOINTS_FOR_REQUESTS": outside.origin}
    cluster = Cluster(tmp_path, **settings)
    try:
        first = cluster.start().server
        other = cluster.add("AgentServer")
        cluster.add("ExecutionManager")
        reader, chain = first.rest.add(reading()), first.rest.add(web_chain(outside.origin, STEPS))

        uri = upload(first, lines)
        run = other.rest.ended(reader, other.rest.start(reader, file=uri))
        back = other.rest._client.get(
            f"/api/workspace/files/{uri.removeprefix('workspace://').partition('#')[0]}/download",
            timeout=60,
        )
        run_id = other.rest.start(chain, run=text)
        outside.wait_for(STEPS // 2)
        for one in cluster.executors:
            one.kill("ExecutionManager")
        carried_on = first.rest.ended(chain, run_id)

        assert run["outputs"] == {"text": ["second"]}
        assert back.content == lines
        assert (carried_on["status"], carried_on["outputs"]) == (
            "COMPLETED",
            {"answer": [{"run": text}]},
        )
        assert [files_of(one) for one in (first, *cluster.members)] == [[], [], []]
        cluster.stop()
    finally:
        cluster.finish()
