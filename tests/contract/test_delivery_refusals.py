"""What an owner is shown of deliveries that were refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from backend.core.deliveries import DeliveryStatus
from tests.contract.rest_server import BOB, Json, RestServer
from tests.contract.triggered import new_trigger
from tests.contract.webhook_parts import BODY_BYTES

LIST = "/api/integrations/webhooks"


@pytest.fixture
async def serving(server: RestServer) -> AsyncIterator[RestServer]:
    """A server that does its work beside answering."""
    task = asyncio.create_task(server.context.webhooks.serve())
    yield server
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def refused(server: RestServer, webhook_id: str, count: int) -> list[Json]:
    """Return the refused deliveries of a webhook once there are *count*."""
    async with asyncio.timeout(10):
        while True:
            response = await server.ask("GET", f"{LIST}/{webhook_id}/deliveries")
            found = [
                one
                for one in response.json()["deliveries"]
                if one["status"] == DeliveryStatus.REFUSED.value
            ]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_what_was_refused_is_shown_with_its_reason_and_without_its_body(
    serving: RestServer,
) -> None:
    made = await new_trigger(serving, constants={"shop": "Oslo"}, signature="github")
    path = made["webhook"]["url"].removeprefix("http://server")
    wrong = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-Request-Id": "abc"}
    answered = [
        await serving.client.post(path, content=b'{"a": 1}', headers=wrong),
        await serving.client.post(path, content=b"x" * (BODY_BYTES + 1)),
    ]

    large, unsigned = await refused(serving, made["webhook_id"], 2)

    assert [one.status_code for one in answered] == [403, 413]
    assert "MAX_WEBHOOK_BODY_KB" in large["reason"]
    assert "signature" in unsigned["reason"].lower()
    assert "0" * 64 not in str(unsigned)
    whole = await serving.ask("GET", f"{LIST}/{made['webhook_id']}/deliveries/{unsigned['id']}")
    assert whole.json()["payload"] is None
    again = await serving.ask(
        "POST", f"{LIST}/{made['webhook_id']}/deliveries/{unsigned['id']}/replay"
    )
    assert again.status_code == 400
    [shown] = [
        one
        for one in (await serving.ask("GET", LIST)).json()["webhooks"]
        if one["id"] == made["webhook_id"]
    ]
    assert shown["refused_count"] == 2
    assert (await serving.ask("GET", LIST, user=BOB)).json()["webhooks"] == []


async def test_of_a_webhook_that_is_not_there_nothing_is_kept(serving: RestServer) -> None:
    made = await new_trigger(serving, constants={"shop": "Oslo"}, signature="github")
    nobody = "/api/integrations/github/webhooks/00000000-0000-4000-8000-000000000000/ingress"
    path = made["webhook"]["url"].removeprefix("http://server")

    await serving.client.post(nobody, content=b"x" * (BODY_BYTES + 1))
    await serving.client.post(path, content=b"{}")

    assert len(await refused(serving, made["webhook_id"], 1)) == 1
    rows = await serving.storage.database.read(
        lambda c: c.exec_driver_sql("SELECT count(*) FROM deliveries").scalar()
    )
    assert rows == 1
