"""Graphs on the wire: what a builder or a file sends, and what it gets back."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, GetPydanticSchema, ValidationInfo, field_validator
from pydantic_core import core_schema

from backend.api.wire.text import (
    MAX_LINKS,
    MAX_NODES,
    MAX_SUB_GRAPHS,
    Id,
    LongText,
    Name,
    PinName,
    Version,
)
from backend.api.wire.times import iso
from backend.core import graph as core
from backend.core import graph_schema, triggers
from backend.core.catalog import Catalog
from backend.core.graph_repair import Repair
from backend.core.ids import BlockId, GraphId, LinkId, NodeId
from backend.services.graphs import DEFAULT_SETTINGS

FreshId = Callable[[], str]
Values = dict[str, Any]


class Link(BaseModel):
    """A pipe from an output pin to an input pin."""

    id: Id = ""
    source_id: Id
    sink_id: Id
    source_name: PinName
    sink_name: PinName
    is_static: bool = False


class Node(BaseModel):
    """A block placed in a graph. Its links are read from the graph, not from here."""

    id: Id = ""
    block_id: Id
    input_default: Values = Field(default_factory=dict)
    metadata: Values = Field(default_factory=dict)
    input_links: list[Link] = Field(default_factory=list, max_length=MAX_LINKS)
    output_links: list[Link] = Field(default_factory=list, max_length=MAX_LINKS)


class BaseGraph(BaseModel):
    """A graph without the graphs it runs."""

    id: Id = ""
    version: Version = 1
    is_active: bool = True
    name: Name
    description: LongText
    instructions: LongText | None = None
    recommended_schedule_cron: Name | None = None
    nodes: list[Node] = Field(default_factory=list, max_length=MAX_NODES)
    links: list[Link] = Field(default_factory=list, max_length=MAX_LINKS)
    forked_from_id: Id | None = None
    forked_from_version: Version | None = None


class Graph(BaseGraph):
    """A graph with the graphs it runs, of all depths, flat."""

    sub_graphs: list[BaseGraph] = Field(default_factory=list, max_length=MAX_SUB_GRAPHS)


def _graph_or_text(value: Any, graph: core_schema.ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, str) else graph(value)


#: Not a union, which would name its members in each problem of a graph.
GraphOrText = Annotated[
    Graph | str,
    GetPydanticSchema(
        lambda _, schema_of: core_schema.no_info_wrap_validator_function(
            _graph_or_text, schema_of(Graph)
        ),
        lambda schema, json_of: {"anyOf": [json_of(schema), {"type": "string"}]},
    ),
]


class CreateGraph(BaseModel):
    """A graph to create; as a text, what a file of it holds: some exports are texts in JSON."""

    graph: GraphOrText
    source: Literal["builder", "upload"] | None = None


class SetGraphActiveVersion(BaseModel):
    """The version that is to be the active one."""

    active_graph_version: Version


class GraphSettings(BaseModel):
    """Whether people are asked. Null stands for the default."""

    human_in_the_loop_safe_mode: bool = True
    sensitive_action_safe_mode: bool = False

    @field_validator("*", mode="before")
    @classmethod
    def _default_for_null(cls, value: Any, info: ValidationInfo) -> Any:
        return DEFAULT_SETTINGS[str(info.field_name)] if value is None else value

    def changes(self) -> dict[str, bool]:
        """Return what was sent."""
        return self.model_dump(exclude_unset=True)


def to_graph(sent: Graph, fresh: FreshId) -> core.Graph:
    """Return what a client sent as a graph of ours; empty ids get fresh ones."""
    subs = tuple(_to_graph(sub, fresh) for sub in sent.sub_graphs)
    return replace(_to_graph(sent, fresh), sub_graphs=subs)


def _to_graph(sent: BaseGraph, fresh: FreshId) -> core.Graph:
    return core.Graph(
        id=GraphId(sent.id or fresh()),
        version=sent.version,
        name=sent.name,
        description=sent.description,
        is_active=sent.is_active,
        instructions=sent.instructions,
        recommended_schedule_cron=sent.recommended_schedule_cron,
        nodes=tuple(_to_node(node, fresh) for node in sent.nodes),
        links=tuple(_to_link(link, fresh) for link in sent.links),
        forked_from_id=GraphId(sent.forked_from_id) if sent.forked_from_id else None,
        forked_from_version=sent.forked_from_version,
    )


def _to_node(sent: Node, fresh: FreshId) -> core.Node:
    return core.Node(
        id=NodeId(sent.id or fresh()),
        block_id=BlockId(sent.block_id),
        input_default=sent.input_default,
        metadata=sent.metadata,
    )


def _to_link(sent: Link, fresh: FreshId) -> core.Link:
    return core.Link(
        id=LinkId(sent.id or fresh()),
        source_id=NodeId(sent.source_id),
        sink_id=NodeId(sent.sink_id),
        source_name=sent.source_name,
        sink_name=sent.sink_name,
        is_static=sent.is_static,
    )


def graph_model(graph: core.Graph, catalog: Catalog) -> Values:
    """Return a graph with all its parts: ``GraphModel``."""
    answer = graph_meta(graph, catalog)
    answer["nodes"] = [_node_model(graph, node) for node in _with_links(graph)]
    answer["links"] = [link_form(link) for link in graph.links]
    answer["created_at"] = iso(graph.created_at_us)
    return answer


def import_report(repairs: Mapping[NodeId, Sequence[Repair]]) -> Values | None:
    """Return what was mended in a graph, by node; None if nothing was: ``ImportReport``."""
    if not repairs:
        return None
    return {
        "nodes": {
            node_id: [{"kind": one.kind.value, "text": one.text} for one in found]
            for node_id, found in repairs.items()
        }
    }


def graph_meta(graph: core.Graph, catalog: Catalog) -> Values:
    """Return a graph without its nodes and links: ``GraphMeta``."""
    return {
        **base(graph, catalog),
        "user_id": graph.user_id,
        "sub_graphs": [_sub_graph(sub, catalog) for sub in graph.sub_graphs],
        "credentials_input_schema": graph_schema.credentials_input_schema(graph, catalog),
    }


def base(graph: core.Graph, catalog: Catalog) -> Values:
    """Return what every form of a graph tells."""
    return {
        "id": graph.id,
        "version": graph.version,
        "is_active": graph.is_active,
        "name": graph.name,
        "description": graph.description,
        "instructions": graph.instructions,
        "recommended_schedule_cron": graph.recommended_schedule_cron,
        "forked_from_id": graph.forked_from_id,
        "forked_from_version": graph.forked_from_version,
        "input_schema": graph_schema.input_schema(graph, catalog),
        "output_schema": graph_schema.output_schema(graph, catalog),
        "has_external_trigger": triggers.trigger_of(graph, catalog) is not None,
        "has_human_in_the_loop": graph_schema.has_human_in_the_loop(graph, catalog),
        "has_sensitive_action": graph_schema.has_sensitive_action(graph, catalog),
        "trigger_setup_info": triggers.trigger_setup_info(graph, catalog),
    }


def _sub_graph(graph: core.Graph, catalog: Catalog) -> Values:
    return {
        **base(graph, catalog),
        "nodes": list(_with_links(graph)),
        "links": [link_form(link) for link in graph.links],
    }


def _node_model(graph: core.Graph, node: Values) -> Values:
    return {
        **node,
        "graph_id": graph.id,
        "graph_version": graph.version,
        "webhook_id": None,
        "webhook": None,
    }


def _with_links(graph: core.Graph) -> Iterable[Values]:
    """Yield the nodes of *graph*, each with the links into and out of it."""
    into: dict[str, list[Values]] = {}
    out_of: dict[str, list[Values]] = {}
    for link in graph.links:
        form = link_form(link)
        into.setdefault(link.sink_id, []).append(form)
        out_of.setdefault(link.source_id, []).append(form)
    for node in graph.nodes:
        yield {
            "id": node.id,
            "block_id": node.block_id,
            "input_default": node.input_default,
            "metadata": node.metadata,
            "input_links": into.get(node.id, []),
            "output_links": out_of.get(node.id, []),
        }


def link_form(link: core.Link) -> Values:
    """Return a link: ``Link``."""
    return {
        "id": link.id,
        "source_id": link.source_id,
        "sink_id": link.sink_id,
        "source_name": link.source_name,
        "sink_name": link.sink_name,
        "is_static": link.is_static,
    }
