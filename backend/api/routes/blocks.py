"""Blocks: the list that builders show, and running one alone."""

from typing import Any

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.auditing import NotAudited
from backend.api.context import caller_of, context_of
from backend.api.leaving import while_connected
from backend.api.routing import PREFIX, Routes
from backend.core.block import wire_form
from backend.core.ids import BlockId

_TAGS = ("v1", "blocks")


def add_block_routes(routes: Routes) -> None:
    """Add the routes of this noun."""
    routes.add(
        "GET",
        f"{PREFIX}/blocks",
        list_blocks,
        operation="getV1List available blocks",
        tags=_TAGS,
    )
    routes.add(
        "POST",
        f"{PREFIX}/blocks/{{block_id}}/execute",
        execute_block,
        operation="postV1Execute graph block",
        tags=_TAGS,
        audit=NotAudited("a block that is tried changes nothing of ours"),
    )


async def list_blocks(request: Request) -> Response:
    """Return the blocks that may be used."""
    return answer([wire_form(spec) for spec in context_of(request).blocks.listed()])


async def execute_block(request: Request, block_id: str, body: dict[str, Any]) -> Response:
    """
    Run one block with the body as its input; return its outputs by pin.

    Nobody else waits for it: a client that goes away ends its run.
    """
    context = context_of(request)
    user_id = await context.users.ensure(caller_of(request))
    running = context.blocks.execute(user_id, BlockId(block_id), body)
    return answer(await while_connected(request, running))
