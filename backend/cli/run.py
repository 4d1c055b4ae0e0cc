"""`agpt run`: one agent, here and now, or on the running server; prints its outputs."""

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from backend.cli.client import Server, data_dir_overrides, server_at
from backend.cli.graphs import (
    explained,
    file_argument,
    file_form,
    mended,
    mended_lines,
    read_file,
)
from backend.cli.inputs import read_inputs
from backend.cli.options import FiniteRange, json_option
from backend.cli.outcome import ENDED, RunResult, show, show_json
from backend.core.errors import AgentServerError, BadRequest, GraphInvalid

if TYPE_CHECKING:
    from backend.core.graph import Graph
    from backend.ports.bus import NodeChanged

INTERRUPTED: Final = 130
#: So that the first try needs nothing but the one word.
SAMPLE_VALUES: Final = ("input_1=Hello", "input_2=World")
_FIRST_LOOK_S: Final = 0.01
_SLOWEST_LOOK_S: Final = 0.5


@click.command()
@click.argument("file", required=False, type=file_argument)
@click.option(
    "--sample",
    is_flag=True,
    help="Run the sample agent instead of a file; without -i with Hello and World.",
)
@click.option(
    "-i",
    "--input",
    "values",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value for an input: JSON, or text; NAME=@FILE reads it from a file.",
)
@json_option
@click.option("--server", is_flag=True, help="Run it on the running server of this machine.")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the run there; with --server, that server's.",
)
@click.option(
    "--timeout",
    type=FiniteRange(min=0, min_open=True, max=10_000_000),
    metavar="SECONDS",
    help="Stop the run after so long.",
)
def run(
    *,
    file: Path | None,
    sample: bool,
    values: tuple[str, ...],
    as_json: bool,
    server: bool,
    data_dir: Path | None,
    timeout: float | None,
) -> None:
    """
    Run the agent in FILE and print its outputs, a line for each: `name: value`.

    An agent without output blocks prints what its last nodes yield. It runs in a private folder
    that is removed at the end, and needs no server and no port. Ctrl-C stops it.

    Exit code 0: the run is COMPLETED and no node failed. 1: anything else that happened to it.
    2: the command is wrong. 130: it was interrupted.
    """
    if sample == (file is not None):
        raise click.UsageError("Name one agent file, or --sample.")
    try:
        graph = sample_graph() if file is None else read_file(file)
        inputs = read_inputs(graph, values or (SAMPLE_VALUES if sample else ()))
        with _terminate_as_interrupt():
            work = _run_on_server if server else _run_here
            result = work(graph, inputs, data_dir, timeout)
    except GraphInvalid as exc:
        hint = "" if server else _about_credentials(exc, data_dir)
        raise BadRequest(explained(exc) + hint) from exc
    except KeyboardInterrupt:
        click.echo("agpt: interrupted.", err=True)
        sys.exit(INTERRUPTED)
    try:
        (show_json if as_json else show)(result)
    except BrokenPipeError:
        raise  # whoever read the outputs has enough of them; click ends quietly
    except OSError as exc:
        raise AgentServerError(f"The outputs cannot be written: {exc.strerror}.") from exc
    if result.stopped_by == "interrupt":
        sys.exit(INTERRUPTED)
    if result.stopped_by is not None or not result.is_success:
        sys.exit(1)


#: How the sentences begin that say that a node has no credentials (spec/semantics.md 2.9).
_NO_CREDENTIALS = ("Unknown credentials", "These credentials are required")


def sample_graph() -> "Graph":
    """Return the agent of `--sample`."""
    from backend.usecases.sample import create_test_graph  # noqa: PLC0415 -- help does without

    return create_test_graph()


def _about_credentials(error: GraphInvalid, data_dir: Path | None) -> str:
    """Return where a run without a server finds credentials, if it is them that it misses."""
    problems = [text for fields in error.problems.values() for text in fields.values()]
    if not any(text.startswith(_NO_CREDENTIALS) for text in problems):
        return ""
    if data_dir is None:
        return (
            "\nA run in a private folder has nobody's credentials: let the server run it, with "
            "--server, or give --data-dir while no server uses it."
        )
    return (
        "\nA run without a server has the owner's credentials of that data directory, and takes "
        "those that a node names in its pin: a reference with id, provider and type."
    )


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: the private folder must not stay behind."""

    def interrupt(_: int, __: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_here(
    graph: "Graph", inputs: Mapping[str, Any], data_dir: Path | None, limit_s: float | None
) -> RunResult:
    import asyncio  # noqa: PLC0415 -- `agpt --help` does without

    from backend.api.wire.executions import graph_execution_with_nodes  # noqa: PLC0415 -- the same
    from backend.services.portable import file_ids  # noqa: PLC0415 -- the same
    from backend.wiring_run import place_to_run, run_alone  # noqa: PLC0415 -- the same

    _log_to_stderr()
    graph = mended(graph)
    with place_to_run(data_dir) as settings:
        outcome = asyncio.run(
            run_alone(
                settings,
                graph,
                inputs,
                durable=data_dir is not None,
                limit_s=limit_s,
                on_node=_progress(),
            )
        )
    return RunResult(
        run=graph_execution_with_nodes(outcome.record, outcome.nodes),
        graph=graph,
        ids=file_ids(graph, outcome.graph),
        stopped_by=outcome.stopped_by,
    )


def _log_to_stderr() -> None:
    """Keep what the engine logs out of the outputs."""
    import structlog  # noqa: PLC0415 -- `agpt --help` does without

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _progress() -> Any:
    """Return what shows each node that ended, if somebody looks at a terminal."""
    from backend.core.status import FINAL  # noqa: PLC0415 -- `agpt --help` does without
    from backend.discovery import load_catalog  # noqa: PLC0415 -- the same

    visible = sys.stderr.isatty()

    def show_node(change: "NodeChanged") -> None:
        record = change.record
        if visible and record.status in FINAL:
            block = load_catalog().get(record.block_id)
            name = block.name if block else record.block_id
            click.echo(click.style(f"  {record.status.value:<10} {name}", dim=True), err=True)

    return show_node


def _run_on_server(
    graph: "Graph", inputs: Mapping[str, Any], data_dir: Path | None, limit_s: float | None
) -> RunResult:
    with server_at(None, None, data_dir_overrides(data_dir)) as server:
        saved = server.create_graph(file_form(graph))
        for line in mended_lines(saved.get("import_report")):
            click.echo(line, err=True)
        ids = dict(
            zip(
                (node["id"] for node in saved["nodes"]),
                (node.id for node in graph.nodes),
                strict=False,
            )
        )
        try:
            started = server.start(saved["id"], saved["version"], inputs)
        except AgentServerError as exc:
            # Nobody asked for a graph that cannot run.
            server.delete_graph(saved["id"])
            if isinstance(exc, GraphInvalid):
                problems = {ids.get(key, key): found for key, found in exc.problems.items()}
                raise GraphInvalid(str(exc), problems) from exc
            raise
        run, stopped_by = wait_for_end(server, saved["id"], started["id"], limit_s)
    return RunResult(run=run, graph=graph, ids=ids, stopped_by=stopped_by)


def wait_for_end(
    server: Server, graph_id: str, run_id: str, limit_s: float | None
) -> tuple[dict[str, Any], str | None]:
    """Return a run when it has ended; it is stopped on Ctrl-C and when the time is over."""
    deadline = None if limit_s is None else time.monotonic() + limit_s
    pause_s, stopped_by = _FIRST_LOOK_S, None
    try:
        while True:
            run: dict[str, Any] = server.run(graph_id, run_id)
            if run["status"] in ENDED:
                return run, None
            if deadline is not None and time.monotonic() >= deadline:
                stopped_by = "timeout"
                break
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.3, _SLOWEST_LOOK_S)
    except KeyboardInterrupt:
        stopped_by = "interrupt"
    server.stop(graph_id, run_id)
    return server.run(graph_id, run_id), stopped_by
