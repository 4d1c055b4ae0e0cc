"""Blocks agree with the facts about the reference's blocks: ids, pins, types, defaults."""

from functools import cache
from typing import Any

import orjson
import pytest

from backend.blocks.known import PLACE, Known
from backend.core.block import BlockSpec
from backend.discovery import load_catalog
from tests.contract.known_blocks import FACTS, compact, types_of

KNOWN = Known()
ALL = [(spec, KNOWN.placeholder(spec.id)) for spec in load_catalog().listed()]
#: Ours alone: the reference has no such block.
OWN = {
    "FeedTriggerBlock",
    "FileDropTriggerBlock",
    "MailTriggerBlock",
    "OpenAIImageGeneratorBlock",
    "PageChangeTriggerBlock",
    "SlackEventTriggerBlock",
}
BUILT = [
    pytest.param(spec, id=spec.name)
    for spec, known in ALL
    if spec.name not in OWN and (known is None or not known.open_pins)
]
#: Of later releases; nothing but their ids and names is known, so their pins are ours.
NAMED = [pytest.param(spec, id=spec.name) for spec, known in ALL if known and known.open_pins]

needs_facts = pytest.mark.skipif(
    not FACTS.exists(), reason="the facts about the reference's blocks are not beside this project"
)

#: Words that are ours to choose, or that the facts leave out.
OURS = {"description", "placeholder", "default_omitted"}
#: The reference names its own classes in the title of such a pin, and leaves two words out.
OF_CREDENTIALS = {"title", "advanced", "secret"}


@cache
def _facts() -> dict[str, Any]:
    """All of them, by the block's id: read once, they are megabytes."""
    return {block["id"]: block for block in orjson.loads(FACTS.read_bytes())["blocks"]}


def facts_of(spec: BlockSpec) -> dict[str, Any]:
    found: dict[str, Any] = _facts()[spec.id]
    return found


def types_by_pin(side: dict[str, Any]) -> dict[str, str]:
    return {name: types_of(pin) for name, pin in side["properties"].items()}


@pytest.mark.parametrize("spec", BUILT)
def test_a_built_block_agrees_with_the_catalogue(spec: BlockSpec) -> None:
    known = KNOWN.placeholder(spec.id)

    assert known is not None
    assert spec.name == known.name
    assert spec.block_type is known.block_type
    assert spec.static_output == known.static_output
    assert spec.sensitive == known.sensitive
    assert sorted(c.name for c in spec.categories) == sorted(c.name for c in known.categories)
    sides: list[tuple[Any, Any]] = [(spec.inputs, known.inputs), (spec.outputs, known.outputs)]
    for ours, theirs in sides:
        assert types_by_pin(ours) == types_by_pin(theirs)
        assert sorted(ours.get("required", [])) == sorted(theirs.get("required", []))
        for name, pin in theirs["properties"].items():
            if "default" in pin:
                assert ours["properties"][name]["default"] == pin["default"]


@pytest.mark.parametrize("spec", NAMED)
def test_a_block_that_is_known_by_name_alone_has_that_name(spec: BlockSpec) -> None:
    known = KNOWN.placeholder(spec.id)

    assert known is not None
    assert spec.name == known.name
    assert spec.inputs["properties"]


@needs_facts
@pytest.mark.parametrize("spec", BUILT)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_built_block_has_the_very_schemas_of_the_reference(spec: BlockSpec, side: str) -> None:
    schema: dict[str, Any] = getattr(spec, side)

    pins = {name: _plain(pin) for name, pin in schema["properties"].items()}
    for pin in facts_of(spec)[side]:
        # Of a text that is prose the facts say only that there is one; ours is our own.
        if pin["schema"].get("default_omitted", {}).get("reason") == "prose":
            assert pins[pin["name"]].pop("default")

    assert pins == {pin["name"]: _plain(pin["schema"]) for pin in facts_of(spec)[side]}


def _plain(pin: dict[str, Any]) -> dict[str, Any]:
    ours = OURS | OF_CREDENTIALS if "credentials_provider" in pin else OURS
    return {word: value for word, value in pin.items() if word not in ours}


@needs_facts
def test_the_catalogue_is_made_from_the_present_facts() -> None:
    facts = orjson.loads(FACTS.read_bytes())

    assert orjson.loads(PLACE.read_bytes()) == compact(facts)
    assert len(KNOWN.ids()) == facts["meta"]["total_blocks"]
