"""A service that is asked in GraphQL says in an answer of success what went wrong."""

from typing import Any

import orjson
import pytest

from backend.core.errors import BadRequest, ServiceLimited, WebFailed
from backend.sdk.graphql import ask
from tests.unit.sdk.test_services import POST, Web, here


def answering(value: Any) -> Web:
    return Web(content=orjson.dumps(value))


async def test_what_people_wrote_travels_beside_the_question() -> None:
    web = answering({"data": {"a": 1}})

    found = await ask(POST.calls(here(web)), "query($b: Int) { a }", {"b": 2})

    [asked] = web.asked
    assert asked["body"].value == {"query": "query($b: Int) { a }", "variables": {"b": 2}}
    assert found == {"a": 1}


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"errors": [{"message": "no"}, {"message": "never"}]}, BadRequest, "Post answers: no; n"),
        ({"errors": [{"message": "slow", "type": "RATE_LIMITED"}]}, ServiceLimited, "slow"),
        ({"errors": [{"message": "slow", "extensions": {"code": "RATELIMITED"}}]}, ServiceLimited,
         "slow"),
        ({"errors": "no"}, WebFailed, "cannot be used"),
        ({"data": None}, WebFailed, "cannot be used"),
    ],
)  # fmt: skip
async def test_its_errors_are_errors(said: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        await ask(POST.calls(here(answering(said))), "query { a }", {})
