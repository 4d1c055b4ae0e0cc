"""Each sandbox against the spec of its port, and what one of them does besides."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from backend.adapters.sandbox import ChosenSandboxes, Kind
from backend.adapters.sandbox.bubblewrap import Bubblewrap
from backend.adapters.sandbox.monty import Monty
from backend.adapters.sandbox.rooms import SandboxRooms
from backend.core.errors import NotConfigured, ProcessEnded
from backend.ports.sandbox import CodeStep, Sandboxes
from backend.testing.sandbox import ANN, LIMITS, SandboxSpec


def _jail_works() -> bool:
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        return False
    words = [bubblewrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


FORKS = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        break"

needs_jail = pytest.mark.skipif(not _jail_works(), reason="bubblewrap does not work here")


class TestMonty(SandboxSpec):
    @pytest.fixture
    async def sandboxes(self) -> AsyncIterator[Sandboxes]:
        made = SandboxRooms(Monty(LIMITS), LIMITS)
        yield made
        await made.close()

    async def test_what_it_does_not_know_is_said(self, sandboxes: Sandboxes) -> None:
        code = "import numpy"

        outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

        assert "a part of Python" in (outcome.error or "")
        with pytest.raises(NotConfigured, match=r"bash cannot be run here.*CODE_SANDBOX"):
            await sandboxes.run(ANN, [CodeStep(code="ls", language="bash")], time_s=10)


@needs_jail
class TestBubblewrap(SandboxSpec):
    @pytest.fixture
    async def sandboxes(self) -> AsyncIterator[Sandboxes]:
        made = SandboxRooms(Bubblewrap(LIMITS), LIMITS)
        yield made
        await made.close()

    async def test_it_is_all_of_python(self, sandboxes: Sandboxes) -> None:
        code = (
            "import asyncio, csv, ctypes, io, json, sqlite3\n"
            "class A:\n    pass\n"
            "class B(A):\n    def __repr__(self):\n        return 'b'\n"
            "def numbers():\n    yield from range(3)\n"
            "await asyncio.sleep(0)\n"
            "open('a.txt', 'w').write('kept')\n"
            "(B(), list(numbers()), open('/tmp/a.txt').read())"
        )

        outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

        assert outcome.error is None
        assert outcome.results == ({"text": "(b, [0, 1, 2], 'kept')"},)

    async def test_bash_shares_the_files(self, sandboxes: Sandboxes) -> None:
        steps = [
            CodeStep(code="echo 7 > /tmp/n; echo written", language="bash"),
            CodeStep(code="int(open('/tmp/n').read())"),
        ]

        outcome = await sandboxes.run(ANN, steps, time_s=10)

        assert (outcome.stdout, outcome.results) == ("written\n", ({"text": "7"},))

    async def test_bash_that_fails_says_why(self, sandboxes: Sandboxes) -> None:
        step = CodeStep(code="echo oh no >&2; exit 3", language="bash")

        outcome = await sandboxes.run(ANN, [step], time_s=10)

        assert outcome.error == "bash ended with exit status 3: oh no"

    @pytest.mark.parametrize("language", ["js", "r", "java"])
    async def test_another_language_is_refused(self, sandboxes: Sandboxes, language: str) -> None:
        with pytest.raises(NotConfigured, match=f"not {language}: give e2b"):
            await sandboxes.run(ANN, [CodeStep(code="1", language=language)], time_s=10)

    @pytest.mark.parametrize(
        ("code", "language"),
        [
            (":(){ :|:& };:; sleep 5", "bash"),
            (FORKS, "python"),
        ],
        ids=["shell", "python"],
    )
    async def test_a_fork_bomb_ends_with_its_sandbox(
        self, sandboxes: Sandboxes, code: str, language: str
    ) -> None:
        with suppress(ProcessEnded):
            await sandboxes.run(ANN, [CodeStep(code=code, language=language)], time_s=1)

        outcome = await sandboxes.run(ANN, [CodeStep(code="1 + 1")], time_s=10)
        assert outcome.results == ({"text": "2"},)
        assert _of_sandboxes() == []

    async def test_memory_of_many_processes_counts_together(self, sandboxes: Sandboxes) -> None:
        code = (
            "import os, time\n"
            "for _ in range(4):\n"
            "    if not os.fork():\n"
            "        x = b'y' * 80_000_000\n"
            "        time.sleep(20)\n"
            "time.sleep(20)"
        )

        with pytest.raises(ProcessEnded, match="CODE_SANDBOX_MEMORY_MB"):
            await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

    @pytest.mark.parametrize("place", ["/tmp/x", "/dev/shm/x", "/x", "/usr/x", "/dev/x"])
    async def test_files_do_not_fill_the_machine(self, sandboxes: Sandboxes, place: str) -> None:
        code = f"open({place!r}, 'wb').write(b'x' * {LIMITS.disk_bytes * 2})"

        outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

        assert "Error" in (outcome.error or "")

    async def test_no_memory_stands_beside_that_of_processes(self, sandboxes: Sandboxes) -> None:
        code = (
            "import ctypes, os\n"
            "c = ctypes.CDLL(None, use_errno=True)\n"
            "[c.memfd_create(b'x', 0), c.shmget(0, 4096, 0o1600), c.unshare(0x10000000),\n"
            " c.ptrace(0, 0, 0, 0), c.syscall(425, 8, 0)]"
        )

        outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

        assert outcome.results == ({"text": "[-1, -1, -1, -1, -1]", "json": [-1] * 5},)

    async def test_what_it_says_about_itself_is_not_believed(self, sandboxes: Sandboxes) -> None:
        code = (
            "import os, struct\n"
            "for number in range(3, 250):\n"
            "    try:\n"
            "        os.write(number, struct.pack('>I', 4) + b'nope')\n"
            "    except OSError:\n"
            "        pass"
        )

        with pytest.raises(ProcessEnded, match="nonsense"):
            await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

    async def test_it_ends_with_the_server(self) -> None:
        program = (
            "import asyncio\n"
            "from backend.adapters.sandbox.bubblewrap import Bubblewrap\n"
            "from backend.testing.sandbox import LIMITS\n"
            "from backend.ports.sandbox import CodeStep\n"
            "async def main():\n"
            "    session = await Bubblewrap(LIMITS).start(20)\n"
            "    print('up', flush=True)\n"
            "    await session.run(CodeStep(code='import time; time.sleep(19)'), time_s=20)\n"
            "asyncio.run(main())"
        )
        words = [sys.executable, "-c", program]
        server = subprocess.Popen(words, stdout=subprocess.PIPE)  # noqa: ASYNC220 - at once
        assert server.stdout is not None
        await asyncio.to_thread(server.stdout.readline)
        assert _of_sandboxes() != []

        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server.stdout.close()

        until_s = time.monotonic() + 5
        while _of_sandboxes() and time.monotonic() < until_s:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.02)
        assert _of_sandboxes() == []


def _of_sandboxes() -> list[str]:
    """Return the command lines of processes that are in a sandbox of ours."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
        except OSError:
            continue
        if b"/run/inside.py" in words:
            found.append(words.decode(errors="replace"))
    return found


class TestChosenSandboxes:
    async def test_off_says_the_setting(self) -> None:
        sandboxes = ChosenSandboxes(Kind.OFF, LIMITS)

        with pytest.raises(NotConfigured, match="setting CODE_SANDBOX is off"):
            await sandboxes.run(ANN, [CodeStep(code="1")], time_s=1)

    async def test_what_does_not_work_is_found_out_and_said(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        alone = ChosenSandboxes(Kind.BUBBLEWRAP, LIMITS)
        either = ChosenSandboxes(Kind.AUTO, LIMITS)

        with pytest.raises(NotConfigured, match=r"bwrap.*is not installed.*CODE_SANDBOX"):
            await alone.run(ANN, [CodeStep(code="1")], time_s=10)
        outcome = await either.run(ANN, [CodeStep(code="1 + 1")], time_s=10)

        assert outcome.results == ({"text": "2"},)
        assert either.kind is Kind.MONTY
        assert "not installed" in either.reason
        await either.close()

    @needs_jail
    async def test_bubblewrap_comes_first_where_it_works(self) -> None:
        sandboxes = ChosenSandboxes(Kind.AUTO, LIMITS)

        await sandboxes.run(ANN, [CodeStep(code="1")], time_s=10)

        assert sandboxes.kind is Kind.BUBBLEWRAP
        await sandboxes.close()
