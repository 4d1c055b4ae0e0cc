"""How a run ended, for people and for programs. The same for runs here and on a server."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from backend.cli.options import print_json

if TYPE_CHECKING:
    from backend.core.graph import Graph

#: REVIEW is no end, but nothing more happens before somebody comes.
ENDED: Final = frozenset({"COMPLETED", "FAILED", "TERMINATED", "REVIEW"})
_MOST_FAILURES: Final = 20


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """
    A run that ended.

    Attributes:
        run: The API's answer: `GraphExecutionWithNodes`.
        graph: As it stands in the file.
        ids: Its node ids, by those that it got when it was saved.
        stopped_by: "interrupt" or "timeout", if it was stopped from here.
    """

    run: Mapping[str, Any]
    graph: "Graph"
    ids: Mapping[str, str]
    stopped_by: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether it is COMPLETED and no node failed."""
        stats = self.run["stats"] or {}
        return self.run["status"] == "COMPLETED" and not stats.get("node_error_count")

    def outputs(self) -> dict[str, list[Any]]:
        """Return the values by name; of an agent without output blocks, what its last nodes yield."""
        from backend.core.graph_schema import output_schema  # noqa: PLC0415 -- help does without
        from backend.discovery import load_catalog  # noqa: PLC0415 -- the same

        schema: Any = output_schema(self.graph, load_catalog())
        if schema["properties"]:
            return dict(self.run["outputs"])
        found: dict[str, list[Any]] = {}
        sources = {link.source_id for link in self.graph.links}
        for node in self.nodes():
            if node["node_id"] not in sources and not _is_note(node["block_id"]):
                for pin, values in node["output_data"].items():
                    if pin != "error":
                        found.setdefault(pin, []).extend(values)
        return found

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Yield the node executions, with the node ids of the file."""
        for node in self.run["node_executions"]:
            yield {**node, "node_id": self.ids.get(node["node_id"], node["node_id"])}


def show(result: RunResult) -> None:
    """Print the outputs, and on stderr what went wrong."""
    for name, values in result.outputs().items():
        for value in values:
            click.echo(f"{name}: {_text(value)}")
    failed = [node for node in result.nodes() if node["status"] == "FAILED"]
    for node in failed[:_MOST_FAILURES]:
        reasons = node["output_data"].get("error") or ["no reason was given"]
        click.echo(f"agpt: {_block_name(node)} failed: {_text(reasons[-1])}", err=True)
    if len(failed) > _MOST_FAILURES:
        click.echo(f"agpt: … and {len(failed) - _MOST_FAILURES} more.", err=True)
    run = result.run
    error = (run["stats"] or {}).get("error")
    if result.stopped_by == "timeout":
        click.echo("agpt: the time is over; the run was stopped.", err=True)
    elif result.stopped_by == "interrupt":
        click.echo("agpt: interrupted; the run was stopped.", err=True)
    elif run["status"] != "COMPLETED":
        click.echo(f"agpt: the run is {run['status']}" + (f": {error}" if error else "."), err=True)


def show_json(result: RunResult, **more: Any) -> None:
    """Print everything, and *more*, as one JSON object."""
    found = {
        **more,
        "execution": result.run["id"],
        "status": result.run["status"],
        "outputs": result.outputs(),
        "nodes": list(result.nodes()),
        "stats": result.run["stats"],
    }
    print_json(found)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_note(block_id: str) -> bool:
    from backend.core.block import BlockType  # noqa: PLC0415 -- `agpt --help` does without
    from backend.discovery import load_catalog  # noqa: PLC0415 -- the same

    block = load_catalog().get(block_id)
    return block is not None and block.block_type is BlockType.NOTE


def _block_name(node: Mapping[str, Any]) -> str:
    from backend.discovery import load_catalog  # noqa: PLC0415 -- `agpt --help` does without

    block = load_catalog().get(node["block_id"])
    return f"{block.name if block else node['block_id']} (node {node['node_id']})"
