"""The line between a service and its supervisor; identities; and the end of log files."""

import json
import os
from multiprocessing import Pipe
from pathlib import Path

from backend.cli.logs import last_lines
from backend.util.control import ControlLine, ControlReader
from backend.util.identity import Identity, identify, is_alive, wait_until_gone
from backend.util.record import ServiceRecord, read_records, record_path, write_record


def test_messages_arrive_whole_and_in_order() -> None:
    ours, theirs = Pipe(duplex=False)
    reader, line = ControlReader(ours), ControlLine(theirs)

    line.beat()
    line.ready("here\nand there")
    line.failed("why")

    assert list(reader.read()) == [{"beat": 1}, {"ready": "here\nand there"}, {"failed": "why"}]
    theirs.close()
    assert list(reader.read()) == []
    assert reader.ended
    reader.close()


def test_a_supervisor_that_does_not_read_holds_nobody_up() -> None:
    ours, theirs = Pipe(duplex=False)
    line = ControlLine(theirs)

    for _ in range(100_000):
        line.beat()

    reader = ControlReader(ours)
    assert all(message == {"beat": 1} for message in reader.read())
    reader.close()
    line.beat()
    theirs.close()


def test_a_long_reason_is_cut_but_arrives() -> None:
    ours, theirs = Pipe(duplex=False)
    reader = ControlReader(ours)

    ControlLine(theirs).failed("ü" * 10_000)

    [message] = reader.read()
    assert set(str(message["failed"])) == {"ü"}
    theirs.close()
    reader.close()


def test_a_pid_with_another_birth_is_somebody_else() -> None:
    me = identify(os.getpid())

    assert me is not None
    assert is_alive(me)
    assert not is_alive(Identity(pid=me.pid, birth="long ago"))


def test_a_child_that_nobody_has_waited_for_is_gone_all_the_same() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    identity = identify(child) or Identity(pid=child, birth="gone already")

    assert wait_until_gone([identity], limit_s=5) == []

    assert identify(child) is None
    os.waitpid(child, 0)


def test_a_record_that_is_no_record_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    service = ServiceRecord(name="Door", state="ready", pid=1, birth="b", address="here")
    write_record(tmp_path, [service])
    for number, text in enumerate(["", "[]", "{}", '{"supervisor": 1, "services": []}', "\x00"]):
        record_path(tmp_path, number).write_text(text)

    [record] = read_records(tmp_path).values()

    assert record.services == (service,)
    assert record.supervisor == identify(os.getpid())


def test_the_end_of_several_logs_is_in_order_of_time(tmp_path: Path) -> None:
    for name, seconds in (("a", (1, 3, 5)), ("b", (2, 4))):
        text = "".join(json.dumps({"timestamp": f"2026-01-01T00:00:0{s}"}) + "\n" for s in seconds)
        (tmp_path / f"{name}.log").write_text(text)

    found = last_lines([tmp_path / "a.log", tmp_path / "b.log"], 3)

    assert [json.loads(line)["timestamp"][-1] for _, line in found] == ["3", "4", "5"]


def test_the_end_of_a_long_log_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(f"line {number}\n" for number in range(50_000)))

    assert last_lines([path], 2) == [("a", "line 49998"), ("a", "line 49999")]
    assert last_lines([path], 0) == []
