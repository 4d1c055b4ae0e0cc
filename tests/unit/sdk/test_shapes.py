"""Shapes of objects are written short, and are JSON schemas."""

from backend.sdk.shapes import absent, many, record


def test_an_object_has_titled_parts_of_which_some_may_lack() -> None:
    shape = record(
        {"id": int, "first_name": str | None, "url": absent(str), "own": {"type": "number"}},
        title="Thing",
        optional=("url",),
    )

    assert shape == {
        "properties": {
            "id": {"title": "Id", "type": "integer"},
            "first_name": {
                "title": "First Name",
                "anyOf": [{"type": "string"}, {"type": "null"}],
            },
            "url": {"title": "Url", "type": "string", "default": None},
            "own": {"title": "Own", "type": "number"},
        },
        "required": ["id", "first_name", "own"],
        "title": "Thing",
        "type": "object",
    }


def test_where_nothing_is_needed_nothing_is_said() -> None:
    assert record({"a": int}, optional=("a",)).keys() == {"properties", "type"}


def test_a_list_titles_what_it_holds() -> None:
    assert many({"type": "object"}, "Thing") == {
        "items": {"type": "object", "title": "Thing"},
        "type": "array",
    }


def test_an_empty_title_is_left_out_and_more_parts_are_allowed() -> None:
    shape = record({"a": {"type": "string", "title": ""}, "b": absent(int, 7)}, more=True)

    assert shape["properties"] == {
        "a": {"type": "string"},
        "b": {"title": "B", "type": "integer", "default": 7},
    }
    assert shape["additionalProperties"] is True
