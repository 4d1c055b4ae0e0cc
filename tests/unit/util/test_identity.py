"""Who is dead: a process is not before its last thread is."""

import subprocess
import sys

import pytest

from backend.util.identity import identify, is_alive, kill_for_certain

#: Its first thread ends, and the other one holds what the process had opened.
HEADLESS = """
import ctypes, threading
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_whose_first_thread_is_gone_is_alive_until_the_others_are() -> None:
    with subprocess.Popen([sys.executable, "-c", HEADLESS], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        identity = identify(process.pid)
        assert identity is not None
        while (state := state_of(process.pid)) != "Z":
            assert state in "RSD"

        alive_without_its_first = is_alive(identity)
        left = kill_for_certain([identity], limit_s=10)
        process.kill()

        assert (alive_without_its_first, left) == (True, [])


def state_of(pid: int) -> str:
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 -- one word of it
        return stat.read().rpartition(")")[2].split()[0]
