"""Values on their way into a pin: what is converted to what, and what is refused."""

from typing import Any

import pytest
from core_samples import TEXT, WHOLE, pins

from backend.core.errors import BadRequest, ConversionFailed
from backend.core.schema import PinSchema, ValueSchema, converter_for


def union(*options: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*options]}


NULL = {"type": "null"}


def test_bytes_are_no_text() -> None:
    """All that JSON can say stands in the tables of tests/contract/vectors."""
    converter = converter_for(TEXT)

    assert converter is not None
    with pytest.raises(ConversionFailed, match="Failed to convert"):
        converter(b"bytes")


def test_null_is_left_alone_by_all_pins() -> None:
    data = {"a": None, "b": "2", "c": "unknown"}

    PinSchema(pins(a_=WHOLE, b=WHOLE)).convert(data)

    assert data == {"a": None, "b": 2, "c": "unknown"}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"op": "Foo"}, "op: 'Foo' is not one of ['Add', 'Divide']"),
        ({}, "'op' is a required property"),
        ({"op": None}, "'op' is a required property"),
        ({"op": "Add", "n": "x"}, "n: 'x' is not of type 'integer'"),
    ],
)
def test_a_mismatch_is_said_in_plain_words(data: dict[str, Any], words: str) -> None:
    schema = PinSchema(pins(op_={"enum": ["Add", "Divide"]}, n=WHOLE))

    assert schema.mismatch(data) == words
    assert schema.mismatch({"op": "Add", "n": None}) is None


def test_null_counts_where_it_is_kept() -> None:
    schema = PinSchema(pins(a_={}, b_=union(TEXT, NULL)))

    assert schema.mismatch({"a": None, "b": None}, keep_none=True) is None
    assert schema.mismatch({"a": None, "b": None}) is not None


def test_a_value_without_a_json_form_is_a_mismatch_and_no_crash() -> None:
    words = PinSchema(pins(a_=TEXT)).mismatch({"a": object()})

    assert words is not None
    assert "JSON" in words


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "https://example.com/schema.json"}}},
        {"type": "object", "properties": {"a": {"type": "no such type"}}},
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_and_fetches_nothing(
    schema: dict[str, Any],
) -> None:
    with pytest.raises(BadRequest, match="not a usable JSON schema"):
        PinSchema(schema).mismatch({"a": 1})


def test_somebody_elses_schema_says_all_that_is_wrong_and_where() -> None:
    inner = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["m"]}
    schema = ValueSchema(
        {"type": "object", "properties": {"in": {"$ref": "#/$defs/in"}}, "$defs": {"in": inner}}
    )

    assert schema.problems({"in": {"n": 1, "m": None}}) == []
    assert schema.problems({"in": {"n": "x"}}) == [
        "in: 'm' is a required property",
        "in.n: 'x' is not of type 'integer'",
    ]


@pytest.mark.parametrize(
    "schema",
    [{"type": "wat"}, {"properties": [1]}, {"$ref": "https://example.com/schema"}],
    ids=["no type", "no properties", "of another place"],
)
def test_a_schema_that_cannot_be_used_is_refused_and_nothing_is_fetched(schema: Any) -> None:
    with pytest.raises(BadRequest, match="not a usable JSON schema"):
        ValueSchema(schema)


def test_a_pattern_that_never_ends_ends() -> None:
    schema = ValueSchema({"properties": {"a": {"pattern": "^(a|a)*(?=b)c$"}}})

    assert "backtracking" in schema.problems({"a": "a" * 60 + "!"})[0]
