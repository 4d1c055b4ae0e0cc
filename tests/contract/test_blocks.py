"""Blocks agree with the facts about the reference's blocks: ids, pins, types, defaults."""

from typing import Any

import orjson
import pytest

from backend.blocks.known import PLACE, Known
from backend.core.block import BlockSpec
from backend.discovery import load_catalog
from tests.contract.known_blocks import FACTS, compact, types_of

BUILT = [pytest.param(spec, id=spec.name) for spec in load_catalog().listed()]

needs_facts = pytest.mark.skipif(
    not FACTS.exists(), reason="the facts about the reference's blocks are not beside this project"
)

#: Words that are ours to choose, or that the facts leave out.
OURS = {"description", "placeholder"}
#: The reference names its own classes in the title of such a pin, and leaves two words out.
OF_CREDENTIALS = {"title", "advanced", "secret"}


def facts_of(spec: BlockSpec) -> dict[str, Any]:
    facts = orjson.loads(FACTS.read_bytes())
    return next(block for block in facts["blocks"] if block["id"] == spec.id)


def types_by_pin(side: dict[str, Any]) -> dict[str, str]:
    return {name: types_of(pin) for name, pin in side["properties"].items()}


@pytest.mark.parametrize("spec", BUILT)
def test_a_built_block_agrees_with_the_catalogue(spec: BlockSpec) -> None:
    known = Known().placeholder(spec.id)

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


@needs_facts
@pytest.mark.parametrize("spec", BUILT)
@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_a_built_block_has_the_very_schemas_of_the_reference(spec: BlockSpec, side: str) -> None:
    schema: dict[str, Any] = getattr(spec, side)

    pins = {name: _plain(pin) for name, pin in schema["properties"].items()}

    assert pins == {pin["name"]: _plain(pin["schema"]) for pin in facts_of(spec)[side]}


def _plain(pin: dict[str, Any]) -> dict[str, Any]:
    ours = OURS | OF_CREDENTIALS if "credentials_provider" in pin else OURS
    return {word: value for word, value in pin.items() if word not in ours}


@needs_facts
def test_the_catalogue_is_made_from_the_present_facts() -> None:
    facts = orjson.loads(FACTS.read_bytes())

    assert orjson.loads(PLACE.read_bytes()) == compact(facts)
    assert len(Known().ids()) == facts["meta"]["total_blocks"]
