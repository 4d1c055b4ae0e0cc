"""Requests made from the external API's own documentation; see test_generated_requests.py."""

import asyncio
from typing import Any

import pytest
import schemathesis
from schemathesis.core.result import Ok

from tests.contract.rest_server import RestServer, rest_server
from tests.contract.test_generated_requests import Tried

SEED = 20_261_126


class TriedWithKey(Tried):
    """The same, with an API key that may do everything."""

    def __init__(self, runner: asyncio.Runner, server: RestServer) -> None:
        super().__init__(runner, server)
        self._key = runner.run(self._owner.thing("key_text"))

    def _request(self, case: Any) -> dict[str, Any]:
        sent = super()._request(case)
        address = str(sent["url"]).removeprefix("http://server").removeprefix("/external-api")
        headers = {name: value for name, value in sent["headers"].items() if value}
        headers.pop("Authorization")
        url = f"http://server/external-api{address}"
        return {**sent, "url": url, "headers": {**headers, "X-API-Key": self._key}}


@pytest.mark.slow
def test_a_few_requests_of_each_operation_are_answered_as_documented() -> None:
    with asyncio.Runner() as runner:
        opened = rest_server()
        server = runner.run(_entered(opened))
        try:
            on = TriedWithKey(runner, server)
            document = server.app.external.openapi()  # type: ignore[attr-defined] # RestApplication
            for found in schemathesis.openapi.from_dict(document).get_all_operations():
                assert isinstance(found, Ok), found
                on.operation(found.ok(), examples=20, seed=SEED)
        finally:
            runner.run(_left(opened))

    assert on.statuses[200] > 30
    assert on.statuses[401] == on.statuses[403] == 0
    assert on.statuses[422] + on.statuses[400] + on.statuses[404] > 10


async def _entered(opened: Any) -> RestServer:
    made: RestServer = await opened.__aenter__()
    return made


async def _left(opened: Any) -> None:
    await opened.__aexit__(None, None, None)
