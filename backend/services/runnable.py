"""Whether a saved graph can run with what it is given; decided before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.core.catalog import Catalog
from backend.core.errors import BadRequest, GraphInvalid
from backend.core.graph import Graph, sub_graph_of
from backend.core.graph_check import GraphReport, check_graph
from backend.core.graph_schema import credentials_masks
from backend.core.plan import GraphPlan
from backend.core.triggers import Trigger, trigger_of

Masks = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class ReadyGraph:
    """
    A saved version, made ready to run. *graph* has no sub-graphs here.

    Attributes:
        report: What is wrong with it when it gets no masks: the same each time, so made once.
        trigger: Where something outside starts it, if anywhere.
    """

    graph: Graph
    plan: GraphPlan
    report: GraphReport
    trigger: Trigger | None
    takes_credentials: bool = False  #: some node does
    runs_others: bool = False  #: some node runs another graph


@dataclass(frozen=True, kw_only=True)
class Runnable:
    """What a run needs beside its inputs."""

    masks: Masks = field(default_factory=dict)  #: those asked for, and the credentials by node
    skipped: tuple[str, ...] = ()


def make_ready(graph: Graph, catalog: Catalog) -> ReadyGraph:
    """
    Return *graph* with its plan and its report.

    Raises:
        GraphInvalid: If it cannot be planned: it was saved by a version that knew other blocks.
    """
    return ReadyGraph(
        graph=graph,
        plan=GraphPlan(graph, catalog),
        report=check_graph(graph, catalog, for_run=True),
        trigger=trigger_of(graph, catalog),
        takes_credentials=any(
            block.credentials
            for block in (catalog.get(node.block_id) for node in graph.nodes)
            if block is not None
        ),
        runs_others=any(sub_graph_of(node) is not None for node in graph.nodes),
    )


def asked_of(
    ready: ReadyGraph,
    catalog: Catalog,
    *,
    inputs: Mapping[str, Any],
    credentials: Mapping[str, Mapping[str, Any]],
    masks: Masks,
    whole: Graph | None = None,
) -> tuple[GraphReport, Masks]:
    """
    Return what is wrong with a run of *ready*, and all its masks, those of credentials too.

    Args:
        whole: The graph with the graphs that it runs: what is given by the names of its groups
            reaches their nodes too. None: it runs none.
    """
    report = ready.report
    if ready.trigger is not None and (given := ready.trigger.mask(inputs)):
        # So a delivery starts its run, and so the inputs that such a run shows start it again.
        place: str = ready.trigger.node_id
        masks = {**masks, place: {**given, **masks.get(place, {})}}
    if credentials or masks:
        compiled = credentials_masks(whole or ready.graph, catalog, credentials)
        for node_id, values in masks.items():
            compiled[node_id] = {**compiled.get(node_id, {}), **values}
        masks = compiled
        report = check_graph(ready.graph, catalog, for_run=True, masks=masks)
    return report, masks


def require_runnable(
    ready: ReadyGraph, report: GraphReport, masks: Masks, inputs: Mapping[str, Any]
) -> Runnable:
    """
    Return what a run of *ready* needs.

    Raises:
        GraphInvalid: With all problems in *report*, by node.
        BadRequest: If no node can start, or an input does not fit.
    """
    if report.structure:
        raise BadRequest("; ".join(report.structure))
    if report.nodes:
        issues = sum(map(len, report.nodes.values()))
        raise GraphInvalid(
            f"Graph validation failed: {issues} issues on {len(report.nodes)} nodes", report.nodes
        )
    ready.plan.starting_nodes(inputs, masks, report.skipped)
    return Runnable(masks=masks, skipped=tuple(sorted(report.skipped)))
