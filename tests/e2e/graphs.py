"""The graphs of these tests, drawn as a person would draw them."""

from dataclasses import replace
from typing import Any

from backend.core.graph import Graph
from backend.core.ids import NodeId
from backend.usecases.drawing import Drawing


def web_chain(origin: str, steps: int, *, name: str = "chain") -> Graph:
    """Return *steps* requests, each sending what the one before was answered; input ``run``."""
    drawing = Drawing(name, "Each step does something outside.")
    given = drawing.node("AgentInputBlock", name="run")
    last = _step(drawing, origin, 0)
    drawing.link(given, "result", last, "body_#_run")
    for number in range(1, steps):
        following = _step(drawing, origin, number)
        drawing.link(last, "response", following, "body")
        last = following
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(last, "response", output, "value")
    return drawing.graph()


def _step(drawing: Drawing, origin: str, number: int) -> NodeId:
    return drawing.node("SendWebRequestBlock", url=f"{origin}/{number}")


def triggered_chain(origin: str, steps: int, *, name: str = "triggered") -> Graph:
    """Return *steps* requests, as `web_chain`; what a webhook gets is what the first one sends."""
    drawing = Drawing(name, "Something outside starts what is done outside.")
    last, pin = drawing.node("GenericWebhookTriggerBlock"), "payload"
    for number in range(steps):
        following = _step(drawing, origin, number)
        drawing.link(last, pin, following, "body")
        last, pin = following, "response"
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(last, pin, output, "value")
    return drawing.graph()


def preset_sample(*, name: str = "preset") -> Graph:
    """Return the graph of spec/semantics.md 5 "preset": a value is found in a dictionary."""
    drawing = Drawing(name, "Which value a dictionary has under a key.")
    dictionary = drawing.node("AgentInputBlock", name="dictionary")
    selected = drawing.node("AgentInputBlock", name="selected_value")
    store = drawing.node("StoreValueBlock")
    find = drawing.node("FindInDictionaryBlock")
    drawing.link(dictionary, "result", store, "input")
    drawing.link(selected, "result", find, "key")
    drawing.link(store, "output", find, "input")
    return drawing.graph()


def templates(count: int = 3, *, name: str = "templates") -> Graph:
    """Return pure steps that each put a mark after the text ``run``."""
    drawing = Drawing(name, "Nothing but texts.")
    last, pin = drawing.node("AgentInputBlock", name="run"), "result"
    for _ in range(count):
        following = drawing.node("FillTextTemplateBlock", format="{{ text }}!")
        drawing.link(last, pin, following, "values_#_text")
        last, pin = following, "output"
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(last, pin, output, "value")
    return drawing.graph()


def timer(*, name: str = "timer") -> Graph:
    """Return a graph that hands its input ``run`` on after ``seconds``, ``times`` times."""
    drawing = Drawing(name, "It comes when its time is over.")
    wait = drawing.node("CountdownTimerBlock")
    output = drawing.node("AgentOutputBlock", name="answer")
    for pin, given in (("input_message", "run"), ("seconds", "seconds"), ("repeat", "times")):
        drawing.link(drawing.node("AgentInputBlock", name=given), "result", wait, pin)
    drawing.link(wait, "output_message", output, "value")
    return drawing.graph()


def each_item(origin: str | None = None, *, name: str = "items") -> Graph:
    """Return a graph that does something for each of the input ``items``, and gives each out."""
    drawing = Drawing(name, "A list, one by one.")
    given = drawing.node("AgentInputBlock", name="items")
    items = drawing.node("StepThroughItemsBlock")
    drawing.link(given, "result", items, "items")
    output = drawing.node("AgentOutputBlock", name="answer")
    if origin is None:
        middle = drawing.node("FillTextTemplateBlock", format="item {{ item }}")
        drawing.link(items, "item", middle, "values_#_item")
        drawing.link(middle, "output", output, "value")
    else:
        middle = drawing.node("SendWebRequestBlock", url=f"{origin}/item")
        drawing.link(items, "item", middle, "body_#_run")
        drawing.link(middle, "response", output, "value")
    return drawing.graph()


def nesting(inner: Graph, *, name: str = "outer") -> Graph:
    """Return a graph that hands its ``run`` to *inner* and gives out what that answers."""
    drawing = Drawing(name, "An agent in an agent.")
    given = drawing.node("AgentInputBlock", name="run")
    agent = drawing.node(
        "AgentExecutorBlock",
        graph_id=inner.id,
        graph_version=inner.version,
        user_id="",
        input_schema=_schema("run"),
        output_schema=_schema("answer"),
    )
    drawing.link(given, "result", agent, "run")
    output = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(agent, "answer", output, "value")
    return replace(drawing.graph(), sub_graphs=(*inner.sub_graphs, replace(inner, sub_graphs=())))


def _schema(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {}}, "required": [name]}
