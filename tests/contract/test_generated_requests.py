"""Requests made from our own documentation: every answer is one that it promises, and none is 5xx.

A few for each operation here; thousands with `make chaos`.
"""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
)

import backend.services.executions
from tests.contract.owners import MAKERS, Owner
from tests.contract.ownership import ALIASES, NOBODYS
from tests.contract.rest_server import ANN, RestServer, rest_server

#: That a status is in the documentation is not asked: the contract's names 200, 401 and 422 only.
HOLDS: Final = [response_schema_conformance, content_type_conformance]
#: What says honestly that it cannot be done here, or not yet.
HONEST: Final = {503, 504}


@pytest.fixture(autouse=True)
def _nobody_waits_for_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend.services.executions, "STOP_WAIT_S", 0.0)


class Tried:
    """Sends what is generated to one server, and holds the answers against the documentation."""

    def __init__(self, runner: asyncio.Runner, server: RestServer) -> None:
        self.server = server
        self.statuses: Counter[int] = Counter()
        self._runner = runner
        self._owner = Owner(server, ANN)
        runner.run(self._owner.make_all())

    def operation(self, operation: Any, *, examples: int, seed: int) -> None:
        """Try one operation."""

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy(), is_real=st.booleans())
        def one(case: Any, *, is_real: bool) -> None:
            self._runner.run(self._ask(case, is_real=is_real))

        one()

    async def _ask(self, case: Any, *, is_real: bool) -> None:
        route = f"{case.method.upper()} {case.operation.path}"
        if is_real:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = await self._known(route, name)
        response = await self.server.client.request(**self._request(case))
        self.statuses[response.status_code] += 1
        assert response.status_code < 500 or response.status_code in HONEST, response.text
        await response.request.aread()
        response.elapsed = timedelta()  # it was read before the client could take the time
        case.validate_response(response, checks=HOLDS)

    async def _known(self, route: str, name: str) -> str:
        kind = ALIASES.get(f"{route} {name}") or ALIASES.get(name, name)
        if kind in MAKERS:
            return await self._owner.thing(kind)
        return NOBODYS.get(name, "x")

    def _request(self, case: Any) -> dict[str, Any]:
        sent = case.as_transport_kwargs(base_url="http://server")
        sent.pop("cookies", None)
        headers = {**sent.pop("headers"), **self.server.as_user(ANN)}
        if "json" in sent:
            sent["content"] = json.dumps(sent.pop("json")).encode()
            headers["Content-Type"] = "application/json"
        if isinstance(sent.get("data"), str | bytes):
            sent["content"] = sent.pop("data")
        if "files" in sent:
            sent["files"] = [(name, _file(value)) for name, value in dict(sent["files"]).items()]
        clean = {
            name: value.encode("utf-8", "replace").decode("ascii", "replace").strip()
            for name, value in headers.items()
            if name.lower() not in ("content-length", "cookie")
        }
        return {**sent, "headers": clean}


def _file(value: Any) -> Any:
    """Return a part of a form as the client takes it: text or bytes."""
    if isinstance(value, tuple):
        return (value[0], _file(value[1]), *value[2:])
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def tried(examples: int, seed: int) -> Counter[int]:
    """Try every operation with so many requests; return how often each status was answered."""
    with asyncio.Runner() as runner:
        opened = rest_server()
        server = runner.run(_entered(opened.__aenter__))
        try:
            on = Tried(runner, server)
            for found in schemathesis.openapi.from_dict(documents(server)).get_all_operations():
                assert isinstance(found, Ok), found
                on.operation(found.ok(), examples=examples, seed=seed)
        finally:
            runner.run(_entered(lambda: opened.__aexit__(None, None, None)))
    return on.statuses


def documents(server: RestServer) -> dict[str, Any]:
    """Return our documentation, without what the contract's gets wrong of its own answers."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            # Secrets are in answers, as masks, and the contract calls them only written.
            return {key: without(inner) for key, inner in value.items() if key != "writeOnly"}
        return [without(one) for one in value] if isinstance(value, list) else value

    found: dict[str, Any] = without(server.app.openapi())
    return found


async def _entered(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


@pytest.mark.slow
def test_a_few_requests_of_each_operation_are_answered_as_documented() -> None:
    statuses = tried(examples=3, seed=20_261_126)

    assert statuses[200] > 30
    assert statuses[422] + statuses[400] + statuses[404] > 30


@pytest.mark.chaos
def test_thousands_of_requests_are_answered_as_documented() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 -- shown when it fails

    statuses = tried(examples=300, seed=seed)

    assert sum(statuses.values()) > 10_000
