"""A plain delivery is kept and started in one commit, and listed and started again like any other."""

import asyncio
from typing import Any

import pytest

from tests.contract.rest_server import RestServer
from tests.contract.triggered import PRESETS, deliver, new_trigger, runs, start_all

LIST = "/api/integrations/webhooks"


async def sent(server: RestServer, webhook_id: str) -> list[Any]:
    return list((await server.ask("GET", f"{LIST}/{webhook_id}/deliveries")).json()["deliveries"])


async def test_it_costs_one_commit_and_is_listed_with_its_run_and_can_be_started_again(
    server: RestServer,
) -> None:
    made = await new_trigger(server)
    database = server.storage.database
    before = database.commits

    answered = await server.client.post(made["webhook"]["url"], json={"order": 7})

    assert (answered.status_code, database.commits - before) == (200, 1)
    [run] = await runs(server)
    [one] = await sent(server, made["webhook_id"])
    assert (one["status"], one["tries"]) == ("started", 1)
    assert [start["graph_exec_id"] for start in one["runs"]] == [run["id"]]
    path = f"{LIST}/{made['webhook_id']}/deliveries/{one['id']}/replay"
    again = (await server.ask("POST", path)).json()
    assert (again["status"], again["replay_of"]) == ("started", one["id"])
    assert len(await runs(server)) == 2


async def test_what_nobody_waits_for_costs_one_commit_too(server: RestServer) -> None:
    made = await new_trigger(server)
    await server.ask("PATCH", f"{PRESETS}/{made['id']}", {"is_active": False})
    before = server.storage.database.commits

    await server.client.post(made["webhook"]["url"], json={"order": 7})

    assert server.storage.database.commits - before == 1
    [one] = await sent(server, made["webhook_id"])
    assert (one["status"], "no active preset" in one["reason"]) == ("ignored", True)


async def test_the_same_delivery_at_once_starts_one_run(server: RestServer) -> None:
    made = await new_trigger(server)
    headers = {"Idempotency-Key": "one"}
    url = made["webhook"]["url"]

    answers = await asyncio.gather(
        *(server.client.post(url, json={"order": 7}, headers=headers) for _ in range(8))
    )

    assert {one.status_code for one in answers} == {200}
    assert len(await runs(server)) == len(await sent(server, made["webhook_id"])) == 1


async def test_one_whose_agent_is_archived_between_is_kept_and_says_why(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run was made already, and the transaction refuses it."""
    made = await new_trigger(server)
    executions = server.context.webhooks.runs._executions
    prepare = executions.prepare_start

    async def archived_meanwhile(*arguments: Any, **more: Any) -> Any:
        run = await prepare(*arguments, **more)
        await server.storage.database.write(
            lambda c: c.exec_driver_sql("UPDATE library_agents SET is_archived = true")
        )
        return run

    monkeypatch.setattr(executions, "prepare_start", archived_meanwhile)

    assert (await deliver(server, made["webhook"]["url"], {"order": 7})).status_code == 200
    await start_all(server)

    [one] = await sent(server, made["webhook_id"])
    assert (one["status"], "archived" in one["reason"]) == ("failed", True)
    assert await runs(server) == []


async def test_one_that_takes_long_to_prepare_is_answered_first(
    server: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await new_trigger(server)
    executions = server.context.webhooks.runs._executions

    async def slow(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)

    with monkeypatch.context() as patched:
        patched.setattr(executions, "prepare_start", slow)
        patched.setattr("backend.services.delivery_runs._AT_MOST_S", 0.05)
        answered = await server.client.post(made["webhook"]["url"], json={"order": 7})

    assert answered.status_code == 200
    assert await runs(server) == []
    await start_all(server)
    assert len(await runs(server)) == 1
