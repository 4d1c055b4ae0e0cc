"""Blocks: the list, and running one alone."""

from typing import Any, Final

from fastapi import Request, Response

from backend.api.answers import answer
from backend.api.auditing import NotAudited
from backend.api.context import context_of
from backend.api.external.routing import ExternalRoutes, user_of
from backend.api.leaving import while_connected
from backend.core.block import wire_form
from backend.core.ids import BlockId
from backend.core.permissions import Permission

_TAGS: Final = ("blocks",)


def add_block_routes(routes: ExternalRoutes) -> None:
    """Add the routes of this noun."""
    routes.add("GET", "/blocks", list_blocks, permission=Permission.READ_BLOCK, tags=_TAGS)
    routes.add(
        "POST",
        "/blocks/{block_id}/execute",
        execute_block,
        permission=Permission.EXECUTE_BLOCK,
        tags=_TAGS,
        audit=NotAudited("a block that is tried changes nothing of ours"),
    )


async def list_blocks(request: Request) -> Response:
    """Return the blocks that may be used."""
    forms = [wire_form(spec) for spec in context_of(request).blocks.listed()]
    # As the contract has it: prices are for those who are charged, in the builder.
    return answer(
        [{name: value for name, value in form.items() if name != "costs"} for form in forms]
    )


async def execute_block(request: Request, block_id: str, body: dict[str, Any]) -> Response:
    """Run one block with the body as its input; return its outputs by pin. Who goes away ends it."""
    blocks = context_of(request).blocks
    # A key may run blocks; what its user has stored for other services is not lent to it.
    running = blocks.execute(user_of(request), BlockId(block_id), body, may_lend=False)
    return answer(await while_connected(request, running))
