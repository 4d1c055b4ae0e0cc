"""An agent that names no credentials asks its model with the operator's key, from end to end."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.core.errors import GraphInvalid
from backend.core.graph import Graph
from backend.core.status import Status
from backend.testing.providers import ModelProvider
from backend.usecases.drawing import Drawing
from backend.wiring_run import place_to_run, run_alone


def asking() -> Graph:
    """An agent with one model and one output."""
    drawing = Drawing("Asks", "Asks a model.")
    ask = drawing.node("AITextGeneratorBlock", prompt="Hello, model.", model="gpt-4o")
    out = drawing.node("AgentOutputBlock", name="said")
    drawing.link(ask, "response", out, "value")
    return drawing.graph()


@pytest.mark.slow
async def test_the_operators_key_pays_where_a_node_names_no_credentials(tmp_path: Path) -> None:
    with ModelProvider(keys=["sk-of-the-operator"]) as provider, place_to_run(tmp_path) as found:
        settings = found.model_copy(
            update={
                "openai_api_key": SecretStr("sk-of-the-operator"),
                "provider_base_urls": provider.base_urls("openai"),
            }
        )

        outcome = await run_alone(settings, asking(), {}, durable=False, limit_s=120)

    assert outcome.record.status is Status.COMPLETED, outcome.nodes
    assert outcome.record.outputs == {"said": ["You said: Hello, model."]}
    assert [asked.model for asked in provider.asked] == ["gpt-4o"]
    assert "sk-of-the-operator" not in json.dumps([str(node) for node in outcome.nodes])


async def test_without_any_key_it_is_refused_before_the_run(tmp_path: Path) -> None:
    with place_to_run(tmp_path) as settings, pytest.raises(GraphInvalid) as refused:
        await run_alone(settings, asking(), {}, durable=False, limit_s=60)

    [problems] = refused.value.problems.values()
    assert "OPENAI_API_KEY" in problems["credentials"]
