"""Blocks, catalogs and graphs for the tests of the core."""

from collections.abc import Mapping
from typing import Any

from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.graph import AGENT_EXECUTOR_ID, Graph, Link, Node
from backend.core.ids import BlockId, GraphId, LinkId, NodeId

ANY: dict[str, Any] = {}
TEXT: dict[str, Any] = {"type": "string"}
WHOLE: dict[str, Any] = {"type": "integer"}
NUMBER: dict[str, Any] = {"type": "number"}
TRUTH: dict[str, Any] = {"type": "boolean"}
OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": True}
LIST: dict[str, Any] = {"type": "array", "items": {}}
TEXT_OR_NULL: dict[str, Any] = {"anyOf": [TEXT, {"type": "null"}], "default": None}


def pins(**schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of one side of a block: `x_` is required, `x` is not."""
    return {
        "type": "object",
        "properties": {name.removesuffix("_"): {**pin} for name, pin in schemas.items()},
        "required": [name.removesuffix("_") for name in schemas if name.endswith("_")],
    }


def block(
    name: str, inputs: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any
) -> BlockSpec:
    """Return a block whose id is its name."""
    more.setdefault("id", BlockId(name))
    return BlockSpec(name=name, inputs=inputs, outputs=outputs or pins(error=TEXT), **more)


def credentials_pin(*providers: str, kind: str = "api_key", **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "credentials_provider": [*providers],
        "credentials_types": [kind],
        "required": ["id", "provider", "type"],
        **more,
    }


def _input_block(name: str, value: dict[str, Any], **more: Mapping[str, Any]) -> BlockSpec:
    return block(
        name,
        pins(
            name_=TEXT,
            value={"title": "Default Value", "default": None, **value},
            title=TEXT_OR_NULL,
            description=TEXT_OR_NULL,
            placeholder_values=LIST,
            advanced={**TRUTH, "default": False},
            secret={**TRUTH, "default": False},
            **more,
        ),
        pins(result_=ANY),
        block_type=BlockType.INPUT,
        static_output=True,
    )


MODELS = {"gpt-4o": "openai", "claude": "anthropic", "llama": "groq"}

BLOCKS = (
    _input_block("AgentInput", {}),
    _input_block("AgentNumberInput", {"anyOf": [WHOLE, {"type": "null"}]}),
    _input_block("AgentToggleInput", {**TRUTH, "default": False}),
    _input_block("AgentDateInput", {"anyOf": [{**TEXT, "format": "date"}, {"type": "null"}]}),
    _input_block(
        "AgentTableInput",
        {"anyOf": [{"type": "array", "items": OBJECT}, {"type": "null"}]},
        column_headers={"type": "array", "items": TEXT},
    ),
    _input_block(
        "AgentDriveInput",
        {"anyOf": [OBJECT, {"type": "null"}]},
        allowed_views={"type": "array", "items": TEXT},
        allow_folder_selection={**TRUTH, "default": False},
    ),
    block(
        "AgentOutput",
        pins(
            value={"default": None, "description": "what comes out"},
            name_=TEXT,
            title=TEXT_OR_NULL,
            description=TEXT_OR_NULL,
            format={**TEXT, "default": ""},
            advanced={**TRUTH, "default": False},
            secret={**TRUTH, "default": False},
        ),
        pins(output_=ANY, name_=ANY),
        block_type=BlockType.OUTPUT,
        static_output=True,
    ),
    block(
        "StoreValue",
        pins(input_=ANY, data={"default": None}),
        pins(output_=ANY, error=TEXT),
        static_output=True,
    ),
    block(
        "FillTextTemplate",
        pins(values_=OBJECT, format_=TEXT),
        pins(output_=TEXT, error=TEXT),
    ),
    block(
        "Calculator",
        pins(
            operation_={"type": "string", "enum": ["Add", "Subtract"]},
            a_=NUMBER,
            b_=NUMBER,
            round_result={**TRUTH, "default": False},
        ),
        pins(result_=NUMBER, error=TEXT),
    ),
    block("CombineTexts", pins(input_={"type": "array", "items": TEXT}), pins(output_=TEXT)),
    block("FindInDictionary", pins(input_=ANY, key_={"anyOf": [TEXT, WHOLE]}), pins(output_=ANY)),
    block("AddToList", pins(list=LIST, entry={"default": None}), pins(updated_list_=LIST)),
    block(
        "ConcatenateLists",
        pins(lists_={"type": "array", "items": LIST}),
        pins(concatenated_list_=LIST),
    ),
    block("GetDate", pins(offset_={"anyOf": [WHOLE, TEXT]}), pins(date_=TEXT)),
    block("Note", pins(text_=TEXT), pins(output_=TEXT), block_type=BlockType.NOTE),
    block(
        "Agent",
        pins(
            user_id_=TEXT,
            graph_id_=TEXT,
            graph_version_=WHOLE,
            agent_name=TEXT_OR_NULL,
            inputs_=OBJECT,
            input_schema_=OBJECT,
            output_schema_=OBJECT,
        ),
        pins(),
        id=AGENT_EXECUTOR_ID,
        block_type=BlockType.AGENT,
    ),
    block(
        "Model",
        pins(
            prompt_=TEXT,
            model={"enum": list(MODELS), "default": "gpt-4o"},
            max_tokens={"anyOf": [WHOLE, {"type": "null"}], "default": None},
            credentials_=credentials_pin(
                *set(MODELS.values()), discriminator="model", discriminator_mapping=MODELS
            ),
        ),
        pins(response_=TEXT, error=TEXT),
    ),
    block(
        "Weather",
        pins(city_=TEXT, credentials_=credentials_pin("openweathermap")),
        pins(temperature_=TEXT),
    ),
    block(
        "AuthenticatedRequest",
        pins(
            url_=TEXT,
            credentials_=credentials_pin("http", kind="host_scoped", discriminator="url"),
        ),
        pins(response_=ANY),
    ),
    block(
        "Sheet",
        pins(
            spreadsheet_={
                **OBJECT,
                "auto_credentials": {
                    "provider": "google",
                    "type": "oauth2",
                    "scopes": ["drive.file"],
                    "kwarg_name": "credentials",
                },
            }
        ),
        pins(rows_=LIST),
    ),
    block(
        "Task",
        pins(
            duration={"anyOf": [WHOLE, {"type": "null"}], "default": None, "depends_on": ["unit"]},
            unit=TEXT_OR_NULL,
        ),
        pins(done_=TRUTH),
    ),
    block("Maybe", pins(text_={"anyOf": [TEXT, {"type": "null"}]}), pins(output_=ANY)),
    block(
        "PullRequestTrigger",
        pins(credentials_=credentials_pin("github"), repo_=TEXT, payload={**OBJECT, "default": {}}),
        pins(payload_=OBJECT),
        block_type=BlockType.WEBHOOK,
    ),
    block("Review", pins(data_=ANY), pins(ok_=ANY), block_type=BlockType.HUMAN_IN_THE_LOOP),
    block("Print", pins(text_=ANY), pins(output_=ANY), sensitive=True),
    block("NotYet", pins(text_=TEXT), pins(output_=ANY), placeholder=True),
    block("Request", pins(url_=TEXT, api_key={**TEXT, "secret": True}, body=OBJECT), pins(r_=ANY)),
)

CATALOG = Catalog(BLOCKS)


def node(id_: str, block_name: str, defaults: Mapping[str, Any] | None = None, **more: Any) -> Node:
    """Return a node of the block with this name."""
    found = CATALOG.named(block_name)
    block_id = found.id if found else BlockId(block_name)
    return Node(id=NodeId(id_), block_id=block_id, input_default=dict(defaults or {}), **more)


def link(text: str, *, static: bool = False) -> Link:
    """Return the link that *text*, `node.pin>node.pin`, describes."""
    source, sink = text.split(">")
    (source_id, source_name), (sink_id, sink_name) = source.split(".", 1), sink.split(".", 1)
    return Link(
        id=LinkId(text),
        source_id=NodeId(source_id),
        sink_id=NodeId(sink_id),
        source_name=source_name,
        sink_name=sink_name,
        is_static=static,
    )


def graph(*parts: Node | Link | str | Graph, **more: Any) -> Graph:
    """Return a graph of nodes, links (`a.x>b.y`, static ones with `!` in front) and sub-graphs."""
    links = [
        link(part.removeprefix("!"), static=part.startswith("!")) if isinstance(part, str) else part
        for part in parts
        if isinstance(part, str | Link)
    ]
    more = {"id": GraphId("graph"), "name": "A graph", "description": "", **more}
    return Graph(
        nodes=tuple(part for part in parts if isinstance(part, Node)),
        links=tuple(links),
        sub_graphs=tuple(part for part in parts if isinstance(part, Graph)),
        **more,
    )


def agent_node(id_: str, sub: str, version: int = 1, **inputs: Any) -> Node:
    """Return a node that runs the graph *sub*, which takes `a` and `b` and gives `sum`."""
    return node(
        id_,
        "Agent",
        {
            "user_id": "somebody",
            "graph_id": sub,
            "graph_version": version,
            "inputs": inputs,
            "input_schema": {"properties": {"a": {}, "b": {}}, "required": ["a"]},
            "output_schema": {"properties": {"sum": {}}},
        },
    )
