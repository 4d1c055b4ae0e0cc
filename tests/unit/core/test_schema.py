"""Values on their way into a pin: what is converted to what, and what is refused."""

from typing import Any

import pytest
from core_samples import LIST, NUMBER, OBJECT, TEXT, TRUTH, WHOLE, pins

from backend.core.errors import BadRequest, ConversionFailed
from backend.core.schema import PinSchema, converter_for


def union(*options: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [*options]}


NULL = {"type": "null"}
TEXTS = {"type": "array", "items": TEXT}
LISTS = {"type": "array", "items": LIST}
WHOLES = {"type": "object", "additionalProperties": WHOLE}


def convert(schema: dict[str, Any], value: Any) -> Any:
    converter = converter_for(schema)
    return converter(value) if converter else value


@pytest.mark.parametrize(
    ("schema", "value", "result"),
    [
        (TEXT, "x", "x"),
        (TEXT, [1, 2], "[1, 2]"),
        (TEXT, [], "[]"),
        (TEXT, {"a": [True, None]}, '{"a": [true, null]}'),
        (TEXT, True, "true"),
        (TEXT, None, "null"),
        (TEXT, 1.5, "1.5"),
        (WHOLE, "5.5", 5),
        (WHOLE, "1e3", 1000),
        (WHOLE, 7.9, 7),
        (WHOLE, "", 0),
        (WHOLE, "many", 0),
        (WHOLE, [1, 2, 3], 3),
        (WHOLE, {"a": 1}, 1),
        (WHOLE, True, True),
        (WHOLE, None, 0),
        (WHOLE, "123456789012345678", 123456789012345678),
        (NUMBER, "4", 4.0),
        (NUMBER, True, 1.0),
        (NUMBER, [1, 2], 2.0),
        (NUMBER, "x", 0.0),
        (TRUTH, "TRUE", True),
        (TRUTH, "1", True),
        (TRUTH, "5", False),
        (TRUTH, "false", False),
        (TRUTH, 5, True),
        (TRUTH, [], False),
        (LIST, "a", ["a"]),
        (LIST, ' ["a", 1] ', ["a", 1]),
        (LIST, "[no", ["[no"]),
        (LIST, "[no]", ["[no]"]),
        (LIST, {"k": 1}, [["k", 1]]),
        (LIST, 5, [5]),
        (LIST, None, [None]),
        (OBJECT, '{"a": 1}', {"a": 1}),
        (OBJECT, "[1]", {"value": [1]}),
        (OBJECT, "x", {"value": "x"}),
        (OBJECT, [7, 8], {"0": 7, "1": 8}),
        (OBJECT, 5, {"value": 5}),
        (OBJECT, None, {"value": None}),
        (TEXTS, ["a", None, 3], ["a", "null", "3"]),
        (LISTS, [1, [2], None], [[1], [2], [None]]),
        (WHOLES, {"a": "1", "b": 2.5}, {"a": 1, "b": 2}),
        ({"enum": ["a", "b"]}, 5, 5),
        ({}, [1], [1]),
        ({"type": "string", "format": "date"}, "2020-01-01", "2020-01-01"),
    ],
)
def test_a_value_becomes_what_its_pin_takes(
    schema: dict[str, Any], value: Any, result: Any
) -> None:
    converted = convert(schema, value)

    assert converted == result
    assert type(converted) is type(result)


@pytest.mark.parametrize(
    ("schema", "value", "result"),
    [
        (union(TEXT, WHOLE), 1, 1),
        (union(WHOLE, TEXT), "x", "x"),
        (union(OBJECT, LIST), [1], [1]),
        (union(LIST, OBJECT), {"a": 1}, {"a": 1}),
        (union(WHOLE, NUMBER), 1.5, 1.5),
        (union(WHOLE, NULL), 1.5, 1),
        (union(WHOLE, NULL), "7", 7),
        (union(WHOLE, NULL), None, None),
        (union(TEXT, WHOLE), True, "true"),
        (union(TEXTS, NULL), [1], ["1"]),
        (union(TEXT, {}), 5, 5),
    ],
)
def test_a_value_that_is_one_of_a_unions_types_stays(
    schema: dict[str, Any], value: Any, result: Any
) -> None:
    converted = convert(schema, value)

    assert converted == result
    assert type(converted) is type(result)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (TEXT, b"bytes"),
        (WHOLE, "inf"),
        (WHOLE, "nan"),
        (WHOLE, "99999999999999999999"),
        (NUMBER, 10**400),
        (union(WHOLE, NULL), "inf"),
    ],
)
def test_what_cannot_be_converted_is_refused(schema: dict[str, Any], value: Any) -> None:
    with pytest.raises(ConversionFailed, match="Failed to convert"):
        convert(schema, value)


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
