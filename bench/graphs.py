"""The graphs of the workloads, as a client sends them."""

from typing import Any

INPUT = "c0a8e994-ebf1-4a9c-a4d8-89d09c86741b"
OUTPUT = "363ae599-353e-4804-937e-b2ee3cef3da4"
TEMPLATE = "db7d8f02-2f44-4c55-ab7a-eae0941f0c30"
STORE = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"
REQUEST = "6595ae1f-b924-42cb-9a41-551a0611c4b4"
STEP = "f66a3543-28d3-4ab5-8945-9b336371e2ce"


def node(node_id: str, block: str, /, **inputs: Any) -> dict[str, Any]:
    """Return a node."""
    return {"id": node_id, "block_id": block, "input_default": inputs}


def link(source: str, output: str, sink: str, pin: str) -> dict[str, Any]:
    """Return a link."""
    return {"source_id": source, "source_name": output, "sink_id": sink, "sink_name": pin}


def graph(name: str, nodes: list[dict[str, Any]], links: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a graph."""
    return {"name": name, "description": "", "nodes": nodes, "links": links}


def sample() -> dict[str, Any]:
    """Two inputs, a template, a store."""
    return graph(
        "W1",
        [
            node("a", INPUT, name="input_1"),
            node("b", INPUT, name="input_2"),
            node("t", TEMPLATE, format="{{a}}, {{b}}{{c}}", **{"values_#_c": "!!!"}),
            node("s", STORE),
        ],
        [
            link("a", "result", "t", "values_#_a"),
            link("b", "result", "t", "values_#_b"),
            link("t", "output", "s", "input"),
        ],
    )


def chain(length: int) -> dict[str, Any]:
    """Return a chain of stores."""
    return graph(
        "W2",
        [node("n0", STORE, input="x"), *(node(f"n{i}", STORE) for i in range(1, length))],
        [link(f"n{i}", "output", f"n{i + 1}", "input") for i in range(length - 1)],
    )


def items() -> dict[str, Any]:
    """Step through items, fill a template with each, collect them."""
    return graph(
        "W3",
        [
            node("i", INPUT, name="items"),
            node("e", STEP),
            node("t", TEMPLATE, format="item {{v}}"),
            node("o", OUTPUT, name="out"),
        ],
        [
            link("i", "result", "e", "items"),
            link("e", "item", "t", "values_#_v"),
            link("t", "output", "o", "value"),
        ],
    )


def requests(origin: str, steps: int) -> dict[str, Any]:
    """Return a chain of web requests, `{origin}/{step}`, each after the answer of the one before."""
    return graph(
        "W5",
        [
            node("i", INPUT, name="given"),
            *(node(f"r{n}", REQUEST, url=f"{origin}/{n}") for n in range(steps)),
            node("o", OUTPUT, name="out"),
        ],
        [
            link("i", "result", "r0", "body_#_given"),
            *(link(f"r{n}", "response", f"r{n + 1}", "body") for n in range(steps - 1)),
            link(f"r{steps - 1}", "response", "o", "value"),
        ],
    )
