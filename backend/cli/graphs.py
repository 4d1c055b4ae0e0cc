"""`agpt import` and `agpt export`: agent files into a running server, and out of it."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from backend.cli.client import server_at
from backend.cli.options import bar_for, json_anyway_option, json_option, print_json
from backend.core.errors import AgentServerError, BadRequest, GraphInvalid

if TYPE_CHECKING:
    from backend.core.graph import Graph

Command = TypeVar("Command", bound=Callable[..., Any])

#: What the answer has beside the file: whose it is, and what is made from it anyway.
_KEPT: Final = (
    "id",
    "version",
    "is_active",
    "name",
    "description",
    "instructions",
    "recommended_schedule_cron",
    "forked_from_id",
    "forked_from_version",
    "nodes",
    "links",
    "input_schema",
    "output_schema",
    "credentials_input_schema",
)
_KEPT_OF_NODES: Final = ("id", "block_id", "input_default", "metadata")


class Unreadable(BadRequest):
    """This file holds no agent. The message names it."""


server_option = click.option(
    "--server", metavar="URL", help="Like http://host:8006; else this machine's."
)
token_option = click.option(
    "--token", help="For that server; else AGPT_TOKEN, and on loopback your own."
)
file_argument = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.command(name="import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=file_argument)
@json_option
@server_option
@token_option
def import_(
    *, files: tuple[Path, ...], as_json: bool, server: str | None, token: str | None
) -> None:
    """
    Save the agents in FILEs on the running server.

    Prints the id and version of each, and what was mended in one that was made for an earlier
    server, by node. A file that cannot be saved is refused with all its problems, and does not
    keep the others out; the exit code is 1 then.
    """
    made: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    with (
        server_at(server, token) as running,
        bar_for(files, len(files), f"{len(files)} files") as walked,
    ):
        for path in walked:
            name = click.format_filename(path)
            try:
                saved = running.create_graph(file_form(read_file(path)))
            except BadRequest as exc:
                is_read = not isinstance(exc, Unreadable)
                text = f"{path} is refused: {explained(exc)}" if is_read else str(exc)
                refused.append({"file": name, "error": text})
                click.echo(f"agpt: {text}", err=True)
            else:
                report = saved.get("import_report")
                made.append(
                    {
                        "file": name,
                        "id": saved["id"],
                        "version": saved["version"],
                        "import_report": report,
                    }
                )
                if not as_json:
                    click.echo(f"graph {saved['id']} version {saved['version']}")
                    for line in mended_lines(report):
                        click.echo(line)
    if as_json:
        print_json({"graphs": made, "refused": refused})
    if refused:
        sys.exit(1)


@click.command()
@click.argument("graph_id")
@click.option("--version", type=click.IntRange(1, 2**31 - 1), help="Else the highest.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write this file instead of printing.",
)
@json_anyway_option
@server_option
@token_option
def export(
    graph_id: str, version: int | None, output: Path | None, server: str | None, token: str | None
) -> None:
    """Print a graph of the running server as an agent file, without its secrets."""
    with server_at(server, token) as running:
        graph = running.export(graph_id, version)
    text = json.dumps(_as_file(graph), indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as exc:
        raise BadRequest(f"{output} cannot be written: {exc.strerror}.") from exc


def read_file(path: Path) -> "Graph":
    """
    Return the graph in an agent file.

    Raises:
        Unreadable: With all problems in its text.
    """
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- `agpt --help` does without
    from backend.services.portable import MAX_FILE_BYTES, read_graph  # noqa: PLC0415 -- the same

    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise Unreadable(f"{path} cannot be read: {exc.strerror}.") from exc
    try:
        return read_graph(text, name=path.stem, fresh=SystemClock().new_id)
    except AgentServerError as exc:
        raise Unreadable(f"{path} is no agent file that can be read: {explained(exc)}") from exc


def mended(graph: "Graph") -> "Graph":
    """
    Return *graph* without what is old in it; what was mended goes to standard error.

    References to credentials stay: the run says which of them nobody here has.
    """
    from backend.core.graph_repair import repaired  # noqa: PLC0415 -- `agpt --help` does without
    from backend.discovery import load_catalog  # noqa: PLC0415 -- the same

    made, repairs = repaired(graph, load_catalog(), owned=lambda _: True)
    for repair in repairs:
        click.echo(f"mended at node {repair.node_id}: {repair.text}", err=True)
    return made


def mended_lines(report: dict[str, Any] | None) -> Iterator[str]:
    """Yield what an answer of the server says of what was mended, a line each."""
    for node_id, found in (report or {"nodes": {}})["nodes"].items():
        yield f"  node {node_id}"
        yield from (f"    {one['text']}" for one in found)


def file_form(graph: "Graph") -> dict[str, Any]:
    """Return *graph* as the API takes it."""
    from backend.services.portable import to_file  # noqa: PLC0415 -- `agpt --help` does without

    return to_file(graph)


def explained(error: AgentServerError) -> str:
    """Return the text of *error*, with all problems of a graph by node."""
    # Problems of links and blocks stand in one message: one a line, without all blocks there are.
    text = re.sub(r", available blocks: \{[^}]*\}", "", str(error))
    lines = [re.sub(r"; (?=Link \(|Invalid block |Graph )", "\n  ", text)]
    if not isinstance(error, GraphInvalid):
        return lines[0]
    for node_id, fields in error.problems.items():
        lines.append(f"  node {node_id}")
        lines += [f"    {name}: {text}" for name, text in fields.items()]
    return "\n".join(lines)


def _as_file(graph: dict[str, Any]) -> dict[str, Any]:
    subs = [_kept(sub) for sub in graph.get("sub_graphs") or []]
    return {**_kept(graph), "sub_graphs": subs}


def _kept(graph: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: graph[name] for name in _KEPT if name in graph}
    kept["nodes"] = [
        {name: node[name] for name in _KEPT_OF_NODES if name in node} for node in graph["nodes"]
    ]
    return kept
