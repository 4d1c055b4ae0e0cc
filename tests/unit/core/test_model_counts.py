"""What a call took is what its provider says, and an estimate where that says nothing."""

from dataclasses import replace

import pytest

from backend.core.model_counts import counted
from backend.core.models import (
    Message,
    ModelAnswer,
    ModelRequest,
    Role,
    Tokens,
    Tool,
    ToolCall,
)
from backend.core.tokens import PER_MESSAGE, estimated_tokens

ASKED = ModelRequest(model="m", messages=(Message(role=Role.USER, text="Who goes there?"),))
SAID = ModelAnswer(model="m", text="A friend of yours.")
IN = PER_MESSAGE + estimated_tokens("Who goes there?")
OUT = estimated_tokens("A friend of yours.")


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        (Tokens(input=7, output=3, cached=2), Tokens(input=7, output=3, cached=2)),
        (Tokens(), Tokens(input=IN, output=OUT, estimated=True)),
        (Tokens(input=7), Tokens(input=7, output=OUT, estimated=True)),
        (Tokens(output=3, cached=9), Tokens(input=IN, output=3, estimated=True)),
    ],
)
def test_what_a_provider_says_stands_and_the_rest_is_estimated(told: Tokens, meant: Tokens) -> None:
    assert counted(ASKED, replace(SAID, tokens=told)) == meant


def test_all_that_is_sent_and_said_counts() -> None:
    call = ToolCall(id="1", name="add", arguments='{"a": 1}')
    tool = Tool(name="add", description="Adds.", parameters={"type": "object"})
    asked = replace(
        ASKED,
        messages=(*ASKED.messages, Message(role=Role.ASSISTANT, tool_calls=(call,))),
        tools=(tool,),
        json_schema={"type": "object", "properties": {}},
    )

    bare = counted(replace(asked, json_schema=None), SAID)
    more = counted(asked, replace(SAID, tool_calls=(call,), reasoning="Is it?"))
    called = estimated_tokens('add{"a": 1}')

    assert more.input > IN + PER_MESSAGE + called + estimated_tokens("addAdds.")
    assert more.input > bare.input
    assert more.output == OUT + called + estimated_tokens("Is it?")


def test_an_answer_has_no_more_than_it_was_allowed_and_an_empty_one_none() -> None:
    assert counted(replace(ASKED, max_tokens=2), SAID).output == 2
    assert counted(ASKED, replace(SAID, text="")).output == 0


def test_no_estimate_is_larger_than_what_is_held_back_for_a_call() -> None:
    """Budgets reserve a token for each byte of the question."""
    text = "1.5 + ünï = 🚀 " * 50
    asked = replace(ASKED, messages=(Message(role=Role.USER, text=text),))

    assert counted(asked, SAID).input <= len(text.encode()) + PER_MESSAGE
