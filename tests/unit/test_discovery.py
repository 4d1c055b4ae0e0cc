"""Blocks are found in the index, in other packages, and among those that are only known."""

import sys
from collections.abc import AsyncIterator, Iterator
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from backend import discovery
from backend.blocks import build_index
from backend.blocks.known import Known
from backend.core.errors import NotFound
from backend.discovery import BlockLoader, Plugins, load_blocks, load_catalog
from backend.sdk import Block, BlockContext, NotJson, Place, pin, pins, spec_of

STORE_VALUE = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"


class SayBlock(Block):
    """Says what it is told."""

    id = "6f2b7a52-4b0e-4f0e-9d5c-0c1a0f0b7a11"

    @pins
    class Input:
        text: str = pin()

    @pins
    class Output:
        said: str = pin()

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, str]]:
        yield "said", inputs.text


class ThiefBlock(SayBlock):
    """Takes the id of a block of ours."""

    id = STORE_VALUE


def point_to(thing: Any, monkeypatch: pytest.MonkeyPatch) -> EntryPoint:
    module = ModuleType("their_blocks")
    module.thing = thing  # type: ignore[attr-defined] # a module that exists only here
    monkeypatch.setitem(sys.modules, "their_blocks", module)
    return EntryPoint("theirs", "their_blocks:thing", discovery.ENTRY_POINTS)


def test_the_index_is_made_from_the_present_blocks() -> None:
    made = build_index.text(build_index.discover(), Known().aliases)

    assert build_index.PLACE.read_bytes() == made, "run `python -m backend.discovery --write`"


def test_a_block_that_nobody_asks_for_is_not_read() -> None:
    wanted, other = build_index.discover()[:2]
    content = build_index.text([wanted, other], {})

    index = build_index.Index(content.replace(b'{"block_type"', b"broken", 1))

    assert list(index.names) == [wanted.__name__, other.__name__]
    assert index.get(other.id) == spec_of(other)
    assert index.get(other.id) is index.get(other.id)
    with pytest.raises(NotJson):
        index.get(wanted.id)


def test_what_the_index_says_is_what_the_classes_say() -> None:
    for block in build_index.discover():
        assert load_catalog().get(block.id) == spec_of(block)


def test_a_block_is_one_instance_for_all() -> None:
    blocks = load_blocks()

    store = blocks.get(STORE_VALUE)

    assert type(store).__name__ == "StoreValueBlock"
    assert blocks.get(STORE_VALUE) is store


def test_a_module_is_imported_only_when_its_block_is_wanted() -> None:
    blocks = BlockLoader({"here": "backend.blocks.text.fill_text_template:FillTextTemplateBlock",
                          "gone": "no.such.module:GoneBlock"})  # fmt: skip

    assert type(blocks.get("here")).__name__ == "FillTextTemplateBlock"


def test_a_placeholder_is_found_by_id_and_name_but_not_listed() -> None:
    catalog = load_catalog()

    found = catalog.named("TwitterPostTweetBlock")

    assert found is not None
    assert found.placeholder
    assert catalog.get(found.id) is found
    assert found not in catalog.listed()


def test_a_placeholder_has_no_code() -> None:
    reader = load_catalog().named("TwitterPostTweetBlock")
    assert reader is not None

    with pytest.raises(NotFound):
        load_blocks().get(reader.id)


def test_a_former_id_leads_to_the_present_block() -> None:
    old = "b2g2c3d4-5e6f-7g8h-9i0j-k1l2m3n4o5p6"

    found = load_catalog().get(old)

    assert found is not None
    assert found.name == "FindInDictionaryBlock"


def test_an_unknown_block_is_none() -> None:
    assert load_catalog().get("no such id") is None
    assert load_catalog().named("NoSuchBlock") is None


def test_a_package_may_name_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins()

    plugins.add(point_to(SayBlock, monkeypatch), lambda _: False)

    assert plugins.broken == {}
    assert [spec.name for spec in plugins.specs] == ["SayBlock"]
    assert isinstance(BlockLoader({}, plugins.blocks).get(SayBlock.id), SayBlock)


class QuickBlock(SayBlock):
    """Says that it is quick."""

    id = "6f2b7a52-4b0e-4f0e-9d5c-0c1a0f0b7a12"
    place = Place.LOOP


class WaitsBlock(SayBlock):
    """Waits, and so holds up nobody."""

    id = "6f2b7a52-4b0e-4f0e-9d5c-0c1a0f0b7a13"

    async def run(  # type: ignore[override] # it shares the pins alone
        self, inputs: SayBlock.Input, _context: BlockContext
    ) -> AsyncIterator[tuple[str, str]]:
        yield "said", inputs.text


@pytest.mark.parametrize(
    ("block", "place"),
    [(SayBlock, Place.THREAD), (QuickBlock, Place.LOOP), (WaitsBlock, Place.LOOP)],
)
def test_a_block_of_others_that_says_nothing_is_kept_off_the_loop(
    block: type[Block], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins = Plugins()

    plugins.add(point_to(block, monkeypatch), lambda _: False)

    assert [spec.place for spec in plugins.specs] == [place]


def test_a_package_may_name_a_module_with_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("their_module")
    module.BLOCKS = [SayBlock]  # type: ignore[attr-defined] # a module that exists only here
    plugins = Plugins()

    plugins.add(point_to(module, monkeypatch), lambda _: False)

    assert list(plugins.blocks) == [SayBlock.id]


def test_a_broken_package_is_named_and_disturbs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins()

    plugins.add(EntryPoint("bad", "no.such.module", discovery.ENTRY_POINTS), lambda _: False)
    plugins.add(point_to(SayBlock, monkeypatch), lambda _: False)

    assert list(plugins.broken) == ["bad (no.such.module)"]
    assert "No module named" in plugins.broken["bad (no.such.module)"]
    assert list(plugins.blocks) == [SayBlock.id]


def test_a_package_cannot_take_the_id_of_another_block(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins()

    plugins.add(point_to(ThiefBlock, monkeypatch), {STORE_VALUE}.__contains__)

    assert plugins.blocks == {}
    assert "belongs to another block" in str(plugins.broken)
