"""Where something outside starts a graph, and what of a run's inputs goes there."""

from typing import Any

from core_samples import CATALOG, graph, node

from backend.core.triggers import trigger_of, trigger_setup_info
from backend.discovery import load_catalog
from backend.usecases.drawing import Drawing


def test_a_trigger_is_set_up_without_its_credentials_in_the_form() -> None:
    drawn = graph(node("s", "StoreValue"), node("t", "PullRequestTrigger"))

    info: Any = trigger_setup_info(drawn, CATALOG)

    assert info["provider"] == "github"
    assert info["credentials_input_name"] == "credentials"
    assert set(info["config_schema"]["properties"]) == {"repo", "payload"}
    assert info["config_schema"]["required"] == ["repo"]
    assert trigger_setup_info(graph(), CATALOG) is None


def test_a_trigger_takes_what_is_named_like_its_pins() -> None:
    drawing = Drawing("triggered", "")
    drawing.node("StoreValueBlock", input="x")
    first = drawing.node("GenericWebhookTriggerBlock")
    drawing.node("GenericWebhookTriggerBlock")

    trigger = trigger_of(drawing.graph(), load_catalog())

    assert trigger is not None
    assert trigger.node_id == first
    assert trigger.mask({"payload": {"a": 1}, "city": "Oslo"}) == {"payload": {"a": 1}}


def test_the_form_of_a_webhook_that_is_set_up_by_hand_names_no_credentials() -> None:
    drawing = Drawing("triggered", "")
    drawing.node("GenericWebhookTriggerBlock")

    info: Any = trigger_setup_info(drawing.graph(), load_catalog())

    assert info["provider"] == "generic_webhook"
    assert info["credentials_input_name"] is None
    assert list(info["config_schema"]["properties"]) == ["payload", "constants"]
