"""Services of others that are asked in GraphQL.

Beside `backend.sdk.services`, because most services are not.
"""

from collections.abc import Mapping
from typing import Any, Final

from backend.core.errors import BadRequest, ServiceLimited
from backend.core.json import Json
from backend.sdk.services import ServiceCalls

_LIMITS: Final = frozenset({"RATE_LIMITED", "RATELIMITED"})
_SHOWN: Final = 300


async def ask(
    calls: ServiceCalls, query: str, variables: Mapping[str, Json], *, path: str = "graphql"
) -> dict[str, Any]:
    """
    Return the data that *query* is answered with.

    Args:
        query: Written by us: what people wrote stands in *variables*.

    Raises:
        As `ServiceCalls.object`; and where the answer says in a status of success what went wrong:
        ServiceLimited: If too much is asked for.
        BadRequest: With the service's own words, for all else.
    """
    value: Json = {"query": query, "variables": dict(variables)}
    answer = await calls.object("POST", path, value=value)
    if answer.get("errors"):
        errors = calls.entries(answer, "errors")
        words = "; ".join(str(error.get("message") or "") for error in errors)[:_SHOWN]
        codes = {str(error.get("type")) for error in errors}
        codes |= {str((error.get("extensions") or {}).get("code")) for error in errors}
        if codes & _LIMITS:
            raise ServiceLimited(f"{calls.service.name} answers: {words}")
        raise BadRequest(f"{calls.service.name} answers: {words}")
    return calls.need(answer, dict, "data")
