"""Whether the credentials that a run names are its user's, and what its nodes take."""

from collections.abc import Iterator, Mapping
from typing import Any

from backend.core.catalog import Catalog
from backend.core.credentials import CredentialsRecord
from backend.core.graph import Graph
from backend.core.graph_check import GraphReport
from backend.core.ids import CredentialsId
from backend.ports.credentials import UserCredentials
from backend.services.credentials import mismatch

Masks = Mapping[str, Mapping[str, Any]]
Pin = tuple[str, str, Mapping[str, Any], Mapping[str, Any]]


async def with_lent(
    report: GraphReport, graph: Graph, catalog: Catalog, masks: Masks, stored: UserCredentials
) -> GraphReport:
    """Return *report* with what is wrong about the credentials named (spec/semantics.md 2.9)."""
    named = list(_named(report, graph, catalog, masks))
    ids = {CredentialsId(value["id"]) for *_, value in named if isinstance(value.get("id"), str)}
    known = {record.id: record for record in await stored.some(sorted(ids))} if ids else {}
    problems = {node_id: dict(fields) for node_id, fields in report.nodes.items()}
    for node_id, pin, schema, value in named:
        if catalog.operators is not None and catalog.operators.covers(value):
            continue
        problem = _problem(schema, value, known)
        if problem and pin not in problems.get(node_id, {}):
            problems.setdefault(node_id, {})[pin] = problem
    return GraphReport(structure=report.structure, nodes=problems, skipped=report.skipped)


def _named(report: GraphReport, graph: Graph, catalog: Catalog, masks: Masks) -> Iterator[Pin]:
    """Yield node, pin, the pin's schema and what it is given, where it is given something."""
    for node in graph.nodes:
        block = catalog.get(node.block_id)
        if block is None or node.id in report.skipped:
            continue
        given = {**node.input_default, **masks.get(node.id, {})}
        for pin, schema in block.credentials.items():
            value = given.get(pin)
            if isinstance(value, Mapping) and value.get("id"):
                yield node.id, pin, schema, value


def _problem(
    schema: Mapping[str, Any],
    value: Mapping[str, Any],
    known: Mapping[CredentialsId, CredentialsRecord],
) -> str | None:
    if not all(isinstance(value.get(word), str) for word in ("id", "provider", "type")):
        return "Invalid credentials: id, provider and type are texts"
    record = known.get(CredentialsId(value["id"]))
    if record is None:
        return f"Unknown credentials #{value['id'][:200]}"
    providers = schema.get("credentials_provider") or ["string"]
    types = schema.get("credentials_types") or [record.kind.value]
    fits = providers == ["string"] or record.provider in providers
    if mismatch(record, value) or not fits or record.kind.value not in types:
        return "Invalid credentials: type/provider mismatch"
    return None
