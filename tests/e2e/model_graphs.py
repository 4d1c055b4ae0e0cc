"""Random graphs of local blocks, and what each of their nodes must do: told a second time.

Only graphs whose result cannot depend on who is faster: no circles, one link into each pin, and a
value that is kept is the only one of its kind unless it is all that its sink waits for. So each
node can be worked out from the values that reach its pins, in lists, without events or queues. It
shares no code with backend/core.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from hypothesis import strategies as st

from backend.core.graph import Graph
from backend.core.ids import NodeId
from backend.usecases.drawing import Drawing

Values = dict[str, Any]
Outputs = list[tuple[str, Any]]

ANY, NUMBER, TEXT, OBJECT, LIST, NUMBERS = "any", "number", "text", "object", "list", "numbers"
CALCULATOR_ID: Final = "b1ab9b19-67a6-406d-abf5-2dba76d00c79"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A block as these graphs use it."""

    block: str
    pins: dict[str, str]  #: the pins that may be linked, with the type they take
    outputs: dict[str, str]
    run: Callable[[Values], Outputs]
    required: frozenset[str] = frozenset()  #: None on one of these waits for ever
    defaults: tuple[Values, ...] = ({},)
    is_static: bool = False
    is_many: bool = False  #: yields several values on a pin


def _calculate(inputs: Values) -> Outputs:
    a, b = float(inputs["a"]), float(inputs["b"])
    match inputs["operation"]:
        case "Add":
            return [("result", a + b)]
        case "Multiply":
            return [("result", a * b)]
    if b == 0:
        reason = f"{a} cannot be divided by zero"
        text = f"raised by CalculatorBlock with message: {reason}. block_id: {CALCULATOR_ID}"
        return [("error", text)]
    return [("result", a / b)]


def _fill(inputs: Values) -> Outputs:
    values = inputs["values"]
    return [("output", f"<{values.get('x', '')}|{values.get('y', '')}>")]


def _step(inputs: Values) -> Outputs:
    outputs: Outputs = []
    for key, item in enumerate(inputs.get("items") or []):
        outputs += [("item", item), ("key", key)]
    return outputs


def _compare(inputs: Values) -> Outputs:
    left, right = inputs["value1"], inputs["value2"]
    if left > right:
        return [("result", True), ("yes_output", left)]
    return [("result", False), ("no_output", right)]


def _give(pin: str, default: str) -> Callable[[Values], Outputs]:
    return lambda inputs: [(pin, inputs.get(default))]


KINDS: Final = (
    Kind(
        block="StoreValueBlock",
        pins={"input": ANY},
        required=frozenset({"input"}),
        outputs={"output": ANY},
        run=_give("output", "input"),
        is_static=True,
    ),
    Kind(
        block="FillTextTemplateBlock",
        pins={"values_#_x": ANY, "values_#_y": ANY},
        defaults=({"format": "<{{ x }}|{{ y }}>"},),
        outputs={"output": TEXT},
        run=_fill,
    ),
    Kind(
        block="CreateDictionaryBlock",
        pins={"values_#_a": ANY, "values_#_b": ANY},
        outputs={"dictionary": OBJECT, "dictionary_#_a": ANY},
        run=_give("dictionary", "values"),
    ),
    Kind(
        block="AddToListBlock",
        pins={"entry": ANY, "list": LIST},
        outputs={"updated_list": LIST},
        run=lambda inputs: [
            (
                "updated_list",
                (inputs.get("list") or [])
                + ([] if inputs.get("entry") is None else [inputs["entry"]]),
            )
        ],
    ),
    Kind(
        block="ReverseListOrderBlock",
        pins={"input_list": LIST},
        required=frozenset({"input_list"}),
        outputs={"reversed_list": LIST},
        run=lambda inputs: [("reversed_list", inputs["input_list"][::-1])],
    ),
    Kind(
        block="StepThroughItemsBlock",
        pins={"items": LIST},
        outputs={"item": ANY, "key": NUMBER},
        run=_step,
        is_many=True,
    ),
    Kind(
        block="StepThroughItemsBlock",
        pins={"items": NUMBERS},
        outputs={"item": NUMBER, "key": NUMBER},
        run=_step,
        is_many=True,
    ),
    Kind(
        block="CalculatorBlock",
        pins={"a": NUMBER, "b": NUMBER},
        required=frozenset({"a", "b"}),
        defaults=(
            {"operation": "Add", "a": 1, "b": 2},
            {"operation": "Multiply", "a": 3, "b": 2},
            {"operation": "Divide", "a": 7, "b": 0},
        ),
        outputs={"result": NUMBER, "error": TEXT},
        run=_calculate,
    ),
    Kind(
        block="ConditionBlock",
        pins={"value1": NUMBER},
        required=frozenset({"value1"}),
        defaults=({"operator": ">", "value2": 1},),
        outputs={"result": ANY, "yes_output": NUMBER, "no_output": NUMBER},
        run=_compare,
    ),
)
OUTPUT: Final = Kind(
    block="AgentOutputBlock",
    pins={"value": ANY},
    outputs={},
    run=lambda inputs: [("output", inputs.get("value")), ("name", inputs["name"])],
)
INPUT: Final = Kind(
    block="AgentInputBlock",
    pins={},
    outputs={"result": ANY},
    run=lambda inputs: [] if inputs["value"] is None else [("result", inputs["value"])],
    is_static=True,
)
#: Drawn more often: what makes many executions, and what they can all do.
STREAMS: Final = tuple(kind for kind in KINDS if kind.is_many)
NUMERIC: Final = tuple(kind for kind in KINDS if NUMBER in kind.pins.values())

GIVEN: Final = (
    (NUMBER, 5),
    (NUMBERS, [1, None, 3]),
    (NUMBERS, [4, 5]),
    (NUMBERS, [0, 2, 2]),
    (LIST, ["a", [1], {"k": None}]),
    (TEXT, "wörter"),
    (OBJECT, {"a": 1, "b": [2]}),
    (ANY, None),
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """An output that may be linked."""

    node: int
    pin: str
    type: str
    is_static: bool
    is_many: bool

    def fits(self, wanted: str) -> bool:
        return wanted in (ANY, self.type) or (wanted, self.type) == (LIST, NUMBERS)


@dataclass(kw_only=True)
class Place:
    """A node of a case: what is linked to its pins, and what it was given else."""

    kind: Kind
    defaults: Values
    links: dict[str, Source] = field(default_factory=dict)


@dataclass(kw_only=True)
class Case:
    """A graph and what a run of it is given."""

    places: list[Place] = field(default_factory=list)
    inputs: Values = field(default_factory=dict)

    def graph(self) -> Graph:
        drawing = Drawing("model", "Drawn by chance.")
        nodes: list[NodeId] = []
        for place in self.places:
            nodes.append(drawing.node(place.kind.block, **place.defaults))
            for pin, source in place.links.items():
                drawing.link(nodes[source.node], source.pin, nodes[-1], pin)
        return drawing.graph()

    def nested(self) -> Graph:
        """Return a graph that has this one as its only step, with the same inputs and outputs."""
        inner = self.graph()
        gives = [p.defaults["name"] for p in self.places if p.kind is OUTPUT]
        drawing = Drawing("outer", "An agent in an agent.")
        agent = drawing.node(
            "AgentExecutorBlock",
            graph_id=inner.id,
            graph_version=inner.version,
            user_id="",
            input_schema=_shape(self.inputs),
            output_schema=_shape(gives),
        )
        for name in self.inputs:
            drawing.link(drawing.node("AgentInputBlock", name=name), "result", agent, name)
        for name in gives:
            drawing.link(agent, name, drawing.node("AgentOutputBlock", name=name), "value")
        return replace(drawing.graph(), sub_graphs=(inner,))


def _shape(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {} for name in names}, "required": [*names]}


@dataclass(frozen=True, kw_only=True)
class Done:
    """One execution of a node: its status, its inputs, and its outputs in order."""

    status: str
    inputs: Values
    outputs: Outputs


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case."""
    case = Case()
    sources: list[Source] = []
    for _ in range(draw(st.integers(1, 3))):
        type_, value = draw(st.sampled_from(GIVEN))
        name = f"in{len(case.places)}"
        case.inputs[name] = value
        _add(case, sources, Place(kind=INPUT, defaults={"name": name}), type_)
    for _ in range(draw(st.integers(3, 10))):
        kind = draw(st.sampled_from((*KINDS, *STREAMS, *NUMERIC, *NUMERIC, OUTPUT)))
        place = Place(kind=kind, defaults=dict(draw(st.sampled_from(kind.defaults))))
        if kind is OUTPUT:
            place.defaults["name"] = f"out{len(case.places)}"
        _link(draw, place, sources)
        if place.links:
            first = next(iter(place.links.values()))
            _add(case, sources, place, first.type if kind.block == "StoreValueBlock" else None)
    return case


def _link(draw: st.DrawFn, place: Place, sources: list[Source]) -> None:
    pins = [
        (pin, [source for source in sources if source.fits(wanted)])
        for pin, wanted in place.kind.pins.items()
    ]
    pins = [(pin, fitting) for pin, fitting in pins if fitting]
    if len(pins) > 1 and draw(st.booleans()):
        # Several kept values for a sink that waits for another pin, too: who is faster decides.
        pins = [(p, [s for s in fit if not (s.is_static and s.is_many)]) for p, fit in pins]
    else:
        pins = pins[:1] if draw(st.booleans()) else pins[-1:]
    # The later ones are the more interesting ones.
    place.links = {
        pin: fitting[max(draw(st.integers(0, len(fitting) - 1)) for _ in range(2))]
        for pin, fitting in pins
        if fitting
    }


def _add(case: Case, sources: list[Source], place: Place, type_: str | None) -> None:
    many = place.kind.is_many or any(source.is_many for source in place.links.values())
    for pin, own in place.kind.outputs.items():
        sources.append(
            Source(
                node=len(case.places),
                pin=pin,
                type=type_ or own,
                is_static=place.kind.is_static,
                is_many=many,
            )
        )
    case.places.append(place)


def expected(case: Case) -> list[list[Done]]:
    """Return the executions of each node, in the order in which they are queued."""
    done: list[list[Done]] = []
    for place in case.places:
        given = {pin: _values(done[source.node], source.pin) for pin, source in place.links.items()}
        done.append([_execute(place, case, slot) for slot in _slots(place, given)])
    return done


def _values(executions: list[Done], pin: str) -> list[Any]:
    """Return what came out of a pin; of a part of it, what there was."""
    base, _, key = pin.partition("_#_")
    values = [value for done in executions for name, value in done.outputs if name == base]
    if not key:
        return values
    return [value[key] for value in values if value.get(key) is not None]


def _slots(place: Place, given: dict[str, list[Any]]) -> list[tuple[bool, Values]]:
    """Pair the n-th with the n-th; say of each whether it is whole."""
    if not place.links:
        return [(True, {})]
    kept = [pin for pin, source in place.links.items() if source.is_static]
    count = max(map(len, given.values()))
    slots = [
        {pin: values[number] for pin, values in given.items() if number < len(values)}
        for number in range(count)
    ]
    alone = len(place.links) == 1
    latched = bool(slots) and _is_whole(place, slots[0])
    found = []
    for slot in slots:
        filled = slot if alone or not latched else {**{pin: slots[0][pin] for pin in kept}, **slot}
        whole = _is_whole(place, filled)
        found.append((whole, filled if whole else slot))
    # What waits for ever stands behind what ran.
    return sorted(found, key=lambda one: not one[0])


def _is_whole(place: Place, slot: Values) -> bool:
    return all(pin in slot for pin in place.links) and all(
        slot[pin] is not None for pin in place.links if pin in place.kind.required
    )


def _execute(place: Place, case: Case, slot: tuple[bool, Values]) -> Done:
    is_whole, received = slot
    if not is_whole:
        return Done(status="INCOMPLETE", inputs=received, outputs=[])
    # Parts go into their whole in the order of the links, not in that of their arrival.
    received = {pin: received[pin] for pin in place.links}
    inputs = {**place.defaults, **received}
    if place.kind is INPUT:
        inputs["value"] = case.inputs[inputs["name"]]
    for name, value in received.items():
        base, _, key = name.partition("_#_")
        if key:
            inputs[base] = {**inputs.get(base, {}), key: value}
    outputs = place.kind.run(inputs)
    failed = any(name == "error" for name, _ in outputs)
    return Done(status="FAILED" if failed else "COMPLETED", inputs=inputs, outputs=outputs)
