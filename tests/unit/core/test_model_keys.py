"""Where the operator's keys stand in for those that a user has not given."""

from dataclasses import replace
from typing import Any

from core_samples import CATALOG, block, credentials_pin, graph, node, pins

from backend.core.catalog import Catalog
from backend.core.graph_check import check_graph
from backend.core.model_keys import OperatorKeys, is_system_id, system_id
from backend.core.model_registry import read_registry
from backend.core.plan import GraphPlan, Refusal

REGISTRY = read_registry(
    """{"providers": [
        {"name": "openai", "title": "OpenAI", "base_url": "https://a"},
        {"name": "groq", "title": "Groq", "base_url": "https://b"},
        {"name": "attic", "title": "Attic", "base_url": "http://c", "needs_key": false}],
    "models": [
        {"name": "gpt-4o", "provider": "openai"}, {"name": "llama", "provider": "groq"},
        {"name": "mine", "provider": "attic"}]}""",
    where="test",
)
KEYS = OperatorKeys(registry=REGISTRY, provided=frozenset({"openai", "attic"}))
ASK = block(
    "Ask",
    inputs=pins(
        model={"type": "string", "default": "gpt-4o"},
        credentials_=credentials_pin("openai", "groq", discriminator="model"),
    ),
)
BLOCKS = Catalog([*CATALOG, ASK])
WITH_KEYS = BLOCKS.with_operators(KEYS)


def problems(catalog: Catalog, *parts: Any) -> Any:
    return check_graph(graph(*parts), catalog, for_run=True).nodes


def test_a_node_whose_provider_the_operator_pays_needs_no_credentials() -> None:
    by_default, by_name = node("a", "Ask"), node("b", "Ask", {"model": "mine"})

    assert problems(WITH_KEYS, by_default, by_name) == {}
    assert problems(BLOCKS, by_default) == {"a": {"credentials": "These credentials are required"}}


def test_a_refusal_says_which_setting_or_credentials_are_missing() -> None:
    assert problems(WITH_KEYS, node("a", "Ask", {"model": "llama"})) == {
        "a": {
            "credentials": "These credentials are required: it asks Groq; give the node credentials "
            "of 'groq', or set GROQ_API_KEY on the server"
        }
    }


def test_a_model_that_is_not_known_is_named() -> None:
    found = problems(WITH_KEYS, node("a", "Ask", {"model": "gpt-4p"}))

    assert found["a"]["credentials"].startswith(
        "These credentials are required: There is no model 'gpt-4p' here. `agpt models` lists"
    )


def test_a_model_that_comes_by_a_link_is_judged_when_it_is_known() -> None:
    asked = graph(node("s", "StoreValue", {"input": 1}), node("a", "Ask"), "s.output>a.model")
    none = BLOCKS.with_operators(replace(KEYS, provided=frozenset({"attic"})))

    assert check_graph(asked, WITH_KEYS, for_run=True).is_valid
    assert not check_graph(asked, none, for_run=True).is_valid
    planned = GraphPlan(asked, WITH_KEYS).nodes_by_id["a"]
    prepared = planned.prepare({"model": "mine"}, None)
    assert not isinstance(prepared, Refusal)
    assert prepared["credentials"]["id"] == "operator:attic"
    assert isinstance(planned.prepare({"model": "llama"}, None), Refusal)


def test_a_node_runs_with_its_own_credentials_where_it_has_some() -> None:
    own = {"id": "k", "provider": "openai", "type": "api_key"}
    plan = GraphPlan(graph(node("a", "Ask", {"credentials": own}), node("b", "Ask")), WITH_KEYS)

    first, second = (each.prepare({}, None) for each in plan.nodes)

    assert not isinstance(first, Refusal)
    assert not isinstance(second, Refusal)
    assert first["credentials"] == own
    assert second["credentials"]["id"] == system_id("openai")


def test_the_operators_credentials_are_known_by_their_ids() -> None:
    for ours in (system_id("openai"), system_id("attic")):
        assert is_system_id(ours)
        assert KEYS.covers({"id": ours})
    for other in ("k", ""):
        assert not is_system_id(other)
        assert not KEYS.covers({"id": other})


def test_only_keys_that_are_there_count() -> None:
    assert not KEYS.covers({"id": system_id("groq"), "provider": "groq"})
