"""Somebody is thrown out of a server that runs: what they have open, and what runs for them, ends."""

import os
import subprocess
import sys

import pytest
from websockets.exceptions import InvalidStatus

from tests.e2e.graphs import timer
from tests.e2e.harness import Rest, Server, Socket, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CORA = "cora"


def user(server: Server, *arguments: str) -> None:
    """Type ``agpt user …``."""
    command = [sys.executable, "-c", "from backend.cli import main; main()", "user", *arguments]
    environment = {**os.environ, "AGPT_DATA_DIR": str(server.data_dir)}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


@pytest.mark.both_stores
def test_who_is_disabled_loses_sockets_and_runs_and_nobody_else_does(server: Server) -> None:
    origin = f"http://127.0.0.1:{server.ports['AgentServer']}"
    theirs, ours = Rest(origin, CORA), server.rest
    runs = []
    for rest in (theirs, ours):
        graph = rest.add(timer())
        runs.append((graph, rest.start(graph, run="r", seconds=60, times=1)))
    open_socket, other = Socket(server, CORA), Socket(server)
    open_socket.subscribe(runs[0][1])

    user(server, "disable", CORA)

    assert open_socket.until_closed() == 4003
    with pytest.raises(InvalidStatus):
        Socket(server, CORA)
    assert theirs.ask("GET", "/graphs").status_code == 401
    query = "SELECT status FROM executions WHERE id = ?"
    until(lambda: server.rows(query, runs[0][1]) == [("TERMINATED",)], what="the end of their run")
    other.subscribe(runs[1][1])
    assert ours.run(*runs[1])["status"] == "RUNNING"
    ours.stop(*runs[1])
    other.close()
    open_socket.close()
    theirs.close()
