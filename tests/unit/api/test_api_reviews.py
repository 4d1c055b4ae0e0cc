"""Questions to people over REST: lists, answers, what is refused, and the settings of an agent."""

from typing import Any

import pytest
from sqlalchemy import Connection

from backend.ports.dispatch import SignalKind
from tests.contract.rest_server import BOB, Json, RestServer

ACTION = "/api/review/action"
DEEP_ENOUGH: Any = "x"
for _ in range(10):
    DEEP_ENOUGH = [DEEP_ENOUGH]


def item(node_exec_id: str, **changes: Any) -> Json:
    return {"node_exec_id": node_exec_id, "approved": True, **changes}


async def act(server: RestServer, *items: Json, **more: Any) -> Any:
    return await server.ask("POST", ACTION, {"reviews": list(items)}, **more)


async def status(server: RestServer, run_id: str, graph: Json) -> str:
    answered = await server.ask("GET", f"/api/graphs/{graph['id']}/executions/{run_id}")
    return str(answered.json()["status"])


async def rows(server: RestServer) -> list[Any]:
    return await server.storage.database.read(
        lambda c: list(
            c.exec_driver_sql(
                "SELECT status, message, payload, was_edited FROM reviews ORDER BY node_exec_id"
            )
        )
    )


async def two_questions(server: RestServer) -> tuple[Json, Json]:
    """Let a run ask two questions, ``one`` and ``two``; return the graph and the run."""
    graph = await server.new_graph()
    run = await server.new_run(graph)
    await server.ask_person(run, "one")
    await server.ask_person(run, "two", payload="draft", editable=False)
    return graph, run


async def test_questions_are_listed_newest_first_and_of_a_run_oldest_first(
    server: RestServer,
) -> None:
    _, run = await two_questions(server)

    pending = (await server.ask("GET", "/api/review/pending")).json()
    second = (await server.ask("GET", "/api/review/pending?page=2&page_size=1")).json()
    of_run = (await server.ask("GET", f"/api/review/execution/{run['id']}")).json()

    assert [one["node_exec_id"] for one in pending] == ["two", "one"]
    assert second == pending[1:]
    assert of_run == pending[::-1]
    assert of_run[0] == {
        "node_exec_id": "one",
        "node_id": "ask",
        "user_id": "ann",
        "graph_exec_id": run["id"],
        "graph_id": run["graph_id"],
        "graph_version": 1,
        "payload": {"a": 1},
        "instructions": "ok?",
        "editable": True,
        "status": "WAITING",
        "review_message": None,
        "was_edited": None,
        "processed": False,
        "created_at": of_run[0]["created_at"],
        "updated_at": None,
        "reviewed_at": None,
    }


async def test_a_run_is_queued_and_the_executor_told_when_its_last_question_is_answered(
    server: RestServer,
) -> None:
    graph, run = await two_questions(server)

    first = await act(server, item("one", message="  ", reviewed_data={"a": 2}))
    between = await status(server, run["id"], graph)
    last = await act(server, item("two", approved=False, message="no", reviewed_data="ignored"))

    assert first.json()["approved_count"] == 1
    assert last.json() == {
        "approved_count": 0,
        "rejected_count": 1,
        "failed_count": 0,
        "error": None,
    }
    assert (between, await status(server, run["id"], graph)) == ("REVIEW", "QUEUED")
    await server.told(SignalKind.RUN, run["id"])
    assert await rows(server) == [
        ("APPROVED", None, '{"a":2}', 1),
        ("REJECTED", "no", '"draft"', 0),
    ]
    assert (await server.ask("GET", "/api/review/pending")).json() == []


async def test_the_same_decision_again_is_harmless_and_another_one_is_refused(
    server: RestServer,
) -> None:
    await two_questions(server)
    await act(server, item("one"), item("two"))

    again = await act(server, item("one", message="other"), item("two"))
    turned = await act(server, item("one", approved=False))

    assert (again.status_code, again.json()["approved_count"]) == (200, 2)
    assert turned.status_code == 409
    assert "The run is QUEUED" in turned.text
    assert [row.message for row in await rows(server)] == [None, None]


async def test_a_decision_is_not_turned_round_while_others_are_open(server: RestServer) -> None:
    await two_questions(server)
    await act(server, item("one"))

    turned = await act(server, item("one", approved=False))

    assert (turned.status_code, "APPROVED already" in turned.text) == (400, True)


async def test_who_approves_too_late_is_told_that_the_run_does_not_wait(
    server: RestServer,
) -> None:
    """Nobody has rejected anything: the run was stopped between looking and answering."""
    await two_questions(server)
    await server.storage.database.write(_stopped)

    late = await act(server, item("one"))

    assert (late.status_code, "The run is TERMINATED" in late.text) == (409, True)


def _stopped(connection: Connection) -> None:
    """Close the run's questions, as the executor does when it is told to stop."""
    connection.exec_driver_sql("UPDATE executions SET status = 'TERMINATED'")
    connection.exec_driver_sql("UPDATE reviews SET status = 'REJECTED'")


@pytest.mark.parametrize("data", ["draft", None])
async def test_what_is_not_editable_may_be_approved_as_it_is(
    server: RestServer, data: str | None
) -> None:
    await two_questions(server)

    answered = await act(server, item("two", reviewed_data=data))

    assert answered.status_code == 200


async def test_data_is_not_looked_at_where_all_the_future_is_approved(server: RestServer) -> None:
    await two_questions(server)

    answered = await act(
        server, item("two", reviewed_data="other", auto_approve_future=True), item("one")
    )

    assert answered.status_code == 200
    assert [row.was_edited for row in await rows(server)] == [0, 0]
    found = await server.storage.decisions(await pending_run(server))
    assert found.approved_nodes == {"ask"}


async def pending_run(server: RestServer) -> Any:
    return await server.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT run_id FROM reviews").scalars().first()
    )


#: What is wrong, the items, the status and what the answer says. `one` and `two` wait in one run,
#: `three` in another, `four` in one that has gone on.
REFUSED: list[tuple[str, list[Any], int, str]] = [
    ("nothing", [], 422, "at least 1 item"),
    ("an item without a decision", [{"node_exec_id": "one"}], 422, "Field required"),
    ("an item that is a text", ["one"], 422, "reviews"),
    ("an id that is a number", [item(7)], 422, "valid string"),  # type: ignore[arg-type]
    ("one twice", [item("one"), item("one")], 422, "twice"),
    ("a decision in words", [item("one", approved="perhaps")], 422, "boolean"),
    ("a message of 2,001 characters", [item("one", message="x" * 2_001)], 422, "at most 2000"),
    ("a message with U+0000", [item("one", message="a\0b")], 422, "U+0000"),
    ("data nested 11 deep", [item("one", reviewed_data=[DEEP_ENOUGH])], 422, "deeper than 10"),
    ("data of a million characters", [item("one", reviewed_data="x" * 1_000_000)], 422, "1000000"),
    ("1,001 items", [item(str(i)) for i in range(1_001)], 422, "at most 1000"),
    ("an unknown question", [item("one"), item("five")], 404, "five not found"),
    ("questions of two runs", [item("one"), item("three")], 409, "same run"),
    ("a run that has gone on", [item("four")], 409, "RUNNING"),
    ("a change of what is fixed", [item("one"), item("two", reviewed_data=1)], 400, "not editable"),
]


@pytest.mark.parametrize(
    ("items", "code", "says"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
async def test_a_wrong_answer_is_refused_as_a_whole(
    server: RestServer, items: list[Any], code: int, says: str
) -> None:
    graph, _ = await two_questions(server)
    await server.ask_person(await server.new_run(graph), "three")
    moving = await server.new_run(graph)
    await server.ask_person(moving, "four")
    await server.storage.database.write(
        lambda c: c.exec_driver_sql(
            "UPDATE executions SET status = 'RUNNING' WHERE id = ?", (moving["id"],)
        )
    )

    response = await server.ask("POST", ACTION, {"reviews": items})

    assert response.status_code == code, response.text
    assert says in response.text
    assert {row.status for row in await rows(server)} == {"WAITING"}


async def test_ten_levels_and_nearly_a_million_characters_are_taken(server: RestServer) -> None:
    graph = await server.new_graph()
    run = await server.new_run(graph)
    await server.ask_person(run, "one")
    await server.ask_person(run, "two")

    answered = await act(
        server,
        item("one", reviewed_data=DEEP_ENOUGH),
        item("two", reviewed_data="x" * 999_998, message="x" * 2_000),
    )

    assert answered.status_code == 200, answered.text


async def test_a_stranger_finds_no_question_of_others(server: RestServer) -> None:
    _, run = await two_questions(server)

    listed = await server.ask("GET", "/api/review/pending", user=BOB)
    of_run = await server.ask("GET", f"/api/review/execution/{run['id']}", user=BOB)
    answered = await act(server, item("one"), user=BOB)

    assert listed.json() == []
    assert (of_run.status_code, answered.status_code) == (404, 404)


async def test_settings_are_changed_where_they_are_named(server: RestServer) -> None:
    graph = await server.new_graph()
    path = f"/api/graphs/{graph['id']}/settings"

    both = {"human_in_the_loop_safe_mode": False, "sensitive_action_safe_mode": True}
    answers = [
        (await server.ask("PATCH", path, body)).json()
        for body in ({}, both, {"sensitive_action_safe_mode": None}, {"unknown": 1})
    ]

    nobody = {"human_in_the_loop_safe_mode": False, "sensitive_action_safe_mode": False}
    assert answers[0] == {"human_in_the_loop_safe_mode": True, "sensitive_action_safe_mode": False}
    assert answers[1:] == [both, nobody, nobody]
    assert (await server.ask("PATCH", path, both, user=BOB)).status_code == 404


async def test_a_run_that_waits_is_told_to_stop(server: RestServer) -> None:
    graph = await server.new_graph()
    run_id = await server.paused_run(graph)

    stopped = await server.storage.of("ann").ask_stop(run_id, now_us=7)  # type: ignore[arg-type]

    assert stopped
    assert await server.stop_asked(run_id)
    assert (await act(server, item(f"{run_id}-1"))).status_code == 409
