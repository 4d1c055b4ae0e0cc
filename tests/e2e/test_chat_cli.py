"""`agpt chat` against real processes: one question, a talk at a terminal, a stop, and no model."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result

from backend.cli import main
from backend.testing.providers import Answer, Asked, Call, ModelProvider, Scripted
from tests.e2e.harness import Server, serving, token, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONG: Final = " ".join(f"word{number}" for number in range(200))
#: What a terminal would obey: a title for its window, and a line that is written anew.
EVIL: Final = "harmless\x1b]0;owned\x07\x1b[2K\rtext"


def mind(asked: Asked) -> Scripted:
    """Look for agents when it is asked to; repeat how many questions there were."""
    text = asked.last_text
    outputs = [turn for turn in asked.heard if turn.role == "tool"]
    if "agents" in text and not outputs:
        return Answer(text="I look.", calls=(Call("find_library_agent", {}),))
    if "long" in text:
        return Answer(text=LONG, piece_pause_s=0.05)
    if "evil" in text:
        return Answer(text=EVIL)
    questions = sum(turn.role == "user" for turn in asked.heard)
    return Answer(text=f"That was question {questions}.")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with ExitStack() as stack:
        provider = stack.enter_context(ModelProvider(mind))
        yield stack.enter_context(
            serving(
                tmp_path_factory.mktemp("chat") / "data",
                CHAT_MODEL="gpt-4o",
                OPENAI_API_KEY="a key that only tests use",
                PROVIDER_BASE_URLS=json.dumps(provider.base_urls("openai")),
            )
        )


def words_of(server: Server, *words: str) -> list[str]:
    origin = f"http://127.0.0.1:{server.ports['AgentServer']}"
    return ["chat", *words, "--server", origin, "--token", token()]


def agpt(server: Server, *words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, words_of(server, *words), input=stdin)


def session_of(told: Result) -> str:
    found = re.search(r"^session (\S+)$", told.stderr, re.MULTILINE)
    assert found, told.stderr
    return found[1]


def test_one_question_is_answered_and_its_session_goes_on(server: Server) -> None:
    first = agpt(server, "Which agents have I?")
    second = agpt(server, "And now?", "--session", session_of(first))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout == "I look.\nThat was question 1.\n"
    assert "find_library_agent: There is no such agent in the library." in first.stderr
    assert second.stdout == "That was question 2.\n"
    listed = agpt(server, "--list")
    assert re.search(
        rf"^{session_of(first)}  \d{{4}}-.*  Which agents have I\?$", listed.stdout, re.MULTILINE
    )


def test_programs_get_one_object(server: Server) -> None:
    told = agpt(server, "-", "--json", stdin="Which agents\nhave I?")

    form = json.loads(told.stdout)
    assert (form["text"], form["error"]) == ("I look.\nThat was question 1.", None)
    assert [(one["tool"], one["input"], one["success"]) for one in form["tools"]] == [
        ("find_library_agent", {}, True)
    ]
    assert form["tools"][0]["output"]["type"] == "no_results"
    assert form["session_id"]


def test_lines_of_a_pipe_are_questions_of_one_session(server: Server) -> None:
    told = agpt(server, stdin="one\n\ntwo\n/exit\nthree\n")

    assert told.exit_code == 0
    assert told.stdout == "That was question 1.\nThat was question 2.\n"


def test_a_terminal_does_not_obey_what_is_said(server: Server) -> None:
    told = agpt(server, "Be evil.")

    assert told.stdout == "harmless]0;owned[2Ktext\n"


class Terminal:
    """`agpt chat` with somebody before it."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self._here, there = pty.openpty()
        stack.callback(os.close, self._here)
        self.process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "backend.cli", *words_of(server)],
                stdin=there,
                stdout=there,
                stderr=there,
                env={**os.environ, "TERM": "dumb"},
                start_new_session=True,
            )
        )
        stack.callback(self.process.kill)
        os.close(there)
        self._unread = bytearray()

    def types(self, text: bytes) -> None:
        os.write(self._here, text)

    def sees(self, text: bytes) -> None:
        """Read on until *text* is there."""
        while text not in self._unread:
            ready, _, _ = select.select([self._here], [], [], 30)
            assert ready, f"no {text!r} in {bytes(self._unread)!r}"
            self._unread.extend(os.read(self._here, 1024))
        del self._unread[: self._unread.index(text) + len(text)]


def test_somebody_at_a_terminal_is_prompted_and_may_stop_an_answer(server: Server) -> None:
    with ExitStack() as stack:
        terminal = Terminal(server, stack)
        terminal.sees(b"> ")
        terminal.types(b"Something long\n")
        terminal.sees(b"word3")

        terminal.process.send_signal(signal.SIGINT)

        terminal.sees(b"stopped")
        terminal.sees(b"> ")
        terminal.types(b"Another\n")
        terminal.sees(b"That was question 2.")
        terminal.sees(b"> ")
        terminal.types(b"\x04")
        terminal.sees(b"goes on with this.")
        assert terminal.process.wait(30) == 0


def test_a_script_that_is_interrupted_stops_the_answer(server: Server) -> None:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "backend.cli", *words_of(server, "Something long")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(4) == b"word"
        process.send_signal(signal.SIGINT)

        _, stderr = process.communicate(timeout=60)

    assert process.returncode == 130, stderr
    until(
        lambda: (
            server.rows(
                "SELECT count(*) FROM executions WHERE trigger = 'chat' AND status = 'TERMINATED'"
            )[0][0]
            >= 1
        ),
        what="the turn's end",
    )


def test_a_session_of_nobody_and_a_server_without_a_model_are_told_in_a_sentence(
    server: Server, tmp_path: Path
) -> None:
    told = agpt(server, "Hello", "--session", "8a1c7a4c-0000-4000-8000-000000000000")

    assert told.exit_code == 1
    assert "not found" in told.stderr
    with serving(tmp_path / "data", OPENAI_API_KEY="", CHAT_MODEL="gpt-4o") as without:
        told = agpt(without, "Hello")
        assert told.exit_code == 1
        assert "set OPENAI_API_KEY on the server" in told.stderr.replace("\n", " ")
        assert "Traceback" not in told.stderr
