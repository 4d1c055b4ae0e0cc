"""Which models there are, and what an operator may add."""

import json
from pathlib import Path
from typing import Any

import pytest

import backend.core
from backend.core.errors import BadSetting, NotFound
from backend.core.model_registry import ModelApi, ModelRegistry, known_registry, read_registry
from backend.core.repair_facts import SUCCESSORS

MINE: dict[str, Any] = {
    "providers": [{"name": "attic", "base_url": "http://10.0.0.5:8000/v1", "needs_key": False}],
    "models": [{"name": "attic/llama", "provider": "attic", "context": 4096, "input_price": 0.5}],
}


@pytest.fixture(scope="module")
def known() -> ModelRegistry:
    return known_registry(Path(backend.core.__file__).with_name("models.json").read_bytes())


def test_every_model_has_its_provider_its_window_and_a_price_unless_it_runs_at_home(
    known: ModelRegistry,
) -> None:
    for spec in known.models.values():
        if spec.name in SUCCESSORS:
            continue  # what stands in for it has them
        assert spec.provider in known.providers
        assert spec.title
        assert spec.max_output is None or spec.max_output <= spec.context
        free = spec.provider in ("ollama", "llama_api")
        assert (spec.input_price > 0) is (spec.output_price > 0) is not free, spec.name
    assert known.providers["anthropic"].api is ModelApi.ANTHROPIC
    assert known.placed == frozenset()


def test_every_retired_model_has_a_successor_that_is_here(known: ModelRegistry) -> None:
    for old, new in SUCCESSORS.items():
        assert known.find(old).name == new


def test_an_unknown_model_is_not_found(known: ModelRegistry) -> None:
    with pytest.raises(NotFound, match="MODELS_FILE"):
        known.find("gpt-0")


def test_an_operator_adds_providers_and_models_and_replaces_ours(known: ModelRegistry) -> None:
    changed = {"name": "gpt-4o", "provider": "attic", "successor": "attic/llama"}
    text = json.dumps({**MINE, "models": [*MINE["models"], changed]})

    registry = read_registry(text, where="MODELS_FILE", below=known)

    assert registry.find("gpt-4o").name == "attic/llama"
    assert registry.find("attic/llama").input_price == 0.5
    assert registry.providers["attic"].key_setting == "ATTIC_API_KEY"
    assert registry.placed == {"attic"}
    assert len(registry.models) == len(known.models) + 1


def test_another_address_of_a_provider_is_the_operators(known: ModelRegistry) -> None:
    moved = known.with_addresses({"ollama": "http://127.0.0.1:9/v1/", "github": "http://x"})

    assert moved.providers["ollama"].base_url == "http://127.0.0.1:9/v1"
    assert moved.placed == {"ollama"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("{", "not JSON"),
        ("[]", "an object"),
        ('{"model": []}', "'model' is unknown"),
        ('{"models": {}}', "a list"),
        ('{"models": [1]}', "entry 1: an object"),
        ('{"models": [{"name": "a"}]}', r"entry 1 \('a'\): 'provider' is missing"),
        ('{"models": [{"name": "a", "provider": "nobody"}]}', "no provider 'nobody'"),
        ('{"models": [{"name": "a b", "provider": "openai"}]}', "'name' must be"),
        ('{"models": [{"name": "a", "provider": "openai", "context": 0}]}', "at least 1"),
        ('{"models": [{"name": "a", "provider": "openai", "context": true}]}', "whole number"),
        ('{"models": [{"name": "a", "provider": "openai", "input_price": -1}]}', "0 or more"),
        ('{"models": [{"name": "a", "provider": "openai", "price": 1}]}', "'price' is unknown"),
        ('{"models": [{"name": "a", "provider": "openai", "successor": "b"}]}', "successor 'b'"),
        ('{"models": [{"name": "a", "provider": "openai", "successor": "a"}]}', "successor 'a'"),
        ('{"providers": [{"name": "x"}]}', "'base_url' is missing"),
        ('{"providers": [{"name": "x", "base_url": "ftp://x"}]}', "an address like"),
        ('{"providers": [{"name": "x", "base_url": "http://u:p@x"}]}', "an address like"),
        ('{"providers": [{"name": "X", "base_url": "http://x"}]}', "small letters"),
        ('{"providers": [{"name": "x", "base_url": "http://x", "api": "soap"}]}', "one of openai"),
        ('{"providers": [{"name": "x", "base_url": "http://x", "needs_key": 1}]}', "true or false"),
    ],
)
def test_what_cannot_be_understood_is_named(known: ModelRegistry, wrong: str, says: str) -> None:
    with pytest.raises(BadSetting, match=f"^MODELS_FILE: .*{says}"):
        read_registry(wrong, where="MODELS_FILE", below=known)
