"""The copilot's tool that runs one block alone, as `POST /api/blocks/{id}/execute` does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from backend.core.block import is_credentials_pin
from backend.core.catalog import Catalog
from backend.core.errors import BadRequest, NotFound
from backend.core.json import JsonObject
from backend.services.blocks import BlockService, Once
from backend.services.copilot_calls import Does, ToolCalled

_SHOWN: Final = 200


@dataclass(frozen=True, kw_only=True)
class CopilotBlocks:
    """See the module. It keeps nothing."""

    blocks: BlockService
    catalog: Catalog

    @property
    def tools(self) -> Mapping[str, Does]:
        """Return what does each tool, by its name."""
        return {"run_block": self._run}

    async def _run(self, called: ToolCalled) -> JsonObject:
        name = called.text("block")
        spec = self.catalog.named(name) or self.catalog.get(name)
        if spec is None:
            raise NotFound(f"There is no block {name[:_SHOWN]!r}; find_block lists those.")
        for pin in called.inputs:
            if is_credentials_pin(str(pin)):
                raise BadRequest(
                    f"inputs.{pin}: credentials are chosen by the person: by REST, with"
                    " `agpt block run`, or in an agent"
                )
        outputs = await self.blocks.execute(
            called.user_id,
            spec.id,
            dict(called.inputs),
            may_lend=False,
            once=Once(key=called.key, asker=called.run_id),
        )
        return {
            "type": "block_output",
            "message": f"{spec.name} has run.",
            "block_id": spec.id,
            "block_name": spec.name,
            "outputs": dict(outputs),
            "success": not outputs.get("error"),
        }
