"""Events that a trigger is set up for: such that its provider sends, and one at least."""

import pytest

from backend.testing.standin.server import StandIn
from tests.contract.rest_server import Json, RestServer
from tests.contract.test_registrations import (
    SLACK_TRIGGER,
    ask_setup,
    known,
    outside,
    reference,
)

__all__ = ["known", "outside"]


async def test_an_event_that_the_provider_does_not_send_is_named(
    known: RestServer, outside: StandIn
) -> None:
    """Its provider would be told of a webhook that never comes, and the other one would be missed."""
    config = {"repo": "a/b", "events": {"opened": True, "opend": True}}

    refused = await ask_setup(known, config, await reference(known))

    assert refused.status_code == 400
    assert "There is no event 'opend'; events takes assigned, " in refused.json()["detail"]
    counts = await known.row_counts()
    assert counts.get("webhooks", 0) == counts.get("presets", 0) == 0
    assert outside.play("github").hooks == {}


@pytest.mark.parametrize(
    ("events", "says"), [({"mention": True}, "no event 'mention'"), ({}, "at least one event")]
)
async def test_an_address_for_no_event_is_not_made(
    known: RestServer, events: Json, says: str
) -> None:
    signature = {"scheme": "slack", "secret": "from-the-app"}

    refused = await ask_setup(
        known, {"events": events, "signature": signature}, None, block=SLACK_TRIGGER
    )

    assert (refused.status_code, says in refused.json()["detail"]) == (400, True)
    assert (await known.row_counts()).get("webhooks", 0) == 0


async def test_events_are_not_changed_into_such_that_never_come(known: RestServer) -> None:
    config = {
        "events": {"app_mention": True},
        "signature": {"scheme": "slack", "secret": "from-the-app"},
    }
    made = (await ask_setup(known, config, None, block=SLACK_TRIGGER)).json()
    path = f"/api/library/presets/{made['id']}"

    refused = await known.ask("PATCH", path, {"inputs": {"events": {"mention": True}}})

    assert (refused.status_code, "no event 'mention'" in refused.text) == (400, True)
    assert (await known.ask("GET", path)).json()["inputs"] == {"events": {"app_mention": True}}
