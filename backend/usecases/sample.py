"""The smallest graph that shows inputs, a template, a static link and a stored value."""

from backend.core.graph import Graph
from backend.usecases.drawing import Drawing


def create_test_graph() -> Graph:
    """
    Return the sample graph.

    Run with ``{"input_1": "Hello", "input_2": "World"}`` it stores "Hello, World!!!"
    (spec/semantics.md 5).
    """
    drawing = Drawing("TestGraph", "Two inputs are put into a text, and the text is kept.")
    first = drawing.node("AgentInputBlock", name="input_1")
    second = drawing.node(
        "AgentInputBlock", name="input_2", description="The second of the two texts."
    )
    template = drawing.node(
        "FillTextTemplateBlock", format="{{a}}, {{b}}{{c}}", **{"values_#_c": "!!!"}
    )
    store = drawing.node("StoreValueBlock")
    drawing.link(first, "result", template, "values_#_a")
    drawing.link(second, "result", template, "values_#_b")
    drawing.link(template, "output", store, "input")
    return drawing.graph()
