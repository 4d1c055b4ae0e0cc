"""MCPTool with an account: its token goes to the server that it was given for, and to no other."""

from dataclasses import replace
from typing import Any

import pytest

from backend.blocks.mcp.call_tool import MCPToolBlock
from backend.core.credentials import OAuth2Credentials, Secret
from backend.core.errors import BlockError
from backend.core.ids import CredentialsId
from backend.sdk import BlockContext
from backend.testing.blocks import outputs_of
from tests.blocks.test_mcp_tools import Tools, here, tools, web

__all__ = ["here", "tools", "web"]

TOKEN = "canary-4f1d-token"
ACCOUNT = {"id": "mine", "provider": "mcp", "type": "oauth2"}


class Lender:
    def __init__(self, resource: str) -> None:
        self.resource = resource

    async def lend(self, _user_id: Any, _reference: Any) -> OAuth2Credentials:
        return OAuth2Credentials(
            id=CredentialsId("mine"),
            provider="mcp",
            access_token=Secret(TOKEN),
            metadata={"resource": self.resource},
        )


async def called(tools: Tools, context: BlockContext) -> Any:
    inputs = {
        "server_url": tools.url,
        "selected_tool": "add",
        "tool_arguments": {"a": 1, "b": 2},
        "credentials": ACCOUNT,
    }
    return await outputs_of(MCPToolBlock(), inputs, context)


async def test_the_token_goes_along(tools: Tools, here: BlockContext) -> None:
    outputs = await called(tools, replace(here, lender=Lender(tools.url)))

    assert outputs == [("result", 3)]
    assert {seen.get("authorization") for seen in tools.seen} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("resource", ["https://other.example/mcp", "", "http://127.0.0.1:1/mcp"])
async def test_a_token_for_another_server_stays_here(
    tools: Tools, here: BlockContext, resource: str
) -> None:
    with pytest.raises(BlockError, match="another tool server"):
        await called(tools, replace(here, lender=Lender(resource)))

    assert tools.seen == []


async def test_who_is_not_let_in_hears_how_to_be(tools: Tools, here: BlockContext) -> None:
    tools.wants_key = True
    inputs = {"server_url": tools.url, "selected_tool": "add", "tool_arguments": {"a": 1, "b": 2}}

    with pytest.raises(BlockError, match="connect an account of it"):
        await outputs_of(MCPToolBlock(), inputs, here)
