"""The service that runs blocks alone, over the storage of a test's house."""

from typing import Any

from backend.adapters.bus.silent import SilentSubscriber
from backend.adapters.storage.credentials import SqlCredentials
from backend.core.ids import BlockId
from backend.services.block_runs import BlockRuns
from backend.services.blocks import BlockService, Once
from backend.services.run_watches import RunWatches
from tests.unit.engine import engine_blocks
from tests.unit.engine.engine_house import ANN, House


class Alone:
    """Ann's way to run a block alone."""

    def __init__(self, house: House, *, limit_s: float = 20.0) -> None:
        self.watches = RunWatches(SilentSubscriber(), most=1, most_per_user=1)
        runs = BlockRuns(
            storage=house.storage,
            dispatcher=house.signals,
            clock=house.clock,
            watches=self.watches,
            limit_s=limit_s,
        )
        self.blocks = BlockService(
            catalog=engine_blocks.CATALOG,
            run=runs.run,
            credentials=SqlCredentials(house.storage.database),
        )

    async def execute(
        self, name: str, once: Once | None = None, /, **inputs: Any
    ) -> dict[str, list[Any]]:
        """Run the block of this name."""
        spec = engine_blocks.CATALOG.named(name)
        return await self.blocks.execute(ANN, spec.id if spec else BlockId(name), inputs, once=once)
