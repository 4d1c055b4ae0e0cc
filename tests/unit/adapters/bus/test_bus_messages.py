"""Changes as bytes: whole, and readable by the version before and after."""

from dataclasses import replace

import pytest

from backend.adapters.bus.messages import BadMessage, decode, encode
from backend.core import json
from backend.core.ids import ExecutionId, GraphId, UserId
from backend.ports.bus import NodeText, NoticeTold
from backend.testing.bus import node_changed, run_changed


@pytest.mark.parametrize("change", [run_changed(), node_changed(value={"a": ["ü", None, 1.5]})])
def test_a_change_comes_back_as_it_went(change: object) -> None:
    assert decode(encode(change)) == change  # type: ignore[arg-type]  # one of the two kinds


def test_the_run_of_a_node_travels_without_its_values() -> None:
    change = node_changed()
    heavy = replace(change, run=run_changed().record)

    back = decode(encode(heavy))

    assert back.run.inputs == {}  # type: ignore[union-attr]  # a node's
    assert b"text" not in encode(heavy)


def test_fields_of_a_newer_version_are_ignored() -> None:
    message = json.loads(encode(node_changed()))
    for part in ("run", "node"):
        message[part]["colour"] = "green"
    message["colour"] = "green"

    assert decode(json.dumps(message)) == node_changed()


@pytest.mark.parametrize(
    "change",
    [
        NodeText(
            user_id=UserId("ann"),
            graph_id=GraphId("graph"),
            run_id=ExecutionId("run"),
            node_id="node",
            node_exec_id="execution",
            call=0,
            offset=0,
            text="he",
        ),
        NoticeTold(user_id=UserId("ann"), data={"id": "notice"}),
    ],
)
def test_fields_of_texts_and_notices_of_a_newer_version_are_ignored(
    change: NodeText | NoticeTold,
) -> None:
    message = json.loads(encode(change))
    for part in message.values():
        part["colour"] = "green"

    assert decode(json.dumps(message)) == change


def test_fields_that_an_older_version_does_not_send_take_their_defaults() -> None:
    message = json.loads(encode(node_changed()))
    del message["node"]["error"], message["run"]["attempt"]

    assert decode(json.dumps(message)) == node_changed()


@pytest.mark.parametrize(
    "message",
    [
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"run": {}}',
        b'{"run": 1}',
        b'{"run": {"status": "SLEEPING"}}',
    ],
)
def test_what_is_no_change_is_refused(message: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(message)
