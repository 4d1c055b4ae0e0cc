"""The four moves by which a block is run: make its inputs, iterate, accept outputs, name failures.

The engine calls them for each node execution, so they are short; who iterates and who waits is the
engine's affair.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Any, Final

from backend.core.block import BlockSpec, BlockType, is_credentials_pin
from backend.core.errors import (
    AgentServerError,
    BlockError,
    BlockExecutionError,
    BlockInputError,
    BlockOutputError,
    BlockUnknownError,
)
from backend.core.schema import PinSchema
from backend.sdk.block import Block

ERROR: Final = "error"


def make_inputs(block: type[Block], prepared: Mapping[str, Any]) -> Any:
    """
    Return the ``Input`` of *block* from *prepared*, which core has converted and checked.

    Names that are no pins of the block are left out; None counts as not given, so that the pin has
    its default.

    Raises:
        BlockInputError: If a required pin is missing, or a value is none of its pin's choices.
    """
    declared: Any = block.Input
    # Not declared(**given): setting the slots one by one takes a third of the time, and this
    # stands in the way of every node execution.
    made = declared.__new__(declared)
    get = prepared.get
    for name, put, default, factory in declared.__pin_slots__:
        value = get(name)
        if value is None:
            if default is not MISSING:
                value = default
            elif factory is not None:
                value = factory()
            elif not (block.keyless and is_credentials_pin(name)):
                raise _refused(block, f"{name!r} is a required property")
        put(made, value)
    for name, put, members in declared.__pin_enums__:
        put(made, _member(block, name, members, getattr(made, name)))
    return made


def _member(block: type[Block], name: str, members: Mapping[Any, Any], value: Any) -> Any:
    try:
        return members[value]
    except (KeyError, TypeError) as exc:
        choices = ", ".join(repr(choice) for choice in members)
        raise _refused(block, f"{name!r} must be one of {choices}") from exc


def _refused(block: type[Block], reason: str) -> BlockInputError:
    return BlockInputError(reason, block_name=block.__name__, block_id=block.id)


def accept(spec: BlockSpec, name: str, value: Any) -> None:
    """
    Check what a block yielded. Only standard blocks are held to their pins.

    Raises:
        BlockExecutionError: If it is the pin ``error``.
        BlockOutputError: If the pin does not exist or does not take *value*.
    """
    if name == ERROR:
        reason = "Output error was None" if value is None else str(value)
        raise BlockExecutionError(reason, block_name=spec.name, block_id=spec.id)
    if spec.block_type is not BlockType.STANDARD:
        return
    pin = spec.each_output.get(name)
    if pin is None:
        problem = f"it yielded {name!r}, which is none of its output pins"
        raise BlockOutputError(problem, block_name=spec.name, block_id=spec.id)
    schema = pin.properties[name]
    check = _CHECKS.get(schema.get("type"))
    # Most values are plain texts, numbers and truths; only the rest needs the whole validator.
    if check is not None and check(value) and _NARROWER.isdisjoint(schema):
        return
    mismatch = _mismatch(pin, name, value)
    if mismatch is not None:
        raise BlockOutputError(mismatch, block_name=spec.name, block_id=spec.id)


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _anything(_: Any) -> bool:
    return True


_CHECKS: Final[dict[str | None, Callable[[Any], bool]]] = {
    None: _anything,
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}

#: Words by which a schema asks more than its type: with one of them the validator decides.
_NARROWER: Final = frozenset(
    [
        "anyOf",
        "oneOf",
        "allOf",
        "enum",
        "const",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "required",
        "properties",
        "items",
        "additionalProperties",
    ]
)


def _mismatch(pin: PinSchema, name: str, value: Any) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{name}: {value} is no number that JSON can hold"
    return pin.mismatch({name: value}, keep_none=True)


def failure_of(spec: BlockSpec, error: Exception) -> BlockError:
    """
    Return *error*, which `run` raised, as the failure of the block (spec/semantics.md 1.10).

    What a block raises on purpose (`ValueError` and our own errors) is an execution error and
    keeps its words; everything else is unknown, and worth a look.
    """
    if isinstance(error, BlockError):
        return error
    words = str(error)
    if isinstance(error, ValueError | AgentServerError):
        return BlockExecutionError(
            words or type(error).__name__, block_name=spec.name, block_id=spec.id
        )
    words = words or "Unknown error occurred"
    return BlockUnknownError(words, block_name=spec.name, block_id=spec.id)
