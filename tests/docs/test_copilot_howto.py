"""The commands of the page about the copilot, typed into a shell in an empty home, beside a model."""

import json
import shutil

import pytest

from backend.testing.providers import Answer, Asked, Call, ModelProvider
from tests.docs.test_readme import assert_session, commands_and_outputs, home

__all__ = ["home"]

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PAGE = "docs/howto/use-the-copilot.md"


def mind(asked: Asked) -> Answer:
    """Look for the agent, run it, and say what it gave."""
    outputs = [json.loads(turn.text) for turn in asked.heard if turn.role == "tool"]
    if not outputs:
        return Answer(calls=(Call("find_library_agent", {}),))
    if len(outputs) == 1:
        [agent] = outputs[0]["agents"]
        [name] = agent["inputs"]["properties"]
        call = Call("run_agent", {"graph_id": agent["graph_id"], "inputs": {name: "Ada"}})
        return Answer(calls=(call,))
    return Answer(text=f"It says: {outputs[1]['outputs']}")


def test_the_commands_print_what_the_page_shows(home: dict[str, str]) -> None:
    if not shutil.which("curl"):
        pytest.skip("the page uses curl, which is not here")
    with ModelProvider(mind) as provider:
        home |= {
            "OPENAI_API_KEY": "a key that only tests use",
            "CHAT_MODEL": "gpt-4o",
            "PROVIDER_BASE_URLS": json.dumps(provider.base_urls("openai")),
        }

        assert_session(commands_and_outputs(PAGE), home)
