"""The process contract, with real processes and real kills."""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from backend.util.identity import identify, is_alive, wait_until_gone
from tests.e2e.running import Running, ask, free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Start = Callable[..., Running]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start(tmp_path: Path, port: int) -> Iterator[Start]:
    """Start the fake services; arguments are their faults, keywords are settings."""
    servers: list[Running] = []

    def starter(*faults: str, **settings: str) -> Running:
        environment = {
            "AGPT_DATA_DIR": str(tmp_path / "data"),
            "AGENT_API_PORT": str(port),
            "STOP_LIMIT_S": "20",
            **settings,
        }
        servers.append(Running("-m", "tests.e2e.fake_services", *faults, environment=environment))
        return servers[-1]

    yield starter
    for server in servers:
        server.kill_all()


def pid_in(line: str) -> int:
    return int(line.rpartition(" ")[2])


def events(server: Running, event: str) -> list[str]:
    return [line.partition(" ")[0] for line in server.lines if f" {event} " in line]


def test_what_others_need_is_ready_before_they_start(start: Start) -> None:
    server = start("Base=slow")

    # Each writes its own lines: that of a service may come after the last word of all.
    server.wait_for("everything", "Door ready", "Engine ready")

    first = [" ".join(line.split()[:2]) for line in server.lines[:2]]
    assert first == ["Base starting", "Base ready"]
    assert sorted(events(server, "ready")) == ["Base", "Door", "Engine"]


def test_processes_are_named_after_their_services(start: Start) -> None:
    server = start()

    [line] = server.wait_for("Door ready")

    assert psutil.Process(pid_in(line)).cmdline()[0] == "agpt: Door"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_reverse_and_leaves_nobody(
    start: Start, number: signal.Signals
) -> None:
    server = start()
    server.wait_for("everything")

    server.signal(number)
    code, errors = server.finish()

    assert (code, errors) == (0, "")
    assert events(server, "stopping") == ["Engine", "Door", "Base"]
    assert wait_until_gone(server.family, limit_s=0) == []


@pytest.mark.parametrize("name", ["Base", "Door", "Engine"])
def test_a_killed_service_is_started_again_alone(start: Start, name: str) -> None:
    server = start()
    [line] = server.wait_for(f"{name} ready")
    server.wait_for("everything")

    os.kill(pid_in(line), signal.SIGKILL)
    [again] = server.wait_for(f"{name} ready")

    assert pid_in(again) != pid_in(line)
    assert len(events(server, "ready")) == 4


def test_a_service_that_lacks_for_a_moment_what_it_needs_is_tried_again_and_is_no_error(
    start: Start, tmp_path: Path
) -> None:
    server = start("Engine=away_at_second_start")
    [line] = server.wait_for("Engine ready")

    os.kill(pid_in(line), signal.SIGKILL)
    server.wait_for("Engine ready")

    said = (tmp_path / "data" / "logs" / "Engine.log").read_text().splitlines()
    levels = {one["event"]: one["level"] for one in map(json.loads, said)}
    assert events(server, "starting").count("Engine") == 3
    assert levels["service_failed"] == "warning"


def test_a_service_that_is_told_to_end_by_a_stranger_is_started_again(start: Start) -> None:
    server = start()
    [line] = server.wait_for("Engine ready")

    os.kill(pid_in(line), signal.SIGTERM)
    [again] = server.wait_for("Engine ready")

    assert pid_in(again) != pid_in(line)


def test_clients_that_come_while_a_service_is_dead_are_served_by_its_successor(
    start: Start, port: int
) -> None:
    server = start()
    [line] = server.wait_for("Door ready")
    server.wait_for("everything")
    server.signal(signal.SIGSTOP)
    os.kill(pid_in(line), signal.SIGKILL)

    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        server.signal(signal.SIGCONT)
        answer = client.makefile().read()

    assert answer == str(pid_in(server.wait_for("Door ready")[0]))


def test_when_the_supervisor_is_killed_everybody_ends_within_three_seconds(start: Start) -> None:
    server = start("Base=never_stops")
    server.wait_for("everything")

    server.signal(signal.SIGKILL)

    assert len(server.family) == 5
    assert wait_until_gone(server.family, limit_s=3) == []


def test_a_new_server_waits_for_the_services_of_a_killed_one(start: Start, port: int) -> None:
    old = start("Door=never_stops")
    old.wait_for("everything")
    old.signal(signal.SIGKILL)

    new = start()

    [line] = new.wait_for("Door ready")
    assert ask(port) == str(pid_in(line))
    assert wait_until_gone(old.family, limit_s=0) == []


def test_a_new_server_kills_a_frozen_service_of_a_killed_one(start: Start) -> None:
    old = start()
    [line] = old.wait_for("Door ready")
    old.wait_for("everything")
    frozen = identify(pid_in(line))
    assert frozen is not None
    os.kill(frozen.pid, signal.SIGSTOP)
    old.signal(signal.SIGKILL)

    new = start()

    new.wait_for("everything")
    assert not is_alive(frozen)


def test_a_second_server_on_the_same_data_is_refused(start: Start) -> None:
    first = start()
    first.wait_for("everything")

    code, errors = start(AGENT_API_PORT=str(free_port())).finish()

    assert code == 1
    assert errors.count("\n") == 1
    assert f"in use by pid {first.pid}" in errors


def test_a_port_of_a_stranger_is_one_sentence_and_nothing_starts(
    start: Start, port: int, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        server = start()
        code, errors = server.finish()

    assert code == 1
    assert errors == (
        f"agpt: Port {port} on 127.0.0.1 is taken by another program;"
        " choose another one with AGENT_API_PORT.\n"
    )
    assert server.lines == []
    assert list((tmp_path / "data" / "run").glob("processes.*")) == []


def test_a_bad_setting_is_one_sentence_and_nothing_starts(start: Start) -> None:
    server = start(NUM_GRAPH_WORKERS="many")

    code, errors = server.finish()

    assert code == 1
    assert errors.startswith("agpt: NUM_GRAPH_WORKERS cannot be 'many' (environment): ")
    assert errors.count("\n") == 1
    assert server.lines == []


def test_a_data_directory_that_cannot_be_made_is_one_sentence(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    code, errors = start(AGPT_DATA_DIR=str(tmp_path / "file" / "data")).finish()

    assert code == 1
    assert "cannot be made" in errors
    assert errors.count("\n") == 1


def test_a_service_that_cannot_start_says_why_once_and_ends_all(start: Start) -> None:
    server = start("Engine=cannot_start")

    code, errors = server.finish()

    assert (code, errors) == (1, "agpt: The moon is in the wrong house.\n")
    assert events(server, "stopping")[-1] == "Base"


def test_a_service_that_breaks_at_its_start_names_its_log(start: Start, tmp_path: Path) -> None:
    code, errors = start("Engine=broken").finish()

    log = tmp_path / "data" / "logs" / "Engine.log"
    assert code == 1
    assert errors.splitlines()[-1].endswith(f"the reason is in {log}.")
    assert "nobody expected this" in log.read_text()


def test_a_service_that_is_killed_at_its_first_start_is_tried_again(start: Start) -> None:
    server = start("Base=dies_once")

    server.wait_for("everything")

    assert events(server, "starting").count("Base") == 2


def test_a_service_that_dies_again_and_again_ends_all(start: Start) -> None:
    server = start("Engine=dies_again_and_again")

    code, errors = server.finish()

    assert code == 1
    assert "agpt: Engine has died more than 10 times within 60 seconds" in errors
    assert events(server, "ready").count("Engine") == 11


def test_a_service_whose_loop_hangs_is_replaced(start: Start) -> None:
    server = start("Engine=hangs_once")
    [first] = server.wait_for("Engine ready")

    [second] = server.wait_for("Engine ready")

    assert pid_in(first) != pid_in(second)


def test_a_service_that_does_not_stop_is_killed_after_the_limit(start: Start) -> None:
    server = start("Door=never_stops", STOP_LIMIT_S="1")
    server.wait_for("everything")

    server.signal(signal.SIGTERM)
    code, _ = server.finish(limit_s=15)

    assert code == 0
    assert events(server, "stopping") == ["Engine", "Door", "Base"]


def test_a_second_signal_hurries(start: Start) -> None:
    server = start("Door=never_stops", STOP_LIMIT_S="3600")
    server.wait_for("everything")
    server.signal(signal.SIGTERM)
    server.wait_for("Door stopping")

    server.signal(signal.SIGTERM)

    assert server.finish(limit_s=15)[0] == 0


def test_a_signal_during_the_start_stops_what_has_started(start: Start) -> None:
    server = start()
    server.wait_for("Base starting")

    server.signal(signal.SIGTERM)
    code, errors = server.finish()

    assert (code, errors) == (0, "")
    assert wait_until_gone(server.family, limit_s=0) == []


def test_when_the_fork_server_is_killed_no_service_runs_twice(start: Start) -> None:
    server = start()
    server.wait_for("everything")
    before = {pid_in(line) for line in server.lines if " ready " in line}
    fork_server = psutil.Process(next(iter(before))).parent()
    # A frozen one cannot notice anything and end by itself.
    for pid in before:
        os.kill(pid, signal.SIGSTOP)

    assert fork_server is not None
    fork_server.kill()
    server.wait_for("Base ready", "Door ready", "Engine ready")

    assert [pid for pid in before if identify(pid) is not None] == []


def test_a_plain_process_may_end_by_itself(start: Start) -> None:
    server = start("task")

    code, errors = server.finish()

    assert (code, errors) == (0, "")
    assert events(server, "done") == ["Task"]
    assert events(server, "stopping") == ["Engine", "Door", "Base"]


def test_a_restart_leaves_no_descriptor_open(start: Start) -> None:
    server = start()
    server.wait_for("everything")
    line = next(line for line in server.lines if line.startswith("Engine ready"))
    before = psutil.Process(server.pid).num_fds()

    os.kill(pid_in(line), signal.SIGKILL)
    server.wait_for("Engine ready")

    assert psutil.Process(server.pid).num_fds() == before
