"""The agents that run during a check, and what must come out of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from backend.core.catalog import Catalog
from backend.core.graph import Graph
from backend.core.ids import NodeId
from backend.discovery import load_catalog
from backend.sdk import Effect, spec_of
from backend.selfcheck.blocks import SelfcheckOnceBlock
from backend.selfcheck.plan import Decision, Kind, RunPlan
from backend.usecases.drawing import Drawing

STREAMED: Final = 60
ITEMS: Final = 5
STEPS: Final = 4
ROUNDS: Final = 5
#: What the failing node says.
FAILURE: Final = "Comparison failed"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """
    What a run gives and does when it runs to its end.

    Attributes:
        outputs: Values by name, in order.
        calls: Steps that it calls outside, with their effect.
        in_order: Whether each step begins only when the one before, in *calls*, is finished.
        failure: What one of its nodes fails with; nothing: none fails.
        may_break: Whether a node of unknown outcome may end it early.
    """

    outputs: Mapping[str, list[Any]]
    calls: Mapping[str, Effect] = field(default_factory=dict)
    in_order: bool = False
    failure: str = ""
    may_break: bool = False


def graphs(origin: str) -> dict[Kind, Graph]:
    """Return the graph of each kind; *origin* is the counter's."""
    return {kind: draw(_Scene(kind.value, origin)) for kind, draw in _DRAWN.items()}


def inputs_of(plan: RunPlan) -> dict[str, Any]:
    """Return the inputs of a run. All have its name in ``run``."""
    inputs: dict[str, Any] = {"run": plan.name}
    if plan.kind is Kind.STREAM:
        inputs["items"] = list(range(STREAMED))
    elif plan.kind is Kind.EACH:
        inputs["items"] = list(range(ITEMS))
    elif plan.kind is Kind.LOOP:
        inputs["start"] = 0
    return inputs


def expected_of(plan: RunPlan) -> Expected:
    """Return what a run must come to."""
    return _EXPECTED[plan.kind](plan)


def edited(name: str) -> str:
    """Return what a person makes of the data of the run *name*."""
    return f"{name}, edited"


def _expected_of_each(plan: RunPlan) -> Expected:
    return Expected(
        outputs={"answer": [{"run": plan.name, "item": n} for n in range(ITEMS)]},
        calls={f"item/{n}": Effect.KEYED for n in range(ITEMS)},
    )


def _expected_of_steps(plan: RunPlan) -> Expected:
    effect = Effect.IDEMPOTENT if plan.kind is Kind.PUT else Effect.KEYED
    return Expected(
        outputs={"answer": [{"run": plan.name}]},
        calls={str(step): effect for step in range(STEPS)},
        in_order=True,
    )


def _expected_of_once(plan: RunPlan) -> Expected:
    return Expected(
        outputs={"answer": [plan.name]},
        calls={"first": Effect.AT_MOST_ONCE, "second": Effect.AT_MOST_ONCE},
        in_order=True,
        may_break=True,
    )


def _expected_of_join(plan: RunPlan) -> Expected:
    return Expected(
        outputs={"answer": [f"{plan.name} and {plan.name}"]}, calls={"join": Effect.KEYED}
    )


def _expected_of_stream(plan: RunPlan) -> Expected:
    return Expected(outputs={"answer": [f"{plan.name} {n}" for n in range(STREAMED)]})


def _expected_of_review(plan: RunPlan) -> Expected:
    if plan.decision is Decision.REJECT:
        return Expected(outputs={"rejected": [plan.name]})
    said = edited(plan.name) if plan.decision is Decision.EDIT else plan.name
    return Expected(
        outputs={"answer": [{"run": plan.name, "said": said}]}, calls={"decided": Effect.KEYED}
    )


_EXPECTED: Final[Mapping[Kind, Callable[[RunPlan], Expected]]] = {
    Kind.TEXT: lambda plan: Expected(outputs={"answer": [f"{plan.name}!!!"]}),
    Kind.STREAM: _expected_of_stream,
    Kind.LOOP: lambda plan: Expected(outputs={"answer": [f"{plan.name} {ROUNDS}"]}),
    Kind.JOIN: _expected_of_join,
    Kind.EACH: _expected_of_each,
    Kind.CHAIN: _expected_of_steps,
    Kind.PUT: _expected_of_steps,
    Kind.ONCE: _expected_of_once,
    Kind.NESTED: _expected_of_steps,
    Kind.REVIEW: _expected_of_review,
    Kind.FAILING: lambda plan: Expected(outputs={"answer": [f"{plan.name}!"]}, failure=FAILURE),
}


class _Scene(Drawing):
    """A drawing that knows where the counter is."""

    def __init__(self, name: str, origin: str) -> None:
        catalog = Catalog([*load_catalog(), spec_of(SelfcheckOnceBlock)])
        super().__init__(f"selfcheck {name}", "Runs while its server is killed.", catalog=catalog)
        self.title = name
        self.origin = origin
        self.given = self.node("AgentInputBlock", name="run")

    def answer(self, source: NodeId, output: str, *, name: str = "answer") -> None:
        """Give out what comes from a pin."""
        node = self.node("AgentOutputBlock", name=name)
        self.link(source, output, node, "value")

    def call(self, step: str, *, method: str = "POST") -> NodeId:
        """Place a call to the counter."""
        return self.node("SendWebRequestBlock", url=f"{self.origin}/{step}", method=method)

    def text(self, form: str) -> NodeId:
        """Place a template."""
        return self.node("FillTextTemplateBlock", format=form)

    def calls_in_a_row(self, *, method: str = "POST") -> None:
        """Place steps of which each sends what the one before was answered."""
        last = self.call("0", method=method)
        self.link(self.given, "result", last, "body_#_run")
        for step in range(1, STEPS):
            following = self.call(str(step), method=method)
            self.link(last, "response", following, "body")
            last = following
        self.answer(last, "response")


def _text(scene: _Scene) -> Graph:
    last, output = scene.given, "result"
    for _ in range(3):
        following = scene.text("{{ text }}!")
        scene.link(last, output, following, "values_#_text")
        last, output = following, "output"
    scene.answer(last, output)
    return scene.graph()


def _stream(scene: _Scene) -> Graph:
    given = scene.node("AgentInputBlock", name="items")
    items = scene.node("StepThroughItemsBlock")
    scene.link(given, "result", items, "items")
    text = scene.text("{{ run }} {{ item }}")
    scene.link(scene.given, "result", text, "values_#_run")
    scene.link(items, "item", text, "values_#_item")
    scene.answer(text, "output")
    return scene.graph()


def _loop(scene: _Scene) -> Graph:
    start = scene.node("AgentInputBlock", name="start")
    add = scene.node("CalculatorBlock", operation="Add", b=1)
    more = scene.node("ConditionBlock", operator="<", value2=ROUNDS)
    text = scene.text("{{ run }} {{ count }}")
    scene.link(start, "result", add, "a")
    scene.link(add, "result", more, "value1")
    scene.link(more, "yes_output", add, "a")
    scene.link(more, "no_output", text, "values_#_count")
    scene.link(scene.given, "result", text, "values_#_run")
    scene.answer(text, "output")
    return scene.graph()


def _join(scene: _Scene) -> Graph:
    kept = scene.node("StoreValueBlock")
    call = scene.call("join")
    text = scene.text("{{ kept }} and {{ called.run }}")
    scene.link(scene.given, "result", kept, "input")
    scene.link(scene.given, "result", call, "body_#_run")
    scene.link(kept, "output", text, "values_#_kept")
    scene.link(call, "response", text, "values_#_called")
    scene.answer(text, "output")
    return scene.graph()


def _each(scene: _Scene) -> Graph:
    given = scene.node("AgentInputBlock", name="items")
    items = scene.node("StepThroughItemsBlock")
    call = scene.call("item")
    scene.link(given, "result", items, "items")
    scene.link(scene.given, "result", call, "body_#_run")
    scene.link(items, "item", call, "body_#_item")
    scene.answer(call, "response")
    return scene.graph()


def _chain(scene: _Scene) -> Graph:
    scene.calls_in_a_row()
    return scene.graph()


def _put(scene: _Scene) -> Graph:
    scene.calls_in_a_row(method="PUT")
    return scene.graph()


def _once(scene: _Scene) -> Graph:
    first = scene.node("SelfcheckOnceBlock", url=f"{scene.origin}/first")
    second = scene.node("SelfcheckOnceBlock", url=f"{scene.origin}/second")
    scene.link(scene.given, "result", first, "run")
    scene.link(first, "run", second, "run")
    scene.answer(second, "run")
    return scene.graph()


def _nested(scene: _Scene) -> Graph:
    inner = _chain(_Scene(f"{scene.title} inner", scene.origin))
    agent = scene.node(
        "AgentExecutorBlock",
        graph_id=inner.id,
        graph_version=inner.version,
        user_id="",
        input_schema=_schema("run"),
        output_schema=_schema("answer"),
    )
    scene.link(scene.given, "result", agent, "run")
    scene.answer(agent, "answer")
    return replace(scene.graph(), sub_graphs=(inner,))


def _schema(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {}}, "required": [name]}


def _review(scene: _Scene) -> Graph:
    ask = scene.node("HumanInTheLoopBlock", name="Is this right?")
    call = scene.call("decided")
    scene.link(scene.given, "result", ask, "data")
    scene.link(scene.given, "result", call, "body_#_run")
    scene.link(ask, "approved_data", call, "body_#_said")
    scene.answer(call, "response")
    scene.answer(ask, "rejected_data", name="rejected")
    return scene.graph()


def _failing(scene: _Scene) -> Graph:
    fails = scene.node("ConditionBlock", value1=[1], operator="<", value2=2)
    text = scene.text("{{ text }}!")
    scene.link(scene.given, "result", fails, "yes_value")
    scene.link(scene.given, "result", text, "values_#_text")
    scene.answer(text, "output")
    return scene.graph()


_DRAWN: Final[Mapping[Kind, Callable[[_Scene], Graph]]] = {
    Kind.TEXT: _text,
    Kind.STREAM: _stream,
    Kind.LOOP: _loop,
    Kind.JOIN: _join,
    Kind.EACH: _each,
    Kind.CHAIN: _chain,
    Kind.PUT: _put,
    Kind.ONCE: _once,
    Kind.NESTED: _nested,
    Kind.REVIEW: _review,
    Kind.FAILING: _failing,
}
