"""Ids that nothing has, in every route that takes one."""

from typing import Final

import pytest

from tests.contract.rest_server import Json, RestServer
from tests.contract.test_wrong_everywhere import WITHOUT_ROW, served

#: Ids that nothing has; some are no text.
IDS: Final = [
    "%00",
    "%ff%fe",
    "%ed%a0%80",
    "x" * 10_000,
    "..%2f..%2fetc",
    "9" * 40,
    "-1",
    "%20",
    "'",
]


@pytest.mark.slow
async def test_an_id_of_any_kind_is_an_id_that_is_not_there(server: RestServer) -> None:
    await server.ask("POST", "/api/auth/user")
    before = await server.row_counts()
    asked = 0

    for name, route in served(server):
        method = name.split()[0]
        for id_ in IDS if "{" in route.path else ():
            path = route.path_format.format(**dict.fromkeys(route.param_convertors, id_))
            body: Json | None = {"inputs": {}} if method in ("POST", "PUT", "PATCH") else None
            response = await server.ask(method, path, body)
            assert response.status_code < 500, (name, id_, response.text)
            assert response.status_code >= 400 or name in WITHOUT_ROW or "executions" in name
            asked += 1

    assert asked > 100
    after = await server.row_counts()
    # Who asks for what only administrators may is in the audit log, as refused.
    assert {table for table in after if after[table] != before[table]} <= {"audit", "audit_head"}
    outcomes = await server.storage.database.read(
        lambda c: set(c.exec_driver_sql("SELECT outcome FROM audit").scalars())
    )
    assert outcomes <= {"refused"}
