"""Inputs are made, outputs accepted and failures named as the contract has it."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest

from backend.sdk import (
    Block,
    BlockContext,
    BlockError,
    BlockExecutionError,
    BlockInputError,
    BlockOutputError,
    BlockType,
    BlockUnknownError,
    accept,
    failure_of,
    make_inputs,
    pin,
    pins,
    spec_of,
)


class Colour(StrEnum):
    RED = "red"


class PaintBlock(Block):
    """Paints."""

    id = "6f2b7a52-4b0e-4f0e-9d5c-0c1a0f0b7a12"

    @pins
    class Input:
        what: str = pin()
        colour: Colour = pin(default=Colour.RED)
        coats: int = pin(default=2)
        tools: list[str] = pin(default_factory=list)

    @pins
    class Output:
        done: bool = pin()
        coats: list[int] = pin()
        note: str | None = pin()
        width: float = pin()

    def run(self, inputs: Input, _context: BlockContext) -> Iterator[tuple[str, Any]]:
        yield "done", bool(inputs.what)


class ChatterBlock(PaintBlock):
    """Emits what it likes."""

    block_type = BlockType.AI


SPEC = spec_of(PaintBlock)


def test_defaults_fill_what_is_missing_or_none() -> None:
    made = make_inputs(PaintBlock, {"what": "door", "coats": None})

    assert made == PaintBlock.Input(what="door", colour=Colour.RED, coats=2, tools=[])


def test_each_execution_gets_a_fresh_container() -> None:
    first, second = (make_inputs(PaintBlock, {"what": "door"}) for _ in range(2))

    assert first.tools is not second.tools


def test_a_falsy_value_is_a_value() -> None:
    made = make_inputs(PaintBlock, {"what": "", "coats": 0})

    assert (made.what, made.coats) == ("", 0)


def test_what_is_no_pin_is_left_out() -> None:
    made = make_inputs(PaintBlock, {"what": "door", "tools_$_0": "brush", "unknown": 1})

    assert not hasattr(made, "unknown")


def test_a_choice_becomes_its_member() -> None:
    assert make_inputs(PaintBlock, {"what": "door", "colour": "red"}).colour is Colour.RED


@pytest.mark.parametrize("given", [{}, {"what": None}])
def test_a_required_pin_must_be_there(given: dict[str, Any]) -> None:
    with pytest.raises(BlockInputError, match="'what' is a required property"):
        make_inputs(PaintBlock, given)


@pytest.mark.parametrize("colour", ["blue", [], {}])
def test_a_choice_that_is_none_is_refused(colour: Any) -> None:
    with pytest.raises(BlockInputError, match="must be one of 'red'"):
        make_inputs(PaintBlock, {"what": "door", "colour": colour})


def test_inputs_never_change() -> None:
    made = make_inputs(PaintBlock, {"what": "door"})

    with pytest.raises(AttributeError):
        made.what = "wall"


@pytest.mark.parametrize(
    ("name", "value"),
    [("done", False), ("coats", []), ("coats", [1]), ("note", None), ("note", "x"), ("width", 1),
     ("width", 0.5)],
)  # fmt: skip
def test_what_fits_a_pin_is_accepted(name: str, value: Any) -> None:
    accept(SPEC, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("done", "yes"), ("done", None), ("coats", ["x"]), ("coats", {}), ("note", 5),
     ("width", True), ("width", float("nan")), ("width", float("inf")), ("other", 1)],
)  # fmt: skip
def test_what_does_not_fit_fails_the_block(name: str, value: Any) -> None:
    with pytest.raises(BlockOutputError):
        accept(SPEC, name, value)


def test_blocks_of_other_types_emit_what_they_like() -> None:
    accept(spec_of(ChatterBlock), "tools_^_node_~_pin", 1)


def test_the_error_pin_fails_the_block_with_its_words_wrapped() -> None:
    with pytest.raises(BlockExecutionError) as caught:
        accept(SPEC, "error", "no paint")

    assert str(caught.value) == (
        f"raised by PaintBlock with message: no paint. block_id: {PaintBlock.id}"
    )


def test_an_error_of_none_says_so() -> None:
    with pytest.raises(BlockExecutionError, match="Output error was None"):
        accept(SPEC, "error", None)


@pytest.mark.parametrize(
    ("raised", "kind", "reason"),
    [
        (ValueError("bad"), BlockExecutionError, "bad"),
        (KeyError("x"), BlockUnknownError, "'x'"),
        (RuntimeError(), BlockUnknownError, "Unknown error occurred"),
        (ValueError(), BlockExecutionError, "ValueError"),
    ],
)
def test_what_a_block_raises_is_named(
    raised: Exception, kind: type[BlockError], reason: str
) -> None:
    failure = failure_of(SPEC, raised)

    assert type(failure) is kind
    assert failure.reason == reason


def test_a_failure_that_has_a_name_keeps_it() -> None:
    known = BlockOutputError("x", block_name="a", block_id="b")

    assert failure_of(SPEC, known) is known
