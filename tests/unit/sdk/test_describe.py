"""A block's class says all that its schemas need, and mistakes in it are told."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from backend.sdk import Block, BlockContext, BlockType, Effect, WebhookConfig, pin, pins, spec_of
from backend.sdk.describe import BlockMisdeclared

Run = Iterator[tuple[str, Any]]


class Size(StrEnum):
    BIG = "big"


@pins
class Everything:
    needed: str = pin(advanced=True, description="d", placeholder="p", format="url")
    maybe: int | None = pin(default=None, ge=1, le=9)
    open_pin: Any = pin(default=0, advanced=False, hidden=True, depends_on=["needed"])
    many: dict[str, Any] = pin(default_factory=dict, secret=True)
    size: Size = pin(default=Size.BIG)


@pins
class Nothing:
    pass


class GoodBlock(Block):
    """
    Does one thing,
    and does it well.

    Not for readers of the menu.
    """

    id = "6f2b7a52-4b0e-4f0e-9d5c-0c1a0f0b7a13"
    Input = Everything
    Output = Nothing

    def run(self, _inputs: Everything, _context: BlockContext) -> Run:
        yield "error", ""


def test_the_schemas_have_the_contracts_words() -> None:
    spec = spec_of(GoodBlock)

    assert spec.inputs["properties"] == {
        "needed": {"type": "string", "title": "Needed", "advanced": False, "secret": False,
                   "description": "d", "placeholder": "p", "format": "url"},
        "maybe": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}],
                  "title": "Maybe", "advanced": True, "secret": False, "default": None},
        "open_pin": {"title": "Open Pin", "advanced": False, "secret": False, "default": 0,
                     "hidden": True, "depends_on": ["needed"]},
        "many": {"type": "object", "additionalProperties": True, "title": "Many",
                 "advanced": True, "secret": True},
        "size": {"enum": ["big"], "type": "string", "title": "Size", "advanced": True,
                 "secret": False, "default": "big"},
    }  # fmt: skip
    assert spec.inputs["required"] == ["needed"]


def test_outputs_have_an_error_pin_and_nothing_is_required_of_nothing() -> None:
    spec = spec_of(GoodBlock)

    assert spec.outputs == {
        "properties": {
            "error": {"advanced": True, "default": "", "secret": False, "title": "Error",
                      "type": "string"}
        },
        "title": "Output",
        "type": "object",
    }  # fmt: skip


def test_the_first_paragraph_describes_the_block() -> None:
    assert spec_of(GoodBlock).description == "Does one thing, and does it well."


def test_a_block_that_says_nothing_of_its_effect_reads() -> None:
    assert spec_of(GoodBlock).effect is Effect.READ


class Named(GoodBlock):
    pass


class ShortIdBlock(GoodBlock):
    id = "1234"


class LegacyIdBlock(GoodBlock):
    id = "a1b2c3d4-5e6f-7g8h-9i0j-k1l2m3n4o5p6"


class SilentBlock(GoodBlock):
    def run(self, _inputs: Everything, _context: BlockContext) -> Run:
        return iter(())


class BareBoolBlock(GoodBlock):
    @pins
    class Input:
        go: bool = pin()


class SecretBlock(GoodBlock):
    @pins
    class Input:
        my_credentials: str = pin()


class NumberErrorBlock(GoodBlock):
    @pins
    class Output:
        error: int = pin()


class StrangeTypeBlock(GoodBlock):
    @pins
    class Input:
        when: complex = pin()


class NoPinsBlock(GoodBlock):
    class Input:
        pass


class UncalledBlock(GoodBlock):
    block_type = BlockType.WEBHOOK_MANUAL


class CalledBlock(GoodBlock):
    webhook = WebhookConfig(provider="shop", webhook_type="plain")


class EmptyHandedBlock(CalledBlock):
    block_type = BlockType.WEBHOOK_MANUAL


class TriggerBlock(CalledBlock):
    block_type = BlockType.WEBHOOK_MANUAL

    @pins
    class Input:
        payload: dict[str, Any] = pin(default_factory=dict)


class StrangerBlock(TriggerBlock):
    webhook = WebhookConfig(provider="the shop/", webhook_type="plain")


def test_a_trigger_says_who_calls_it() -> None:
    webhook = spec_of(TriggerBlock).webhook

    assert webhook == WebhookConfig(provider="shop", webhook_type="plain")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (UncalledBlock, "has the type of a trigger"),
        (CalledBlock, "has the type of a trigger"),
        (EmptyHandedBlock, "input pin `payload`"),
        (StrangerBlock, "small letters"),
        (Named, "ends in 'Block'"),
        (ShortIdBlock, "UUID"),
        (LegacyIdBlock, "UUID"),
        (SilentBlock, "must yield"),
        (BareBoolBlock, "needs the default True or False"),
        (SecretBlock, "takes credentials if and only if"),
        (NumberErrorBlock, "error must be str"),
        (StrangeTypeBlock, "cannot have the type"),
        (NoPinsBlock, "under @pins"),
    ],
)
def test_a_mistake_in_a_class_is_told(block: type[Block], words: str) -> None:
    with pytest.raises(BlockMisdeclared, match=words):
        spec_of(block)
