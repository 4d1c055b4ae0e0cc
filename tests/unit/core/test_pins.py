"""Dynamic pins: what a path reads, and what it writes."""

from typing import Any

import pytest

from backend.core import pins
from backend.core.errors import BadRequest


@pytest.mark.parametrize(
    ("source", "value", "found"),
    [
        ("r", 5, 5),
        ("r_$_1", [10, 20], 20),
        ("r_$_-1", [10, 20], 20),
        ("r_$_-3", [10, 20], None),
        ("r_$_x", [10], None),
        ("r_$_5", [1], None),
        ("r_$_0", "abc", None),
        ("r_#_k", {"k": 1}, 1),
        ("r_#_k", [1], None),
        ("r_#_k_$_0", {"k": [7]}, 7),
        ("r_#_k_$_0", {"other": [7]}, None),
        ("r_@_real", 5, 5),
        ("r_@_imag", 5, 0),
        ("r_@_k", {"k": 1}, 1),
        ("r_@___class__", 5, None),
        ("r_@_real", True, None),
    ],
)
def test_a_path_reads_what_it_leads_to(source: str, value: Any, found: Any) -> None:
    path = pins.path_from("r", source)

    assert path is not None
    assert pins.read(value, path) == found


@pytest.mark.parametrize("source", ["rx", "other", "r_#_", "r_$_1x_#_", "r_x_#_k", "r_#_k_$_"])
def test_a_name_that_is_no_path_reads_nothing(source: str) -> None:
    assert pins.path_from("r", source) is None


@pytest.mark.parametrize(
    ("data", "base", "merged"),
    [
        ({"l_$_0": "a", "l_$_2": "c"}, "l", ["a", None, "c"]),
        ({"d_#_a": 1, "d_#_b_$_0": 2}, "d", {"a": 1, "b": [2]}),
        ({"v": {"a": 1}, "v_#_b": 2}, "v", {"a": 1, "b": 2}),
        ({"v_#_b": 2, "v": {"a": 1}}, "v", {"a": 1}),
        ({"l": "ab", "l_$_1": "X"}, "l", ["a", "X"]),
        ({"d": [["k", 1]], "d_#_z": 2}, "d", {"z": 2}),
        ({"d": {"x": 1}, "d_$_0": 9}, "d", [9]),
        ({"n": None, "n_#_a": 1}, "n", {"a": 1}),
        ({"o_@_a": 1, "o_@_b_#_c": 2}, "o", {"a": 1, "b": {"c": 2}}),
        ({"v": 5, "v_#_a": 1}, "v", {"a": 1}),
    ],
)
def test_dynamic_keys_are_written_left_to_right(
    data: dict[str, Any], base: str, merged: Any
) -> None:
    result = pins.merge(data)

    assert result[base] == merged
    originals = {name: value for name, value in data.items() if pins.is_dynamic(name)}
    assert originals.items() <= result.items()


def test_a_malformed_name_is_an_ordinary_name() -> None:
    assert pins.merge({"x_#_": 1}) == {"x_#_": 1}


@pytest.mark.parametrize("key", ["q", "-1", "1.5", "", "99999999999", "10000"])
def test_an_index_to_write_is_a_small_number(key: str) -> None:
    if key:
        with pytest.raises(BadRequest, match="index"):
            pins.merge({f"l_$_{key}": 1})
    else:
        assert pins.merge({"l_$_": 1}) == {"l_$_": 1}


def test_the_largest_index_fits() -> None:
    assert len(pins.merge({f"l_$_{pins.MAX_LIST_INDEX}": 1})["l"]) == pins.MAX_LIST_INDEX + 1


def test_merging_changes_nothing_that_was_given() -> None:
    held = {"a": [1]}

    pins.merge({"v": held, "v_#_a_$_0": 2})

    assert held == {"a": [1]}


@pytest.mark.parametrize(
    ("pin", "base"),
    [
        ("values_#_a", "values"),
        ("tools_^_x_~_y", "tools"),
        ("tools", "tools"),
        ("a_$_0_#_b", "a"),
        ("_#_a", ""),
        ("plain", "plain"),
    ],
)
def test_a_pin_has_a_base(pin: str, base: str) -> None:
    assert pins.base_name(pin) == base


def test_a_tool_pin_names_its_sink() -> None:
    assert pins.tool_output_name("node", "pin_#_a") == "tools_^_node_~_pin_#_a"
