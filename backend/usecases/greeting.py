"""The smallest graph that something outside starts: a webhook, a template, an output."""

from backend.core.graph import Graph
from backend.usecases.drawing import Drawing


def create_test_graph() -> Graph:
    """
    Return a graph that greets whoever is named in what its webhook gets.

    Set up with the constants ``{"greeting": "Hello"}`` and sent ``{"name": "World"}`` it gives out
    "Hello, World!" under the name ``answer``.
    """
    drawing = Drawing("Greeting", "Greets whoever is named in what its webhook gets.")
    trigger = drawing.node("GenericWebhookTriggerBlock")
    template = drawing.node("FillTextTemplateBlock", format="{{greeting}}, {{name}}!")
    answer = drawing.node("AgentOutputBlock", name="answer")
    drawing.link(trigger, "constants_#_greeting", template, "values_#_greeting")
    drawing.link(trigger, "payload_#_name", template, "values_#_name")
    drawing.link(template, "output", answer, "value")
    return drawing.graph()
