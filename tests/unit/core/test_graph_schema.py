"""What a graph asks for and gives, and what of it others may see."""

from typing import Any

import pytest
from core_samples import CATALOG, agent_node, graph, node

from backend.core.graph_schema import (
    credentials_groups,
    credentials_input_schema,
    credentials_masks,
    for_export,
    has_human_in_the_loop,
    has_sensitive_action,
    input_schema,
    output_schema,
    without_secrets,
)
from backend.core.ids import GraphId, UserId


def test_inputs_carry_title_default_and_place() -> None:
    drawn = graph(
        node(
            "a",
            "AgentInput",
            {"name": "in_key_a", "value": "A", "title": "Key A", "advanced": True},
        ),
        node("b", "AgentInput", {"name": "in_key_b", "advanced": True}),
    )

    schema = input_schema(drawn, CATALOG)

    assert schema == {
        "type": "object",
        "properties": {
            "in_key_a": {"advanced": True, "default": "A", "secret": False, "title": "Key A"},
            "in_key_b": {"advanced": False, "secret": False, "title": "in_key_b"},
        },
        "required": ["in_key_b"],
    }


def test_an_input_has_the_type_choices_and_description_it_was_given() -> None:
    drawn = graph(
        node("n", "AgentNumberInput", {"name": "n", "placeholder_values": [1, 2]}),
        node("t", "AgentToggleInput", {"name": "t", "description": "Yes?", "secret": True}),
        node("nameless", "AgentInput"),
    )

    schema: Any = input_schema(drawn, CATALOG)

    assert schema["properties"]["n"]["enum"] == [1, 2]
    assert schema["properties"]["n"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert schema["properties"]["t"] == {
        "type": "boolean",
        "default": False,
        "secret": True,
        "advanced": False,
        "title": "t",
        "description": "Yes?",
    }
    assert schema["required"] == ["n"]


def test_of_two_inputs_with_one_name_the_later_counts() -> None:
    drawn = graph(
        node("a", "AgentInput", {"name": "x"}), node("b", "AgentInput", {"name": "x", "value": 1})
    )

    schema: Any = input_schema(drawn, CATALOG)

    assert schema["properties"]["x"]["default"] == 1
    assert schema["required"] == []


def test_tables_and_drive_files_say_how_to_ask_for_them() -> None:
    drawn = graph(
        node("t", "AgentTableInput", {"name": "t", "column_headers": ["A"]}),
        node("u", "AgentTableInput", {"name": "u"}),
        node("d", "AgentDriveInput", {"name": "d"}),
    )

    found: Any = input_schema(drawn, CATALOG)["properties"]

    assert found["t"]["type"] == "array"
    assert found["t"]["format"] == "table"
    assert found["t"]["items"] == {"type": "object", "properties": {"A": {"type": "string"}}}
    assert list(found["u"]["items"]["properties"]) == ["Column 1", "Column 2", "Column 3"]
    assert found["d"]["format"] == "google-drive-picker"
    assert found["d"]["google_drive_picker_config"]["allowed_views"] == [
        "DOCS",
        "SPREADSHEETS",
        "PRESENTATIONS",
    ]
    assert found["d"]["auto_credentials"]["kwarg_name"] == "credentials"


def test_outputs_are_described_without_the_blocks_own_words() -> None:
    drawn = graph(node("o", "AgentOutput", {"name": "out", "description": "The sum"}))

    assert output_schema(drawn, CATALOG) == {
        "type": "object",
        "properties": {
            "out": {"secret": False, "advanced": False, "title": "out", "description": "The sum"}
        },
        "required": ["out"],
    }
    assert input_schema(drawn, CATALOG)["properties"] == {}


def test_what_a_graph_may_need_is_told_by_its_blocks() -> None:
    plain, rich = (
        graph(node("s", "StoreValue")),
        graph(node("r", "Review"), node("p", "Print")),
    )

    for ask in (has_human_in_the_loop, has_sensitive_action):
        assert not ask(plain, CATALOG)
        assert ask(rich, CATALOG)


def test_credentials_are_grouped_by_provider_and_type() -> None:
    drawn = graph(
        node("m1", "Model", {"model": "gpt-4o"}),
        node("m2", "Model", {"model": "gpt-4o"}),
        node("m3", "Model"),
        node("m4", "Model", {"model": "retired"}),
        node("w", "Weather", metadata={"credentials_optional": True}),
        node("h", "AuthenticatedRequest", {"url": "https://api.example.com:8443/x"}),
        node("f", "Sheet"),
        graph(node("sub", "Model", {"model": "claude"}), id=GraphId("sub")),
    )

    groups = credentials_groups(drawn, CATALOG)

    assert {key: group.pins for key, group in groups.items()} == {
        "openai_api_key_credentials": [("m1", "credentials"), ("m2", "credentials")],
        "anthropic-groq-openai_api_key_credentials": [("m3", "credentials"), ("m4", "credentials")],
        "openweathermap_api_key_credentials": [("w", "credentials")],
        "api.example.com-http_host_scoped_credentials": [("h", "credentials")],
        "google_oauth2_credentials": [("f", "credentials")],
        "anthropic_api_key_credentials": [("sub", "credentials")],
    }


def test_the_schema_of_credentials_says_who_and_what_and_whether() -> None:
    drawn = graph(
        node("m", "Model", {"model": "claude"}),
        node("w", "Weather", metadata={"credentials_optional": True}),
        node("f", "Sheet", metadata={"credentials_optional": True}),
        name="My agent",
    )

    schema: Any = credentials_input_schema(drawn, CATALOG)

    model = schema["properties"]["anthropic_api_key_credentials"]
    assert schema["title"] == "MyagentCredentialsInputSchema"
    assert schema["required"] == ["anthropic_api_key_credentials"]
    assert model["properties"]["provider"]["const"] == "anthropic"
    assert model["properties"]["type"]["const"] == "api_key"
    assert model["credentials_provider"] == ["anthropic"]
    assert model["credentials_types"] == ["api_key"]
    assert model["discriminator"] == "model"
    assert model["discriminator_values"] == ["claude"]
    assert "credentials_scopes" not in model
    google = schema["properties"]["google_oauth2_credentials"]
    assert google["credentials_scopes"] == ["drive.file"]
    assert google["discriminator_values"] == []
    assert "required" not in credentials_input_schema(graph(), CATALOG)


def test_credentials_given_by_group_reach_all_its_pins() -> None:
    drawn = graph(node("a", "Weather"), node("b", "Weather"), node("m", "Model"))
    key = {"id": "k", "provider": "openweathermap", "type": "api_key", "title": None}

    masks = credentials_masks(
        drawn, CATALOG, {"openweathermap_api_key_credentials": key, "nobody": key}
    )

    assert masks == {
        id_: {"credentials": {"id": "k", "provider": "openweathermap", "type": "api_key"}}
        for id_ in ("a", "b")
    }


def test_secrets_leave_an_export_at_any_depth_and_look_alikes_stay() -> None:
    data = {
        "api_key": "x",
        "secret": True,
        "max_tokens": 5,
        "body": {"password": "p", "q": 1},
        "list": [{"password": "p"}, [{"token": "t", "q": 2}]],
        "credentials": None,
    }

    assert without_secrets(data, {}) == {
        "secret": True,
        "max_tokens": 5,
        "body": {"q": 1},
        "list": [{}, [{"q": 2}]],
    }


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "apiKey",
        "x-api-key",
        "github_credentials",
        "values_#_token",
        "accessToken",
        "headers_#_Authorization",
        "client_secret",
    ],
)
def test_a_secret_is_known_by_its_name_in_any_spelling(name: str) -> None:
    assert without_secrets({name: "x"}, {}) == {}


@pytest.mark.parametrize("name", ["max_tokens", "secretary", "tokenizer", "passwordless", "keys"])
def test_a_name_that_only_contains_the_word_is_no_secret(name: str) -> None:
    assert without_secrets({name: "x"}, {}) == {name: "x"}


def test_what_a_schema_marks_as_secret_goes_too() -> None:
    marked = {"properties": {"pin": {"type": "string", "secret": True}}}
    schema = {
        "properties": {
            "pin": {"secret": True},
            "inside": {"anyOf": [marked, {"type": "null"}]},
            "each": {"type": "array", "items": marked},
            "named": {"additionalProperties": marked},
        }
    }
    data = {
        "pin": True,
        "pin_#_x": "s",
        "inside": {"pin": "s", "q": 1},
        "each": [{"pin": "s"}],
        "named": {"any": {"pin": "s"}},
    }

    assert without_secrets(data, schema) == {"inside": {"q": 1}, "each": [{}], "named": {"any": {}}}


def test_an_export_has_no_owner_and_no_secrets() -> None:
    drawn = graph(
        node("r", "Request", {"url": "u", "api_key": "x", "body": {"password": "p"}}),
        node("i", "AgentInput", {"name": "key", "secret": True, "value": "s"}),
        node("x", "gone", {"token": "t", "a": 1}),
        graph(node("s", "Request", {"api_key": "x"}), id=GraphId("sub"), user_id=UserId("me")),
        user_id=UserId("me"),
    )

    exported = for_export(drawn, CATALOG)

    assert exported.user_id == ""
    assert [each.input_default for each in exported.nodes] == [
        {"url": "u", "body": {}},
        {"name": "key", "secret": True},
        {"a": 1},
    ]
    assert exported.sub_graphs[0].user_id == ""
    assert exported.sub_graphs[0].nodes[0].input_default == {}
    assert drawn.nodes[0].input_default["api_key"] == "x"


def test_an_exported_agent_node_keeps_its_pins_and_loses_their_values() -> None:
    agent = agent_node("g", "sub", api_key="x", b=2)
    agent.input_default["input_schema"] = {
        "properties": {"api_key": {"default": "x", "title": "Key"}, "b": {"default": 3}}
    }

    [exported] = for_export(graph(agent), CATALOG).nodes

    assert exported.input_default["user_id"] == ""
    assert exported.input_default["inputs"] == {"b": 2}
    assert exported.input_default["input_schema"] == {
        "properties": {"api_key": {"title": "Key"}, "b": {"default": 3}}
    }
