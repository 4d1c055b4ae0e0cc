"""What follows `-i`."""

from pathlib import Path
from typing import Any

import click
import pytest

from backend.cli.inputs import read_inputs
from backend.core.graph import Graph
from backend.usecases.drawing import Drawing


@pytest.fixture
def graph() -> Graph:
    drawing = Drawing("Inputs", "")
    drawing.node("AgentInputBlock", name="any")
    drawing.node("AgentShortTextInputBlock", name="text", value="as it is")
    drawing.node("AgentNumberInputBlock", name="number", value=1)
    return drawing.graph()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("text", "text"),
        ('"quoted"', '"quoted"'),
        ("[1, ", "[1, "),
        ("NaN", "NaN"),
        ("", ""),
        ("a=b", "a=b"),
        ("@@home", "@home"),
    ],
)
def test_a_value_is_json_where_it_is_and_else_text(graph: Graph, text: str, value: Any) -> None:
    assert read_inputs(graph, [f"any={text}"])["any"] == value


@pytest.mark.parametrize("text", ["3", "true", "[1]", "null"])
def test_an_input_for_text_gets_text(graph: Graph, text: str) -> None:
    assert read_inputs(graph, ["any=1", f"text={text}"])["text"] == text


def test_a_value_may_stand_in_a_file(graph: Graph, tmp_path: Path) -> None:
    (tmp_path / "v").write_text('{"a": [1]}\n', encoding="utf-8")

    assert read_inputs(graph, [f"any=@{tmp_path / 'v'}"]) == {"any": {"a": [1]}}


def test_an_unknown_name_is_answered_with_the_known_ones(graph: Graph) -> None:
    with pytest.raises(click.UsageError) as caught:
        read_inputs(graph, ["nay=1"])

    assert caught.value.message == (
        "There is no input 'nay'. The inputs are: any (required), text, number."
    )


def test_a_missing_input_is_named(graph: Graph) -> None:
    with pytest.raises(click.UsageError, match="any is missing"):
        read_inputs(graph, ["number=2"])


@pytest.mark.parametrize("text", ["any", "=3", "any=@nowhere", "any=@"])
def test_what_is_no_input_is_refused(graph: Graph, text: str) -> None:
    with pytest.raises(click.UsageError):
        read_inputs(graph, [text])


def test_the_same_input_twice_is_refused(graph: Graph) -> None:
    with pytest.raises(click.UsageError, match="twice"):
        read_inputs(graph, ["any=1", "any=2"])


def test_a_trigger_takes_its_payload_by_hand() -> None:
    drawing = Drawing("Triggered", "")
    drawing.node("GenericWebhookTriggerBlock")
    drawing.node("AgentInputBlock", name="city", value="Oslo")

    assert read_inputs(drawing.graph(), ['payload={"a": 1}']) == {"payload": {"a": 1}}
    with pytest.raises(click.UsageError, match="The inputs are: payload, constants, city"):
        read_inputs(drawing.graph(), ["nay=1"])
