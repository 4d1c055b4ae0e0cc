"""What a graph asks for and gives: its inputs, outputs, credentials; its form for export.

Pure functions over a graph and the catalog (spec/semantics.md 2.2, 2.4, 2.5).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from backend.core.block import BlockSpec, BlockType
from backend.core.catalog import Catalog
from backend.core.graph import Graph, Node, all_graphs
from backend.core.ids import NodeId, UserId
from backend.core.json import JsonObject
from backend.core.pins import base_name

_TABLE_COLUMNS: Final = ("Column 1", "Column 2", "Column 3")
_DRIVE_VIEWS: Final = ("DOCS", "SPREADSHEETS", "PRESENTATIONS")
_DRIVE_SCOPES: Final = ("https://www.googleapis.com/auth/drive.file",)

#: Names of pins and keys that hold secrets, as whole words: `max_tokens` is none.
_SECRET_NAME: Final = re.compile(
    r"(?<![a-z])(credentials|api[_-]?key|password|token|secret|authorization)(?![a-z])"
)
_CAMEL_CASE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def input_schema(graph: Graph, catalog: Catalog) -> JsonObject:
    """Return the JSON schema of what a run of *graph* is given, by the names of its input blocks."""
    return _named_values(graph, catalog, BlockType.INPUT)


def output_schema(graph: Graph, catalog: Catalog) -> JsonObject:
    """Return the JSON schema of what a run of *graph* gives, by the names of its output blocks."""
    return _named_values(graph, catalog, BlockType.OUTPUT)


def has_human_in_the_loop(graph: Graph, catalog: Catalog) -> bool:
    """Say whether a run of *graph* may wait for a person."""
    return any(
        block.block_type is BlockType.HUMAN_IN_THE_LOOP for _, block in _blocks(graph, catalog)
    )


def has_sensitive_action(graph: Graph, catalog: Catalog) -> bool:
    """Say whether *graph* has a block that a person may have to approve."""
    return any(block.sensitive for _, block in _blocks(graph, catalog))


def _blocks(graph: Graph, catalog: Catalog) -> Iterator[tuple[Node, BlockSpec]]:
    """Yield the nodes whose blocks are known."""
    for node in graph.nodes:
        block = catalog.get(node.block_id)
        if block is not None:
            yield node, block


def _named_values(graph: Graph, catalog: Catalog, kind: BlockType) -> JsonObject:
    properties: dict[str, Any] = {}
    required: dict[str, bool] = {}
    for node, block in _blocks(graph, catalog):
        name = node.input_default.get("name")
        if block.block_type is not kind or not isinstance(name, str):
            continue
        pins = block.input_schema.properties
        if "name" not in pins or "value" not in pins:
            continue
        given = {key: pin.get("default") for key, pin in pins.items() if isinstance(pin, Mapping)}
        given.update(node.input_default)
        properties[name] = _named_value(name, pins, given, kind)
        required[name] = given.get("value") is None
    names = [name for name, is_required in required.items() if is_required]
    return {"type": "object", "properties": properties, "required": [*names]}


def _named_value(
    name: str, pins: Mapping[str, Any], given: Mapping[str, Any], kind: BlockType
) -> JsonObject:
    value, dropped = given.get("value"), ("description", "default")
    schema: dict[str, Any] = {
        key: item for key, item in pins["value"].items() if key not in dropped
    }
    choices = given.get("placeholder_values")
    if kind is BlockType.INPUT and isinstance(choices, list) and choices:
        schema["enum"] = choices
    if "column_headers" in pins:
        schema.update(_table_form(given.get("column_headers")))
    if "allowed_views" in pins:
        schema.update(_drive_form(given))
    schema["secret"] = bool(given.get("secret"))
    schema["advanced"] = bool(given.get("advanced")) and value is not None
    schema["title"] = given.get("title") or name
    if given.get("description"):
        schema["description"] = given["description"]
    if value is not None:
        schema["default"] = value
    return schema


def _table_form(headers: Any) -> dict[str, Any]:
    columns = headers if isinstance(headers, list) and headers else _TABLE_COLUMNS
    properties = {str(column): {"type": "string"} for column in columns}
    return {
        "type": "array",
        "format": "table",
        "items": {"type": "object", "properties": properties},
    }


def _drive_form(given: Mapping[str, Any]) -> dict[str, Any]:
    account = {
        "provider": "google",
        "type": "oauth2",
        "scopes": [*_DRIVE_SCOPES],
        "kwarg_name": "credentials",
    }
    return {
        "format": "google-drive-picker",
        "google_drive_picker_config": {
            "multiselect": False,
            "allow_folder_selection": bool(given.get("allow_folder_selection")),
            "allowed_views": given.get("allowed_views") or [*_DRIVE_VIEWS],
            "scopes": [*_DRIVE_SCOPES],
            "auto_credentials": account,
        },
        "auto_credentials": account,
    }


@dataclass(kw_only=True)
class CredentialsGroup:
    """
    Credentials pins that one credential of a run serves.

    Attributes:
        pins: (node, pin) of each, sub-graphs' nodes included.
        required: Whether at least one of the nodes cannot do without.
    """

    providers: tuple[str, ...]
    types: tuple[str, ...]
    discriminator: str | None = None
    discriminator_mapping: Mapping[str, str] | None = None
    scopes: set[str] = field(default_factory=set)
    discriminator_values: list[Any] = field(default_factory=list)
    pins: list[tuple[NodeId, str]] = field(default_factory=list)
    required: bool = False


def credentials_groups(graph: Graph, catalog: Catalog) -> dict[str, CredentialsGroup]:
    """Return the credentials that a run of *graph* can be given, by their names in the request."""
    groups: dict[str, CredentialsGroup] = {}
    for each in all_graphs(graph):
        for node, block in _blocks(each, catalog):
            for pin, schema in _credentials_pins(block):
                _add_to_group(groups, node, pin, schema, can_do_without=block.keyless)
    return groups


def credentials_input_schema(graph: Graph, catalog: Catalog) -> JsonObject:
    """Return the JSON schema of the credentials that a run of *graph* can be given."""
    groups = credentials_groups(graph, catalog)
    schema: dict[str, Any] = {
        "type": "object",
        "title": f"{graph.name.replace(' ', '')}CredentialsInputSchema",
        "properties": {key: _group_schema(group) for key, group in groups.items()},
    }
    if required := [key for key, group in groups.items() if group.required]:
        schema["required"] = required
    return schema


def credentials_masks(
    graph: Graph, catalog: Catalog, given: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the values by node and pin for credentials *given* by group; unknown groups do nothing."""
    masks: dict[str, dict[str, Any]] = {}
    for key, group in credentials_groups(graph, catalog).items():
        if key in given:
            value = {name: item for name, item in given[key].items() if item is not None}
            for node, pin in group.pins:
                masks.setdefault(node, {})[pin] = value
    return masks


def credentials_of_node(
    graph: Graph, catalog: Catalog, node_id: str, given: Mapping[str, Mapping[str, Any]]
) -> tuple[Mapping[str, Any] | None, dict[str, Mapping[str, Any]]]:
    """
    Return the credentials of a node that takes one, and *given* by the names of groups alone.

    They are given by the name of the node's group or of its pin; the node's own come last.
    """
    named: dict[str, Mapping[str, Any]] = dict(given)
    for key, group in credentials_groups(graph, catalog).items():
        for node, pin in group.pins:
            if node == node_id:
                if key not in named and pin in named:
                    named[key] = named.pop(pin)
                return named.get(key) or _own_credentials(graph, node_id, pin), named
    return None, named


def _own_credentials(graph: Graph, node_id: str, pin: str) -> Mapping[str, Any] | None:
    node = next(node for node in graph.nodes if node.id == node_id)
    own = node.input_default.get(pin)
    return own if isinstance(own, Mapping) else None


def _credentials_pins(block: BlockSpec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from block.credentials.items()
    for pin in block.input_schema.properties.values():
        auto = pin.get("auto_credentials") if isinstance(pin, Mapping) else None
        if isinstance(auto, Mapping):
            schema = {
                "credentials_provider": [auto.get("provider", "google")],
                "credentials_types": [auto.get("type", "oauth2")],
                "credentials_scopes": auto.get("scopes") or [],
            }
            yield str(auto.get("kwarg_name", "credentials")), schema


def _add_to_group(
    groups: dict[str, CredentialsGroup],
    node: Node,
    pin: str,
    schema: Mapping[str, Any],
    *,
    can_do_without: bool,
) -> None:
    providers = sorted(schema.get("credentials_provider") or ["string"])
    types = sorted(schema.get("credentials_types") or ())
    discriminator, mapping = schema.get("discriminator"), schema.get("discriminator_mapping")
    value = node.input_default.get(discriminator) if isinstance(discriminator, str) else None
    if mapping and isinstance(value, str) and value in mapping:
        # A model that nobody knows any more narrows nothing: the graph must stay readable.
        providers = [mapping[value]]
    named = [*providers]
    if providers == ["http"] and isinstance(value, str):
        named = sorted({"http", _host(value)} - {""})
    key = f"{'-'.join(named)}_{'-'.join(types)}_credentials"
    group = groups.get(key)
    if group is None:
        group = groups[key] = CredentialsGroup(
            providers=tuple(providers),
            types=tuple(types),
            discriminator=discriminator if isinstance(discriminator, str) else None,
            discriminator_mapping=mapping,
        )
    group.pins.append((node.id, pin))
    group.scopes.update(schema.get("credentials_scopes") or ())
    if value is not None and value not in group.discriminator_values:
        group.discriminator_values.append(value)
    if not can_do_without and node.metadata.get("credentials_optional") is not True:
        group.required = True


def _host(url: str) -> str:
    """Return the host in *url*; empty if there is none."""
    try:
        return urlsplit(url if "://" in url else f"http://{url}").hostname or ""
    except ValueError:
        return ""


def _group_schema(group: CredentialsGroup) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "id": {"title": "Id", "type": "string"},
            "title": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "default": None,
                "title": "Title",
            },
            "provider": {"title": "Provider", "type": "string", **_one_of(group.providers)},
            "type": {"title": "Type", "type": "string", **_one_of(group.types)},
        },
        "required": ["id", "provider", "type"],
        "title": "CredentialsMetaInput",
        "credentials_provider": [*group.providers],
        "credentials_types": [*group.types],
        "discriminator_values": sorted(group.discriminator_values, key=str),
    }
    if group.scopes:
        schema["credentials_scopes"] = sorted(group.scopes)
    if group.discriminator:
        schema["discriminator"] = group.discriminator
    if group.discriminator_mapping:
        schema["discriminator_mapping"] = dict(group.discriminator_mapping)
    return schema


def _one_of(names: tuple[str, ...]) -> dict[str, Any]:
    if names == ("string",):
        return {}  # any provider
    return {"const": names[0]} if len(names) == 1 else {"enum": [*names]}


def for_export(graph: Graph, catalog: Catalog) -> Graph:
    """Return *graph*, sub-graphs included, as others may see it: no owner and no secrets."""
    return replace(
        graph,
        user_id=UserId(""),
        nodes=tuple(_exported(node, catalog.get(node.block_id)) for node in graph.nodes),
        sub_graphs=tuple(for_export(sub, catalog) for sub in graph.sub_graphs),
    )


def _exported(node: Node, block: BlockSpec | None) -> Node:
    inputs = node.input_default
    kept = without_secrets(inputs, block.inputs if block else {})
    if block and block.block_type is BlockType.INPUT and inputs.get("secret"):
        kept.pop("value", None)
    if block and block.block_type is BlockType.AGENT:
        _keep_agent_pins(inputs, kept)
    return replace(node, input_default=kept)


def _keep_agent_pins(inputs: Mapping[str, Any], kept: dict[str, Any]) -> None:
    """The schemas of a sub-graph name its pins, `api_key` perhaps: names stay, values go."""
    if "user_id" in kept:
        kept["user_id"] = ""
    for side in ("input_schema", "output_schema"):
        schema = inputs.get(side)
        if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
            properties = {
                name: _without_default(name, pin) for name, pin in schema["properties"].items()
            }
            kept[side] = {**schema, "properties": properties}
    if isinstance(inputs.get("inputs"), dict):
        schema = inputs.get("input_schema")
        kept["inputs"] = without_secrets(
            inputs["inputs"], schema if isinstance(schema, dict) else {}
        )


def _without_default(name: str, pin: Any) -> Any:
    if not isinstance(pin, dict) or not (pin.get("secret") is True or _is_secret_name(name)):
        return pin
    return {key: value for key, value in pin.items() if key != "default"}


def without_secrets(data: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *data* without what is secret, at any depth.

    Secret is what *schema* marks so, and any value but a boolean whose name says so.
    """
    kept: dict[str, Any] = {}
    for name, value in data.items():
        pin = _schema_of(schema, name)
        if pin.get("secret") is True or (_is_secret_name(name) and not isinstance(value, bool)):
            continue
        kept[name] = _without_secrets_inside(value, pin)
    return kept


def _without_secrets_inside(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return without_secrets(value, schema)
    if isinstance(value, list):
        items: Any = next((each["items"] for each in _options(schema) if "items" in each), {})
        inner = items if isinstance(items, Mapping) else {}
        return [_without_secrets_inside(item, inner) for item in value]
    return value


def _schema_of(schema: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the schema of the property *name*; empty where it has none."""
    for option in _options(schema):
        found = (option.get("properties") or {}).get(base_name(name))
        if isinstance(found, Mapping):
            return found
        rest = option.get("additionalProperties")
        if isinstance(rest, Mapping):
            return rest
    return {}


def _options(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [schema, *(each for each in schema.get("anyOf") or () if isinstance(each, Mapping))]


def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(_CAMEL_CASE.sub("_", str(name)).lower()) is not None
