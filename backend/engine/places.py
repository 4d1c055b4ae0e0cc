"""Where a node execution's block is run: on the event loop, in a thread, or in a worker process."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from backend.core.block import BlockSpec, Place, is_small
from backend.core.errors import NotConfigured
from backend.engine.threads import BlockThreads
from backend.ports.processes import BlockCall, Processes
from backend.sdk import BlockContext

if TYPE_CHECKING:
    from backend.engine.block_run import BlockRun

#: Yields a run's outputs, as their JSON forms read back.
Outputs = Callable[["BlockRun"], AsyncGenerator[tuple[str, Any], None]]

#: What a context says that is JSON.
_FACTS: Final = (
    "user_id",
    "graph_id",
    "graph_version",
    "graph_exec_id",
    "root_exec_id",
    "node_id",
    "node_exec_id",
    "idempotency_key",
    "timezone",
    "address",
)


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Where blocks run that must not hold the event loop."""

    threads: BlockThreads = field(default_factory=BlockThreads)
    processes: Processes | None = None


def place_of(spec: BlockSpec, inputs: Mapping[str, Any]) -> Place:
    """Return where *spec* is run with *inputs*."""
    if spec.place is Place.LOOP or (spec.inline_size and is_small(inputs, spec.inline_size)):
        return Place.LOOP
    return spec.place


def in_thread(threads: BlockThreads) -> Outputs:
    """Return what runs a block in a thread."""

    def outputs(run: "BlockRun") -> AsyncGenerator[tuple[str, Any], None]:
        return threads.outputs(run.plain_outputs(), spent=run.note_cpu)

    return outputs


def in_process(
    processes: Processes | None, block: str, inputs: Mapping[str, Any], context: BlockContext
) -> Outputs:
    """Return what runs *block*, ``module:Class``, in a worker process."""
    if processes is None:
        raise NotConfigured("this block needs a worker process, and here is none")
    call = BlockCall(
        block=block,
        inputs=inputs,
        facts={name: getattr(context, name) for name in _FACTS},
        now_us=int(context.now().timestamp() * 1e6),
        started_us=context.started_us,
    )

    def outputs(run: "BlockRun") -> AsyncGenerator[tuple[str, Any], None]:
        return processes.outputs(call, spent=run.note_cpu)

    return outputs
