"""Blocks that run code: in a sandbox of this server, or at e2b with a key."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from backend.adapters.sandbox.monty import Monty
from backend.adapters.sandbox.rooms import SandboxRooms
from backend.blocks.code.execute_code import ExecuteCodeBlock
from backend.blocks.code.sandbox_steps import ExecuteCodeStepBlock, InstantiateCodeSandboxBlock
from backend.core.block import Effect
from backend.core.errors import BlockError
from backend.sdk import BlockContext, spec_of
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.sandbox import LIMITS
from backend.testing.standin import StandIn

MINE = {"id": "mine", "provider": "e2b", "type": "api_key"}


@pytest.fixture
async def here() -> AsyncIterator[BlockContext]:
    sandboxes = SandboxRooms(Monty(LIMITS), LIMITS)
    yield replace(CONTEXT, sandboxes=sandboxes)
    await sandboxes.close()


async def test_code_runs_here_without_a_key(here: BlockContext) -> None:
    inputs = {"code": "print('hi')\n[1, 2]", "credentials": None}

    outputs = await outputs_of(ExecuteCodeBlock(), inputs, here)

    assert outputs == [
        ("main_result", {"text": "[1, 2]", "json": [1, 2]}),
        ("results", [{"is_main_result": True, "text": "[1, 2]", "json": [1, 2]}]),
        ("response", "[1, 2]"),
        ("stdout_logs", "hi\n"),
    ]


async def test_steps_go_on_in_one_sandbox(here: BlockContext) -> None:
    made = dict(await outputs_of(InstantiateCodeSandboxBlock(), {"setup_code": "x = 20"}, here))
    step: dict[str, Any] = {"sandbox_id": made["sandbox_id"], "step_code": "x + 1"}

    first = dict(await outputs_of(ExecuteCodeStepBlock(), step, here))
    await outputs_of(ExecuteCodeStepBlock(), {**step, "dispose_sandbox": True}, here)

    assert first["response"] == "21"
    with pytest.raises(BlockError, match="not there"):
        await outputs_of(ExecuteCodeStepBlock(), step, here)


async def test_another_users_sandbox_is_not_there(here: BlockContext) -> None:
    made = dict(await outputs_of(InstantiateCodeSandboxBlock(), {}, here))
    other = replace(here, user_id="somebody else")

    with pytest.raises(BlockError, match="not there"):
        await outputs_of(ExecuteCodeStepBlock(), {"sandbox_id": made["sandbox_id"]}, other)


async def test_a_language_that_needs_more_says_so(here: BlockContext) -> None:
    with pytest.raises(BlockError, match="bubblewrap"):
        await outputs_of(ExecuteCodeBlock(), {"code": "ls", "language": "bash"}, here)


async def test_no_sandbox_is_said(here: BlockContext) -> None:
    with pytest.raises(BlockError, match="no sandbox"):
        await outputs_of(ExecuteCodeBlock(), {"code": "1"}, replace(here, sandboxes=None))


async def test_with_a_key_it_runs_at_e2b(played: BlockContext, services: StandIn) -> None:
    inputs = {
        "code": "6 * 7",
        "language": "js",
        "credentials": MINE,
        "setup_commands": ["npm install x"],
    }

    outputs = await outputs_of(ExecuteCodeBlock(), inputs, played)

    assert outputs == [
        ("main_result", {"text": "42", "html": "<b>42</b>"}),
        ("results", [{"is_main_result": True, "text": "42", "html": "<b>42</b>"}]),
        ("response", "42"),
        ("stdout_logs", "ran npm install x\nran 6 * 7\n"),
    ]
    asked = [(one.method, one.path.partition("/execute")[1]) for one in services.asked]
    assert asked == [("POST", ""), ("POST", "/execute"), ("POST", "/execute"), ("DELETE", "")]
    assert services.asked[0].json() == {"templateID": "code-interpreter-v1", "timeout": 300}
    assert [one.json().get("language") for one in services.asked[1:3]] == ["bash", "js"]
    # What runs in a sandbox must not learn the key that makes others.
    assert all("x-api-key" not in one.headers for one in services.asked[1:3])


async def test_a_sandbox_at_e2b_is_ended_when_its_code_fails(
    played: BlockContext, services: StandIn
) -> None:
    for block, inputs in (
        (ExecuteCodeBlock(), {"code": "raise"}),
        (InstantiateCodeSandboxBlock(), {"setup_code": "raise"}),
    ):
        with pytest.raises(BlockError, match="KeyError: 'x'"):
            await outputs_of(block, {**inputs, "credentials": MINE}, played)

        assert services.asked[-1].method == "DELETE"


async def test_steps_at_e2b(played: BlockContext, services: StandIn) -> None:
    inputs: dict[str, Any] = {"credentials": MINE}
    made = dict(await outputs_of(InstantiateCodeSandboxBlock(), inputs, played))
    step = {**inputs, "sandbox_id": made["sandbox_id"], "step_code": "1", "dispose_sandbox": True}

    outputs = dict(await outputs_of(ExecuteCodeStepBlock(), step, played))

    assert outputs["stdout_logs"] == "ran 1\n"
    assert services.asked[-1].method == "DELETE"
    with pytest.raises(BlockError, match="e2b answers with status 404: sandbox was not found"):
        await outputs_of(ExecuteCodeStepBlock(), {**step, "dispose_sandbox": False}, played)


@pytest.mark.parametrize("sandbox_id", ["x.evil.example/", "a@b", "../x", "a/b", "a b", ""])
async def test_an_id_leads_nowhere_else(
    played: BlockContext, services: StandIn, sandbox_id: str
) -> None:
    inputs = {"credentials": MINE, "sandbox_id": sandbox_id, "step_code": "1"}

    with pytest.raises(BlockError):
        await outputs_of(ExecuteCodeStepBlock(), inputs, played)

    assert services.asked == []


def test_what_runs_here_may_run_again() -> None:
    spec = spec_of(ExecuteCodeBlock)

    assert spec.effect_with({}) is Effect.READ
    assert spec.effect_with({"credentials": None}) is Effect.READ
    assert spec.effect_with({"credentials": MINE}) is Effect.AT_MOST_ONCE
