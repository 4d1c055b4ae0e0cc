"""Runs one block alone, outside of any run: for trying a block out."""

import asyncio
from typing import Any, Final

from backend.core.block import BlockSpec
from backend.core.errors import BlockExecutionError
from backend.core.execution import NodeExecution, Output
from backend.core.graph import Node
from backend.core.ids import BlockId, NodeId, UserId
from backend.core.plan import Inputs, NodePlan
from backend.engine.block_run import BlockFailed, BlockRun, placed
from backend.engine.context import Usage, moment
from backend.engine.places import Rooms
from backend.engine.tools import Blocks, Limits
from backend.ports.clock import Clock
from backend.ports.memory import Memories
from backend.ports.web import WebClient
from backend.sdk import BlockContext
from backend.sdk.files import FileDesk

_LIMIT_S: Final = 300.0


class SoloRunner:
    """See the module."""

    def __init__(
        self,
        *,
        blocks: Blocks,
        web: WebClient,
        clock: Clock,
        limits: Limits,
        files: FileDesk | None = None,
        memory: Memories | None = None,
        rooms: Rooms | None = None,
    ) -> None:
        self._blocks = blocks
        self._web = web
        self._clock = clock
        self._limits = limits
        self._files = files
        self._memory = memory
        self._rooms = rooms or Rooms()

    async def run(self, spec: BlockSpec, inputs: Inputs, user_id: UserId) -> list[Output]:
        """
        Return the outputs of *spec* with *inputs*, which are checked already.

        Raises:
            BlockError: If the block fails, or takes too long.
        """
        node = NodePlan(0, Node(id=NodeId(""), block_id=BlockId(spec.id)), spec)
        execution = NodeExecution(0, self._clock.new_id(), node, self._clock.now_us())
        execution.input = inputs
        context = BlockContext(
            user_id=user_id,
            node_exec_id=execution.id,
            idempotency_key=execution.id,
            web=self._web,
            files=self._files,
            memory=self._memory,
            now=lambda: moment(self._clock.now_us()),
            address=self._blocks.address(spec.id),
            threads=self._rooms.threads,
            processes=self._rooms.processes,
        )
        run = placed(self._blocks, self._rooms, self._limits, inputs, execution, context, Usage())
        try:
            async with asyncio.timeout(_LIMIT_S):
                return await _outputs(run)
        except BlockFailed as exc:
            raise _told(exc, spec) from exc
        except TimeoutError as exc:
            reason = f"it took longer than {_LIMIT_S:.0f} seconds"
            raise BlockExecutionError(reason, block_name=spec.name, block_id=spec.id) from exc


async def _outputs(run: BlockRun) -> list[Any]:
    if run.is_inline:
        # In a thread: the caller's event loop answers other people meanwhile.
        return await asyncio.to_thread(lambda: list(run.outputs()))
    return [output async for output in run.async_outputs()]


def _told(failed: BlockFailed, spec: BlockSpec) -> BlockExecutionError:
    """Return the failure as an error of the API; its text has the block's name around it already."""
    error = BlockExecutionError("", block_name=spec.name, block_id=spec.id)
    error.args = (str(failed),)
    return error
