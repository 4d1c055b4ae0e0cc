"""The spec of sandboxes: what each must do with code that behaves, and with code that does not."""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, Self

import pytest

from backend.core.errors import NotFound, ProcessEnded, TooManyRequests
from backend.core.ids import UserId
from backend.ports.sandbox import CodeOutcome, CodeStep, Sandboxes, SandboxLimits

ANN, BOB = UserId("ann"), UserId("bob")
CANARY: Final = "canary-5c1f0a"

#: Small, so that each limit is met soon.
LIMITS: Final = SandboxLimits(
    count=2,
    kept=2,
    time_s=20.0,
    memory_bytes=192 * 1024 * 1024,
    disk_bytes=4 * 1024 * 1024,
    output_bytes=64 * 1024,
    processes=24,
)

#: Tries to get out. *{file}* holds the canary, *{port}* is a server of this machine, *{pid}* and
#: *{parent}* are the test's own processes. Each says what it found, and must find nothing.
ESCAPES: Final = {
    "a file of the host": "print(open({file!r}).read())",
    "a file of the host by pathlib": "import pathlib\nprint(pathlib.Path({file!r}).read_text())",
    "a file through a link": (
        "import os\nos.symlink({file!r}, '/tmp/link')\nprint(open('/tmp/link').read())"
    ),
    "a file through the root of another process": (
        "import glob\n"
        "for process in glob.glob('/proc/[0-9]*'):\n"
        "    try:\n"
        "        print(open(process + '/' + 'root' + {file!r}).read())\n"
        "    except OSError as exc:\n"
        "        print(exc.errno)"
    ),
    "the folder of the host": "import os\nprint(os.listdir({folder!r}))",
    "what it was started with": "import os\nprint(dict(os.environ))",
    "the environment of all processes": (
        "import glob\n"
        "for name in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):\n"
        "    try:\n"
        "        print(open(name, 'rb').read())\n"
        "    except OSError as exc:\n"
        "        print(exc.errno)"
    ),
    "a server of this machine": (
        "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2).send(b'out')"
    ),
    "a socket of the kernel": "import socket\nsocket.socket(socket.AF_NETLINK, 3)\nprint({canary!r})",
    "a signal to who started it": (
        "import os, signal\n"
        "for pid in ({pid}, {parent}):\n"
        "    try:\n"
        "        os.kill(pid, signal.SIGKILL)\n"
        "        print({canary!r})\n"
        "    except OSError as exc:\n"
        "        print(exc.errno)"
    ),
    "the classes behind a value": (
        "for kind in ().__class__.__bases__[0].__subclasses__():\n"
        "    if kind.__name__ == '_wrap_close':\n"
        "        print(kind.__init__.__globals__['popen']('cat ' + {file!r}).read())"
    ),
    "the frames of who called": (
        "import sys\n"
        "frame = sys._getframe()\n"
        "while frame:\n"
        "    print(sorted(frame.f_globals))\n"
        "    frame = frame.f_back\n"
        "print(open({file!r}).read())"
    ),
    "the attributes of a format": "print('{{0.__class__.__init__.__globals__}}'.format(print))",
    "the memory of who started it": "print(open('/proc/{pid}/mem', 'rb').read(10))\nprint({canary!r})",
    "a shell": "import subprocess\nprint(subprocess.check_output(['cat', {file!r}]))",
    "another user": "import os\nos.setuid(0)\nprint(open({file!r}).read())",
    "a mount": (
        "import ctypes\n"
        "c = ctypes.CDLL(None)\n"
        "print(c.unshare(0x10000000), c.mount(b'/', b'/tmp', None, 4096, None))\n"
        "print(open('/tmp' + {file!r}).read())"
    ),
    "a file that would be run outside": (
        "open('/usr/lib/python3.py', 'w').write('x')\nprint({canary!r})"
    ),
}


class SandboxSpec:
    """Give a fixture `sandboxes` with `LIMITS`; every test must pass."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Iterator["Outside"]:
        """Give what may not be reached."""
        with Outside(tmp_path) as made:
            yield made

    async def test_it_says_what_was_printed_and_what_came_out(self, sandboxes: Sandboxes) -> None:
        """Both streams apart, and the value of the last expression."""
        code = "import sys\nprint('hello')\nprint('oh', file=sys.stderr)\n{'a': [1, 2.5, None]}"

        outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

        assert outcome == CodeOutcome(
            stdout="hello\n",
            stderr="oh\n",
            results=({"text": "{'a': [1, 2.5, None]}", "json": {"a": [1, 2.5, None]}},),
        )

    async def test_what_the_code_raises_is_its_outcome(self, sandboxes: Sandboxes) -> None:
        """With its line, and without lines of ours."""
        code = "print('so far')\nnumbers = []\nnumbers[3]"

        outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)

        assert outcome.stdout == "so far\n"
        assert outcome.error is not None
        assert "IndexError: list index out of range" in outcome.error
        assert "line 3" in outcome.error
        assert "inside.py" not in outcome.error

    @pytest.mark.parametrize("code", ["def f(:", "\0", "\ud800", "(" * 2000])
    async def test_what_is_no_code_is_an_error(self, sandboxes: Sandboxes, code: str) -> None:
        """Whatever a parser thinks of it."""
        try:
            outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=10)
        except ProcessEnded:
            return

        assert outcome.error

    async def test_steps_go_on_where_the_one_before_left_off(self, sandboxes: Sandboxes) -> None:
        """Values stay."""
        room, opened = await sandboxes.open(ANN, [CodeStep(code="x = 20\nprint(x)")], keep_s=10)

        first = await sandboxes.step(ANN, room, CodeStep(code="x += 1"))
        second = await sandboxes.step(ANN, room, CodeStep(code="x * 2"))

        assert opened.stdout == "20\n"
        assert first == CodeOutcome()
        assert second.results == ({"text": "42"},)

    async def test_a_sandbox_is_its_owners(self, sandboxes: Sandboxes) -> None:
        """Somebody else's id is one that does not exist."""
        room, _ = await sandboxes.open(ANN, [CodeStep(code="x = 1")], keep_s=10)

        with pytest.raises(NotFound):
            await sandboxes.step(BOB, room, CodeStep(code="x"))
        await sandboxes.end(BOB, room)

        assert (await sandboxes.step(ANN, room, CodeStep(code="x"))).results == ({"text": "1"},)

    async def test_what_has_ended_is_not_there(self, sandboxes: Sandboxes) -> None:
        """Ended by its owner, or by its time."""
        room, _ = await sandboxes.open(ANN, [], keep_s=10)
        await sandboxes.end(ANN, room)
        await sandboxes.end(ANN, room)
        short, _ = await sandboxes.open(ANN, [], keep_s=0.05)
        await asyncio.sleep(0.1)  # its time: nothing tells of its end

        for gone in (room, short, "local-unknown"):
            with pytest.raises(NotFound):
                await sandboxes.step(ANN, gone, CodeStep(code="1"))

    async def test_nobody_keeps_all_of_them(self, sandboxes: Sandboxes) -> None:
        """One user has half of them at most."""
        await sandboxes.open(ANN, [], keep_s=10)

        with pytest.raises(TooManyRequests, match="CODE_SANDBOX_KEPT"):
            await sandboxes.open(ANN, [], keep_s=10)

        await sandboxes.open(BOB, [], keep_s=10)

    async def test_two_sandboxes_know_nothing_of_each_other(self, sandboxes: Sandboxes) -> None:
        """Also when the same process serves both."""
        await sandboxes.run(ANN, [CodeStep(code=f"secret = {CANARY!r}")], time_s=10)

        outcome = await sandboxes.run(BOB, [CodeStep(code="secret")], time_s=10)

        assert "NameError" in (outcome.error or "")

    async def test_nothing_gets_out(self, sandboxes: Sandboxes, outside: "Outside") -> None:
        """One after the other in one sandbox, so that each finds what the one before has left."""
        room = ""
        for what, code in ESCAPES.items():
            if not room:
                room, _ = await sandboxes.open(ANN, [], keep_s=20)
            filled = outside.fill(code)
            try:
                outcome = await sandboxes.step(ANN, room, CodeStep(code=filled))
            except ProcessEnded:
                outcome, room = CodeOutcome(), ""

            assert CANARY not in f"{outcome.stdout}{outcome.stderr}{outcome.results}", what
            # An error shows the lines of the code itself.
            assert CANARY not in (outcome.error or "").replace(repr(CANARY), ""), what
            assert outside.is_untouched(), what

    @pytest.mark.parametrize(
        ("code", "setting", "time_s"),
        [
            ("while True:\n    pass", "CODE_SANDBOX_TIME_LIMIT_S", 0.5),
            ("x = []\nwhile True:\n    x.append('y' * 10_000_000)", "CODE_SANDBOX_MEMORY_MB", 20),
            ("while True:\n    print('x' * 1000)", "CODE_SANDBOX_OUTPUT_KB", 20),
            ("'x' * 100_000", "CODE_SANDBOX_OUTPUT_KB", 20),
        ],
        ids=["loop", "memory", "output", "result"],
    )
    async def test_a_limit_says_its_name(
        self, sandboxes: Sandboxes, code: str, setting: str, time_s: float
    ) -> None:
        """The limit, and the setting that moves it."""
        try:
            outcome = await sandboxes.run(ANN, [CodeStep(code=code)], time_s=time_s)
        except ProcessEnded as exc:
            said = str(exc)
        else:
            said = outcome.error or ""

        # A single process may be refused more memory before all of it is too much.
        assert setting in said or (setting.endswith("MEMORY_MB") and "MemoryError" in said)

    async def test_who_gave_code_too_little_time_is_told(self, sandboxes: Sandboxes) -> None:
        """It is the step's own time that ended it, not the server's."""
        endless = [CodeStep(code="while True: pass")]

        with pytest.raises(ProcessEnded, match=r"0\.1 s that this step gives it \(CODE_SANDBOX"):
            await sandboxes.run(ANN, endless, time_s=0.1)

    async def test_the_next_one_runs_after_one_that_was_ended(self, sandboxes: Sandboxes) -> None:
        """A place is free again."""
        for _ in range(LIMITS.count + 1):
            with pytest.raises(ProcessEnded):
                await sandboxes.run(ANN, [CodeStep(code="while True: pass")], time_s=0.1)

        outcome = await sandboxes.run(ANN, [CodeStep(code="1 + 1")], time_s=10)

        assert outcome.results == ({"text": "2"},)

    async def test_who_stops_waiting_ends_it(self, sandboxes: Sandboxes) -> None:
        """The place of who was cancelled is free again."""
        endless = sandboxes.run(ANN, [CodeStep(code="while True: pass")], time_s=20)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await endless

        others = [sandboxes.run(ANN, [CodeStep(code="1")], time_s=10) for _ in range(LIMITS.count)]

        assert [one.results for one in await asyncio.gather(*others)] == [({"text": "1"},)] * 2


class Outside:
    """What lies outside of a sandbox: a file, a server, this process. None of it may be reached."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "secret.txt"
        self._server = socket.socket()

    def __enter__(self) -> Self:
        self._file.write_text(CANARY)
        self._server.bind(("127.0.0.1", 0))
        self._server.listen()
        self._server.setblocking(False)
        os.environ["AGPT_TEST_SECRET"] = CANARY
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ["AGPT_TEST_SECRET"]
        self._server.close()

    def fill(self, code: str) -> str:
        """Return *code* with the places of what it looks for."""
        return code.format(
            file=str(self._file),
            folder=str(self._folder),
            port=self._server.getsockname()[1],
            pid=os.getpid(),
            parent=os.getppid(),
            canary=CANARY,
        )

    def is_untouched(self) -> bool:
        """Say whether nobody came."""
        try:
            with closing(self._server.accept()[0]):
                return False
        except BlockingIOError:
            return sorted(self._folder.iterdir()) == [self._file]


class RecitedSandboxes:
    """
    See backend.ports.sandbox.Sandboxes.

    It runs nothing: it knows by heart what the code of examples comes to. All other code is unknown
    to it, and no sandbox is kept.
    """

    _KNOWN: Final = {
        "print('Hello World')\n6 * 7": CodeOutcome(
            stdout="Hello World\n", results=({"text": "42"},)
        ),
        "1 / 0": CodeOutcome(error="ZeroDivisionError: division by zero"),
        "raise KeyError('x')": CodeOutcome(error="KeyError: 'x'"),
    }

    async def run(
        self,
        user_id: UserId,  # noqa: ARG002 - as the port has it
        steps: Sequence[CodeStep],
        *,
        time_s: float,  # noqa: ARG002 - as the port has it
    ) -> CodeOutcome:
        """See the port."""
        return self._KNOWN[steps[-1].code]

    async def open(
        self, user_id: UserId, steps: Sequence[CodeStep], *, keep_s: float
    ) -> tuple[str, CodeOutcome]:
        """See the port."""
        return "local-gone", await self.run(user_id, steps, time_s=keep_s)

    async def step(self, user_id: UserId, sandbox_id: str, step: CodeStep) -> CodeOutcome:
        """See the port."""
        raise NotFound(f"This sandbox is not there: {sandbox_id}, of {user_id}, for {step}.")

    async def end(self, user_id: UserId, sandbox_id: str) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""
