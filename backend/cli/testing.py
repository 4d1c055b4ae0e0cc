"""`agpt test`: small things to try a running server with."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import click

from backend.cli.client import Address, Server, address_of, own_token, server_at
from backend.cli.events import event
from backend.cli.graphs import explained, file_form, token_option
from backend.cli.options import json_anyway_option, json_option, print_json
from backend.cli.outcome import ENDED, RunResult, show, show_json
from backend.cli.run import sample_graph, wait_for_end
from backend.cli.trying import execute, populate_db
from backend.core.errors import AgentServerError, BadRequest, NotAllowed, Unavailable

if TYPE_CHECKING:
    from backend.core.graph import Graph

_INPUTS: Final = {"input_1": "Hello", "input_2": "World"}
_RUN_LIMIT_S: Final = 60.0
#: A frame that does not come in this time: the server sends nothing while nothing happens.
_FRAME_S: Final = 600.0
_CONNECT_S: Final = 5.0
_MAX_FRAME_BYTES: Final = 64 * 1024 * 1024
_NOT_ACCEPTED: Final = 403


class _Group(click.Group):
    """Underscores in names count as hyphens."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command; None if there is no such one."""
        return super().get_command(ctx, cmd_name.replace("_", "-"))


@click.group(cls=_Group)
def test() -> None:
    """
    Try a running server out.

    SERVER is an address like http://host:8006; without one it is this machine's server.
    """


test.add_command(populate_db)
test.add_command(execute)
test.add_command(event)


@test.command()
@click.argument("server", required=False)
@json_option
@token_option
def graph(*, server: str | None, as_json: bool, token: str | None) -> None:
    """Create the sample graph on SERVER, run it, and print its id and outputs."""
    sent = sample_graph()
    with server_at(server, token) as running:
        saved = _created(running, sent)
        started = running.start(saved["id"], saved["version"], _INPUTS)
        run, stopped_by = wait_for_end(running, saved["id"], started["id"], _RUN_LIMIT_S)
    ids = {new["id"]: old.id for new, old in zip(saved["nodes"], sent.nodes, strict=False)}
    result = RunResult(run=run, graph=sent, ids=ids, stopped_by=stopped_by)
    if as_json:
        show_json(result, graph=_named(saved))
    else:
        click.echo(f"graph {saved['id']} version {saved['version']}")
        click.echo(f"run {run['id']} {run['status']}")
        show(result)
    if not result.is_success:
        raise BadRequest("the sample graph did not run as it should")


@test.command()
@click.argument("server", required=False)
@json_option
@token_option
def reddit(*, server: str | None, as_json: bool, token: str | None) -> None:
    """Create the Reddit marketing graph on SERVER and print its id."""
    from backend.usecases.reddit_marketing import create_test_graph  # noqa: PLC0415 -- help does without

    with server_at(server, token) as running:
        saved = _created(running, create_test_graph())
    if as_json:
        print_json({"graph": _named(saved)})
        return
    click.echo(f"graph {saved['id']} version {saved['version']}")


@test.command()
@click.argument("address", metavar="HOST:PORT")
@click.argument("exec_id")
@json_anyway_option
@token_option
def websocket(address: str, exec_id: str, token: str | None) -> None:
    """Print what the WebSocket server at HOST:PORT sends about the run EXEC_ID, to its end."""
    at = _websocket_address(address)
    for frame in frames(at, exec_id, token or own_token(at, {})):
        print_json(frame)


def _websocket_address(text: str) -> Address:
    """Read `host:8001`, `ws://host:8001` or `ws://host:8001/ws`."""
    plain = text.replace("wss://", "https://", 1).replace("ws://", "http://", 1)
    return address_of(plain.rstrip("/").removesuffix("/ws"))


def _named(saved: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": saved["id"], "version": saved["version"]}


def _created(running: Server, graph: "Graph") -> Any:
    try:
        return running.create_graph(file_form(graph))
    except AgentServerError as exc:
        raise BadRequest(explained(exc)) from exc


def frames(address: Address, exec_id: str, token: str | None) -> Iterator[Mapping[str, Any]]:
    """
    Yield the frames about a run, the first with what it is now, the last with its end.

    Raises:
        Unavailable: If nobody answers, or the connection ends before the run.
        NotAllowed: If the token is not accepted.
        BadRequest: If the server refuses, for one because there is no such run.
    """
    from websockets.sync.client import connect  # noqa: PLC0415 -- heavy

    origin = address.origin.replace("http", "ws", 1)
    asked = f"?token={quote(token, safe='')}" if token else ""
    with (
        _sentences(origin),
        connect(
            f"{origin}/ws{asked}", proxy=None, open_timeout=_CONNECT_S, max_size=_MAX_FRAME_BYTES
        ) as connection,
    ):
        connection.send(_subscription(exec_id))
        while True:
            frame = _read(connection.recv(timeout=_FRAME_S))
            yield frame
            if _is_last(frame, exec_id):
                return


@contextmanager
def _sentences(origin: str) -> Iterator[None]:
    """Turn what can happen to a connection into errors of ours."""
    from websockets.exceptions import (  # noqa: PLC0415 -- heavy
        ConnectionClosed,
        InvalidStatus,
        WebSocketException,
    )

    try:
        yield
    except ConnectionClosed as exc:
        raise Unavailable(f"{origin} closed the connection before the run ended: {exc}.") from exc
    except InvalidStatus as exc:
        if exc.response.status_code == _NOT_ACCEPTED:
            raise NotAllowed(f"{origin} does not accept the token.") from exc
        raise Unavailable(f"{origin} is no WebSocket server of ours: {exc}.") from exc
    except TimeoutError as exc:
        raise Unavailable(f"{origin} sent nothing in time.") from exc
    except OSError as exc:
        raise Unavailable(f"No WebSocket server answers at {origin}.") from exc
    except WebSocketException as exc:
        raise Unavailable(f"{origin} is no WebSocket server of ours: {exc}.") from exc


def _subscription(exec_id: str) -> str:
    # All rows changed since number 0: a run that has ended already is shown too.
    data = {"graph_exec_id": exec_id, "after_sequence": 0}
    return json.dumps({"method": "subscribe_graph_execution", "data": data})


def _read(text: str | bytes) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except ValueError as exc:
        raise Unavailable("a frame came that is not JSON") from exc
    if not isinstance(frame, dict):
        raise Unavailable("a frame came that is no object")
    if frame.get("success") is False or frame.get("method") == "error":
        raise BadRequest(f"the server refused: {frame.get('error') or 'it says not why'}")
    return frame


def _is_last(frame: Mapping[str, Any], exec_id: str) -> bool:
    data = frame.get("data")
    return (
        frame.get("method") == "graph_execution_event"
        and isinstance(data, dict)
        and data.get("id") == exec_id
        and data.get("status") in ENDED
    )
