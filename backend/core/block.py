"""What the engine knows of a block: its identity, pins, effect. Data only, no code of the block."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cached_property
from typing import Any

from backend.core.ids import BlockId
from backend.core.json import Json, JsonObject
from backend.core.schema import PinSchema


class BlockType(StrEnum):
    """The kind of a block; the value is ``uiType`` on the wire."""

    STANDARD = "Standard"
    INPUT = "Input"
    OUTPUT = "Output"
    NOTE = "Note"
    WEBHOOK = "Webhook"
    WEBHOOK_MANUAL = "Webhook (manual)"
    AGENT = "Agent"
    AI = "AI"
    AYRSHARE = "Ayrshare"
    HUMAN_IN_THE_LOOP = "Human In The Loop"


class Category(Enum):
    """A group of blocks in the builder's menu; the value is its text on the wire."""

    AI = "Block that leverages AI to perform a task."
    SOCIAL = "Block that interacts with social media platforms."
    TEXT = "Block that processes text data."
    SEARCH = "Block that searches or extracts information from the internet."
    BASIC = "Block that performs basic operations."
    INPUT = "Block that interacts with input of the graph."
    OUTPUT = "Block that interacts with output of the graph."
    LOGIC = "Programming logic to control the flow of your agent"
    COMMUNICATION = "Block that interacts with communication platforms."
    DEVELOPER_TOOLS = "Developer tools such as GitHub blocks."
    DATA = "Block that interacts with structured data."
    HARDWARE = "Block that interacts with hardware."
    AGENT = "Block that interacts with other agents."
    CRM = "Block that interacts with CRM services."
    SAFETY = "Block that provides AI safety mechanisms such as detecting harmful content"
    PRODUCTIVITY = "Block that helps with productivity"
    ISSUE_TRACKING = "Block that helps with issue tracking"
    MULTIMEDIA = "Block that interacts with multimedia content"
    MARKETING = "Block that helps with marketing"


class Effect(StrEnum):
    """What running a block twice would do (design decision 4)."""

    PURE = "pure"  #: depends on its inputs only; may run before its cause is on disk
    READ = "read"  #: looks at the outside, changes nothing
    IDEMPOTENT = "idempotent"  #: twice is the same as once
    KEYED = "keyed"  #: takes an idempotency key: the same key twice is the same as once
    AT_MOST_ONCE = "at_most_once"  #: must not be repeated when its outcome is unknown


class Place(StrEnum):
    """Where a block is run."""

    LOOP = "loop"  #: on the engine's event loop: short, or async
    THREAD = "thread"  #: in a thread: it blocks, or computes for a while
    PROCESS = "process"  #: in a worker process, which can be ended whatever the block does


@dataclass(frozen=True, kw_only=True)
class EffectRule:
    """The effect of a block whose inputs decide it."""

    pin: str
    effects: Mapping[str, Effect]  #: by the value of the pin
    otherwise: Effect


@dataclass(frozen=True, kw_only=True)
class WebhookConfig:
    """
    What calls from outside start runs at a block; they come in on its pin ``payload``.

    Attributes:
        event_filter_input: The pin that chooses events: an object of booleans. Empty: all start it.
        event_format: How the provider names a chosen event; ``{event}`` stands for the choice.
        resource_format: What of the provider's is watched; ``{pin}`` stands for a pin's value.
    """

    provider: str
    webhook_type: str
    event_filter_input: str = ""
    event_format: str = "{event}"
    resource_format: str = ""


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """
    A block as the rest of the program sees it.

    Loaded from an index: listing, checking and planning never import the block's module.
    """

    id: BlockId
    name: str
    description: str = ""
    categories: tuple[Category, ...] = ()
    contributors: tuple[str, ...] = ()
    block_type: BlockType = BlockType.STANDARD
    static_output: bool = False
    sensitive: bool = False  #: may need a person's approval before it runs
    disabled: bool = False
    placeholder: bool = False  #: known, with its pins, but not built: it never runs
    open_pins: bool = False  #: of a placeholder that is known by its name alone: links name any pin
    effect: Effect | EffectRule = Effect.READ
    time_limit_s: float | None = None  #: for one try; 0: none; None: the installation's
    retries: int = 0  #: tries after the first, where a node says nothing
    place: Place = Place.LOOP
    takes_turns: bool = False  #: talks with tools in turns, by the pins of core/turns.py
    tool_choice: str = ""  #: the pin that says which of its tools is called, if it has several
    inline_size: int = 0  #: with inputs up to this size it is run on the loop all the same
    keyless: bool = False  #: works, in its own way, without the credentials that its pins ask for
    inputs: JsonObject = field(default_factory=dict)  #: JSON schema of all input pins
    outputs: JsonObject = field(default_factory=dict)  #: JSON schema of all output pins
    costs: tuple[JsonObject, ...] = ()
    webhook: WebhookConfig | None = None  #: of a trigger

    @cached_property
    def input_schema(self) -> PinSchema:
        """The input pins, compiled; those that this block can do without are not required."""
        if not self.keyless:
            return PinSchema(self.inputs)
        required: Any = self.inputs.get("required", ())
        needed = [name for name in required if not is_credentials_pin(name)]
        return PinSchema({**self.inputs, "required": needed})

    @cached_property
    def output_schema(self) -> PinSchema:
        """The output pins, compiled."""
        return PinSchema(self.outputs)

    @cached_property
    def each_output(self) -> Mapping[str, PinSchema]:
        """The output pins, each compiled alone: a block yields them one at a time."""
        return {
            name: PinSchema({"type": "object", "properties": {name: pin}})
            for name, pin in self.output_schema.properties.items()
        }

    @cached_property
    def credentials(self) -> Mapping[str, Mapping[str, Any]]:
        """Schemas of the pins that take credentials, by name."""
        return {
            name: pin
            for name, pin in self.input_schema.properties.items()
            if is_credentials_pin(name)
        }

    def effect_with(self, inputs: Mapping[str, Any]) -> Effect:
        """Return the effect of running this block with *inputs*."""
        if isinstance(self.effect, Effect):
            return self.effect
        return self.effect.effects.get(str(inputs.get(self.effect.pin)), self.effect.otherwise)


def is_small(value: Any, most: int) -> bool:
    """
    Say whether *value*, JSON, has a size of *most* at the most.

    The size is one for each value inside it and for each character of its texts. What is larger is
    not looked through to its end.
    """
    return _left(value, most) >= 0


def _left(value: Any, left: int) -> int:
    """Return how much of *left* remains after *value*; below zero if it is not enough."""
    if isinstance(value, str):
        return left - len(value) - 1
    left -= 1
    if isinstance(value, dict):
        for name, inner in value.items():
            if left < 0:
                break
            left = _left(inner, left - len(name))
    elif isinstance(value, list):
        for inner in value:
            if left < 0:
                break
            left = _left(inner, left)
    return left


def is_credentials_pin(name: str) -> bool:
    """Say whether a pin of this name takes credentials; such names are reserved."""
    return name == "credentials" or name.endswith("_credentials")


def wire_form(spec: BlockSpec) -> dict[str, Json]:
    """Return *spec* as ``GET /api/blocks`` lists it (spec/semantics.md 1.6)."""
    return {
        "id": spec.id,
        "name": spec.name,
        "inputSchema": spec.inputs,
        "outputSchema": spec.outputs,
        "description": spec.description,
        "categories": [
            {"category": category.name, "description": category.value}
            for category in spec.categories
        ],
        "contributors": [{"name": name} for name in spec.contributors],
        "staticOutput": spec.static_output,
        "uiType": spec.block_type.value,
        "costs": list(spec.costs),
    }
