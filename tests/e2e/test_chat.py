"""The copilot with real processes and a stand-in for the model: asked, watched, killed, stopped."""

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from backend.cli import main
from backend.core.graph import Graph
from backend.testing.providers import Answer, Asked, Call, ModelProvider, Scripted, Silence
from backend.usecases.drawing import Drawing
from tests.e2e.chatting import Answer as Streamed
from tests.e2e.chatting import Chat
from tests.e2e.effects import EffectCounter
from tests.e2e.harness import Server, assert_consistent, serving, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LONG: Final = " ".join(f"word{number}" for number in range(60))
ORDERS: Final = ("first", "second")


def ordering(origin: str) -> Graph:
    """Return an agent that does something outside."""
    drawing = Drawing("ordering", "Orders what it is told.")
    given = drawing.node("AgentInputBlock", name="what")
    web = drawing.node("SendWebRequestBlock", url=f"{origin}/order", method="POST")
    drawing.link(given, "result", web, "body_#_run")
    drawing.link(web, "response", drawing.node("AgentOutputBlock", name="done"), "value")
    return drawing.graph()


class Mind:
    """What the model says, by what was said to it. Calls that a kill is to meet do not end at first."""

    def __init__(self) -> None:
        self.graph_id = ""
        self.hangs: set[str] = set()
        self.hung: set[str] = set()

    def __call__(self, asked: Asked) -> Scripted:
        text = asked.last_text
        told = [json.loads(turn.text) for turn in asked.heard if turn.role == "tool"]
        if "order" not in text:
            return Answer(text=LONG, piece_pause_s=0.05)
        point = f"after {len(told)}"
        if point in self.hangs and point not in self.hung:
            self.hung.add(point)
            return Silence()
        if len(told) < len(ORDERS):
            inputs = {"what": ORDERS[len(told)]}
            call = Call("run_agent", {"graph_id": self.graph_id, "inputs": inputs})
            return Answer(text="I order. ", calls=(call,))
        return Answer(text="Both are ordered.")


class Scene:
    """A server, what is outside of it, and a model."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.mind = Mind()
        self.outside = EffectCounter()
        stack.callback(self.outside.close)
        self.provider = stack.enter_context(ModelProvider(self.mind))
        self.server: Server = stack.enter_context(
            serving(
                folder / "data",
                CHAT_MODEL="gpt-4o",
                OPENAI_API_KEY="a key that only tests use",
                PROVIDER_BASE_URLS=json.dumps(self.provider.base_urls("openai")),
                TRUST_ENDPOINTS_FOR_REQUESTS=self.outside.origin,
            )
        )
        self.mind.graph_id = self.server.rest.add(ordering(self.outside.origin))

    def asked_after(self, outputs: int) -> int:
        """Return how often the model was asked with so many outputs of tools before it."""
        return sum(
            sum(turn.role == "tool" for turn in asked.heard) == outputs
            for asked in self.provider.asked
            if "order" in asked.last_text
        )


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path_factory.mktemp("chat"), stack)


@pytest.fixture
def chat(scene: Scene) -> Chat:
    return Chat(scene.server)


def test_text_comes_in_pieces_as_it_is_said(scene: Scene, chat: Chat) -> None:
    answer = chat.ask("Tell me much.").whole()

    assert answer.kinds == ["start", "text-start", "text-delta", "text-end", "finish"]
    assert answer.text == LONG
    assert len(answer.of("text-delta")) > 3
    assert [line for line in answer.lines if line][-2:] == [
        'data: {"type":"finish"}',
        "data: [DONE]",
    ]
    assert [one["content"] for one in chat.messages()] == ["Tell me much.", LONG]


def test_a_turn_lives_through_kills_of_the_executor_in_the_model_and_in_a_tool(
    scene: Scene, chat: Chat
) -> None:
    scene.mind.hangs = {"after 1"}
    scene.outside.slow_s = 2.0
    arrived = threading.Event()
    scene.outside.on_effect = lambda effect: arrived.set() if effect.run == "second" else None

    answer = chat.ask("Please order both.", key="once")
    until(lambda: "after 1" in scene.mind.hung, what="the question that is never answered")
    scene.server.kill("ExecutionManager")
    assert arrived.wait(60)
    scene.server.kill("ExecutionManager")
    answer.whole()

    assert answer.of("error") == []
    assert [one["type"] for one in answer.outputs] == ["agent_output", "agent_output"]
    assert [one["outputs"]["done"][0]["run"] for one in answer.outputs] == list(ORDERS)
    assert answer.kinds[-5:] == ["start", "text-start", "text-delta", "text-end", "finish"]
    # The agent was run once for each call, and what it does outside has one key each time.
    runs = scene.server.rest.get("/executions")
    assert sorted(run["inputs"]["what"] for run in runs) == sorted(ORDERS)
    assert {run["status"] for run in runs} == {"COMPLETED"}
    assert len({effect.key for effect in scene.outside.effects}) == len(ORDERS)
    # What the model had said was not asked for again.
    assert [scene.asked_after(outputs) for outputs in (0, 1, 2)] == [1, 2, 1]
    roles = [one["role"] for one in chat.messages()]
    assert roles == ["user", "assistant", "tool", "assistant", "tool", "assistant"]
    again = chat.ask("Please order both.", key="once").whole()
    assert (again.outputs, again.text) == (answer.outputs, "I order. I order. Both are ordered.")


def test_a_turn_is_stopped_like_a_run(scene: Scene, chat: Chat) -> None:
    answer = chat.ask("Tell me slowly.")
    until(lambda: answer.of("text-delta") or None, what="the first piece")

    stopped: Any = scene.server.rest.stop(
        answer.headers["x-graph-id"], answer.headers["x-graph-exec-id"]
    )

    assert stopped is not None
    assert [one["code"] for one in answer.whole().of("error")] == ["TURN_STOPPED"]
    assert chat.ask("Go on then.").whole().text == LONG


def test_a_turn_goes_on_when_who_asked_is_gone(scene: Scene, chat: Chat) -> None:
    answer: Streamed = chat.ask("Tell me while I am away.")
    until(lambda: answer.of("text-delta") or None, what="the first piece")
    answer.close()

    until(lambda: len(chat.messages()) == 2, what="the message")


def test_afterwards_all_is_consistent(scene: Scene) -> None:
    assert scene.server.rest.get("/usage")["days"]
    assert scene.server.rows("SELECT count(*) FROM notices WHERE type = 'AGENT_RUN'") == [(2,)]
    assert_consistent(scene.server)
    options = ["doctor", "--data-dir", str(scene.server.data_dir)]
    told = CliRunner().invoke(main, options, env={"AGPT_DATA_DIR": str(scene.server.data_dir)})
    assert told.exit_code == 0, told.output
