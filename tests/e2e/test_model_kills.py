"""
``kill -9`` of the executor while models are asked: in rounds, streams, agents in agents, budgets.

All runs are under way in one server and two kills meet them all: an executor's first call of a
model loads the client libraries, which takes seconds.
"""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

import pytest
from click.testing import CliRunner

from backend.cli import main
from backend.core.graph import Graph
from backend.testing.providers import (
    Answer,
    Asked,
    Call,
    ModelProvider,
    Reply,
    Request,
    Scripted,
    Silence,
    StandIn,
)
from backend.usecases.drawing import Drawing
from tests.e2e.effects import Effect, EffectCounter
from tests.e2e.graphs import nesting
from tests.e2e.harness import KEY, SERVICES, Json, Server, Socket, assert_consistent, serving, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

MODEL: Final = "gpt-4o"
USER_LIMIT: Final = 100
LIMIT_S: Final = 60.0
LONG: Final = " ".join(f"word{number}" for number in range(400))
WEB, TABLE = "sendwebrequestblock", "airtablecreaterecordsblock"
IN_MODEL: Final = 3  #: the round in whose call of the model the first kill comes
IN_TOOLS: Final = 5  #: the round in whose tools the second one comes
ROUNDS: Final = 7


def deciding(origin: str, table: Json) -> Graph:
    """Return an agent with two tools: a keyed one, and one that must not be repeated."""
    drawing = Drawing("deciding", "A model calls what does something outside.")
    given = drawing.node("AgentInputBlock", name="run")
    model = drawing.node(
        "SmartDecisionMakerBlock",
        prompt="deciding {{run}}",
        model=MODEL,
        agent_mode_max_iterations=10,
        multiple_tool_calls=True,
    )
    web = drawing.node("SendWebRequestBlock", url=origin, body={"run": "decides"})
    rows = drawing.node(
        "AirtableCreateRecordsBlock", base_id="app1", table_id_or_name="T", credentials=table
    )
    drawing.link(given, "result", model, "prompt_values_#_run")
    drawing.link(model, "tools", web, "url")
    drawing.link(model, "tools", rows, "records")
    _answer(drawing, model, "finished")
    return drawing.graph()


def limited() -> Graph:
    """Return an agent whose model calls a pure tool twice, and then is done."""
    drawing = Drawing("limited", "A model with a budget.")
    given = drawing.node("AgentInputBlock", name="run")
    model = drawing.node(
        "SmartDecisionMakerBlock",
        prompt="limited {{run}}",
        model=MODEL,
        agent_mode_max_iterations=5,
    )
    text = drawing.node("FillTextTemplateBlock", format="{{ text }}!")
    drawing.link(given, "result", model, "prompt_values_#_run")
    drawing.link(model, "tools", text, "values_#_text")
    _answer(drawing, model, "finished")
    return drawing.graph()


def asking(*marks: str) -> Graph:
    """Return a graph that asks a model once for each of *marks*, one after the other."""
    drawing = Drawing(marks[0], "Asks a model.")
    last, pin = drawing.node("AgentInputBlock", name="run"), "result"
    for mark in marks:
        ask = drawing.node("AITextGeneratorBlock", prompt=f"{mark}: {{{{text}}}}", model=MODEL)
        drawing.link(last, pin, ask, "prompt_values_#_text")
        last, pin = ask, "response"
    _answer(drawing, last, pin)
    return drawing.graph()


def _answer(drawing: Drawing, node: Any, pin: str) -> None:
    drawing.link(node, pin, drawing.node("AgentOutputBlock", name="answer"), "value")


class Mind:
    """
    What the model answers. Calls that a kill is to meet do not end the first time.

    Attributes:
        met: Their names, once they are under way.
        budget_is_set: The first question of the run with a budget is answered after this.
    """

    def __init__(self, origin: str) -> None:
        self.met: set[str] = set()
        self.budget_is_set = threading.Event()
        self._origin = origin

    def __call__(self, asked: Asked) -> Scripted | None:
        rounds = sum(bool(turn.calls) for turn in asked.heard)
        match asked.last_text.partition(":")[0].split()[0]:
            case "deciding":
                if rounds == IN_MODEL and self._is_first("deciding"):
                    return Silence()
                return self._decision(rounds)
            case "limited":
                name = asked.tool_names[0]
                [argument] = asked.tools[name]["properties"]
                calls = (Call(name, {argument: f"text {rounds}"}),)
                return Answer(calls=calls) if rounds < 2 else Answer(text="within limits")
            case "streaming":
                return Answer(text=LONG, piece_pause_s=0.1 if self._is_first("streaming") else 0)
            case "first":
                self.budget_is_set.wait(LIMIT_S)
                return Answer(text="one")
            case mark:  # inner, second
                return Silence() if self._is_first(mark) else Answer(text=f"{mark} answer")

    def _decision(self, rounds: int) -> Answer:
        if rounds == ROUNDS - 1:
            return Answer(text="all done")
        calls = [Call(WEB, {"url": f"{self._origin}/{rounds}"})]
        if rounds == IN_TOOLS:
            calls.append(Call(TABLE, {"records": [{"Name": "Ann"}]}))
        return Answer(calls=calls)

    def _is_first(self, name: str) -> bool:
        is_first = name not in self.met
        self.met.add(name)
        return is_first


class Story:
    """
    What happened when it was played.

    Attributes:
        ids: (graph, run) by the name of the graph.
        reserved: What budgets held back at the first kill, by their scope.
        seen: What a watcher had read of the streamed answer by then.
        why: What `agpt why` says of the run that waits for its budget.
        asked_at_pause: Questions of that run by the second kill.
        overshoots: Budgets of which more was used and reserved than there is.
    """

    server: Server

    def __init__(self) -> None:
        self.outside = outside = EffectCounter()
        self.mind = Mind(outside.origin)
        self.provider = ModelProvider(self.mind)
        self.table = StandIn(self._make_rows)
        self.ids: dict[str, tuple[str, str]] = {}
        self.ended: dict[str, Json] = {}
        self.reserved: dict[str, int] = {}
        self.seen = self.why = ""
        self.asked_at_pause = 0
        self.overshoots: list[Any] = []
        self._killed_in_tools = threading.Event()
        self._over = threading.Event()
        self._looks = threading.Thread(target=self._look_at_budgets)

    def close(self) -> None:
        self._over.set()
        if self._looks.is_alive():
            self._looks.join()
        self._killed_in_tools.set()
        self.mind.budget_is_set.set()
        self.provider.close()
        self.table.close()
        self.outside.close()

    @property
    def settings(self) -> dict[str, str]:
        """What a server needs to know of who plays the world outside."""
        places = self.provider.base_urls("openai") | {"airtable": self.table.origin}
        return {
            "PROVIDER_BASE_URLS": json.dumps(places),
            "OPENAI_API_KEY": "key to the models",
            "TRUST_ENDPOINTS_FOR_REQUESTS": self.outside.origin,
        }

    def cli(self, *words: str) -> str:
        """Run a command of `agpt` beside the server; return what it says."""
        ports = {SERVICES[name]: str(port) for name, port in self.server.ports.items()}
        arguments = [*words, "--data-dir", str(self.server.data_dir)]
        # In this process: one that starts anew each time takes seconds beside a busy server.
        ended = CliRunner().invoke(main, arguments, env={**ports, "JWT_VERIFY_KEY": KEY})
        assert ended.exit_code == 0, ended.output
        return ended.output

    def play(self) -> None:
        """Start all runs, kill the executor in the middle of their calls, let them end."""
        rest, server = self.server.rest, self.server
        self.cli("budget", "set", str(USER_LIMIT), "--unit", "calls")
        graphs = {
            "deciding": deciding(self.outside.origin, self._key_to_table()),
            "streaming": asking("streaming"),
            "nested": nesting(asking("inner")),
            "reserved": asking("first", "second"),
            "limited": limited(),
        }
        ids = {name: rest.add(graph) for name, graph in graphs.items()}
        of_limited = ("--unit", "calls", "--total", "--graph", ids["limited"])
        self.cli("budget", "set", "2", *of_limited)
        self.ids = {name: (id_, rest.start(id_, run="r")) for name, id_ in ids.items()}
        self._kill_in_models()
        self._kill_in_tools()
        self.asked_at_pause = len(self.asked_by("limited"))
        for name in set(ids) - {"limited"}:
            self.ended[name] = rest.ended(*self.ids[name], limit_s=LIMIT_S)
        assert rest.run(*self.ids["limited"])["status"] == "REVIEW"
        self.cli("budget", "set", "3", *of_limited)
        self.ended["limited"] = rest.ended(*self.ids["limited"], limit_s=LIMIT_S)
        assert_consistent(server)

    def asked_by(self, mark: str) -> list[Asked]:
        """Return the questions that begin with *mark*, in order."""
        return [one for one in self.provider.asked if one.last_text.startswith(mark)]

    def _kill_in_models(self) -> None:
        watcher = Socket(self.server)
        watcher.subscribe(self.ids["streaming"][1])
        run = self.ids["reserved"][1]
        until(
            lambda: bool(self.asked_by("first")),
            limit_s=LIMIT_S,
            what="a question before the budget",
        )
        # Both for its second question: what a kill cuts short counts in full.
        self.cli("budget", "set", "2", "--unit", "calls", "--run", run)
        self._looks.start()
        self.mind.budget_is_set.set()
        while not self.seen:
            frame = watcher.receive(limit_s=LIMIT_S)
            if frame["method"] == "node_execution_text_event":
                self.seen += frame["data"]["text"]
        watcher.close()
        met = {"deciding", "streaming", "inner", "second"}
        until(lambda: met <= self.mind.met, limit_s=LIMIT_S, what=f"{met} under way")
        until(self._is_paused, limit_s=LIMIT_S, what="the pause for the budget")
        self.why = self.cli("why", self.ids["limited"][1])
        query = "SELECT scope, reserved FROM budgets"
        self.reserved = dict(self.server.rows(query))
        self.server.kill("ExecutionManager")

    def _kill_in_tools(self) -> None:
        def hold(effect: Effect) -> None:
            if effect.step == str(IN_TOOLS):
                self._killed_in_tools.wait(LIMIT_S)

        self.outside.on_effect = hold

        def are_under_way() -> bool:
            steps = {effect.step for effect in list(self.outside.effects)}
            return str(IN_TOOLS) in steps and bool(self.table.requests)

        until(are_under_way, limit_s=LIMIT_S, what="both tools under way")
        self.server.kill("ExecutionManager")
        self._killed_in_tools.set()

    def _is_paused(self) -> bool:
        return bool(self.server.rest.run(*self.ids["limited"])["status"] == "REVIEW")

    def _look_at_budgets(self) -> None:
        query = "SELECT * FROM budgets WHERE used + reserved > limit_amount"
        while not self._over.wait(0.02):
            self.overshoots += self.server.rows(query)

    def _key_to_table(self) -> Json:
        mine = {"provider": "airtable", "type": "api_key"}
        body = {**mine, "title": "mine", "api_key": "key to the table"}
        kept = self.server.rest.ask("POST", "/integrations/airtable/credentials", body)
        assert kept.status_code == 201, kept.text
        return {"id": kept.json()["id"], **mine}

    def _make_rows(self, request: Request) -> Reply:
        del request
        self._killed_in_tools.wait(LIMIT_S)
        return Reply.json({"records": []})


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    found = Story()
    try:
        with serving(tmp_path_factory.mktemp("kills") / "data", **found.settings) as server:
            found.server = server
            found.play()
            yield found
            server.stop()
            server.assert_nothing_left()
    finally:
        found.close()


def test_every_run_ends_with_what_it_would_have_given_without_a_kill(story: Story) -> None:
    given = {name: (run["status"], run["outputs"]["answer"]) for name, run in story.ended.items()}

    assert given == {
        "deciding": ("COMPLETED", ["all done"]),
        "streaming": ("COMPLETED", [LONG]),
        "nested": ("COMPLETED", ["inner answer"]),
        "reserved": ("COMPLETED", ["second answer"]),
        "limited": ("COMPLETED", ["within limits"]),
    }


def test_only_the_calls_in_flight_at_a_kill_are_made_again_with_their_keys(story: Story) -> None:
    by_body: defaultdict[str, list[str]] = defaultdict(list)
    for asked in story.provider.asked:
        # Streamed or not depends on who watches at that moment, and is no part of the question.
        body = {name: it for name, it in asked.body.items() if not name.startswith("stream")}
        by_body[json.dumps(body, sort_keys=True)].append(asked.key)

    twice = [keys for keys in by_body.values() if len(keys) > 1]
    assert len(by_body) == ROUNDS + 1 + 1 + 2 + 3
    assert [len(keys) for keys in twice] == [2] * len(twice)
    assert len(twice) == len({"deciding", "streaming", "inner", "second"})
    assert all(keys[0] and keys[0] == keys[-1] for keys in by_body.values())
    assert len({keys[0] for keys in by_body.values()}) == len(by_body)


def test_tools_are_called_once_but_for_the_one_in_flight_with_its_key(story: Story) -> None:
    done = story.outside.of("decides")

    counts = {step: len(effects) for step, effects in done.items()}
    assert counts == {str(number): 1 + (number == IN_TOOLS) for number in range(ROUNDS - 1)}
    assert all(len({effect.key for effect in effects}) == 1 for effects in done.values())
    assert len({effects[0].key for effects in done.values()}) == ROUNDS - 1


def test_a_tool_that_must_not_be_repeated_is_told_to_the_model_as_unknown(story: Story) -> None:
    assert len(story.table.requests) == 1
    last = story.asked_by("deciding")[-1].heard
    web, rows = [turn.text for turn in last if turn.role == "tool"][-2:]
    assert "UnknownOutcome" not in web
    assert "UnknownOutcome" in json.loads(rows)["error"]


def test_a_watcher_had_read_some_of_the_answer_that_was_cut(story: Story) -> None:
    assert LONG.startswith(story.seen)
    assert 0 < len(story.seen) < len(LONG)


def test_budgets_hold_and_nothing_stays_reserved(story: Story) -> None:
    listed = {
        one["scope"]: (one["used"], one["reserved"], one["limit"], one["waiting"])
        for one in json.loads(story.cli("budget", "list", "--json"))
    }

    assert story.overshoots == []
    assert story.reserved == {"user": 4, "run": 1, "graph": 0}
    assert listed == {
        "user": (len(story.provider.asked), 0, USER_LIMIT, 0),
        "run": (2, 0, 2, 0),
        "graph": (3, 0, 3, 0),
    }
    assert story.server.rows("SELECT * FROM budget_reservations") == []


def test_a_run_at_its_limit_waits_says_so_and_goes_on_when_it_is_raised(story: Story) -> None:
    graph_id, run_id = story.ids["limited"]

    assert f"run {run_id} is REVIEW." in story.why
    assert f"budget of agent {graph_id} (calls in all, set by the operator)" in story.why
    assert "2 calls of 2 calls used" in story.why
    assert story.asked_at_pause == 2
    assert Counter(one.key for one in story.asked_by("limited")).most_common(1)[0][1] == 1
