"""Dynamic pins, beside the tables of tests/contract/vectors."""

from backend.core import pins


def test_the_largest_index_fits() -> None:
    assert len(pins.merge({f"l_$_{pins.MAX_LIST_INDEX}": 1})["l"]) == pins.MAX_LIST_INDEX + 1


def test_merging_changes_nothing_that_was_given() -> None:
    held = {"a": [1]}

    pins.merge({"v": held, "v_#_a_$_0": 2})

    assert held == {"a": [1]}


def test_a_tool_pin_names_its_sink() -> None:
    assert pins.tool_output_name("node", "pin_#_a") == "tools_^_node_~_pin_#_a"
