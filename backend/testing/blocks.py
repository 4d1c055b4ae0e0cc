"""Run a block's examples as a server would run the block. For authors of blocks, too."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend.core.block import BlockSpec
from backend.core.catalog import Catalog
from backend.core.errors import BlockError, BlockInputError
from backend.core.graph import Graph, Node
from backend.core.ids import GraphId, NodeId
from backend.core.plan import GraphPlan, Refusal
from backend.sdk import Block, BlockContext, Example, accept, failure_of, make_inputs, spec_of
from backend.sdk.files import FileDesk
from backend.testing.files import TransientFiles
from backend.testing.mail import KeptMail
from backend.testing.memory import TransientMemories
from backend.testing.people import ApprovingPeople
from backend.testing.processes import NoProcesses
from backend.testing.sandbox import RecitedSandboxes
from backend.testing.scripted_models import ScriptedModels

#: Examples run at one moment, the same for all.
MOMENT = datetime(2026, 1, 31, 13, 37, tzinfo=UTC)

#: Its files and its memory last as long as the process: give each example a key of its own.
#: Whom it asks approves of everything.
CONTEXT = BlockContext(
    user_id="author",
    graph_id="example-graph",
    graph_exec_id="example-run",
    idempotency_key="example",
    files=FileDesk(TransientFiles(), None),
    mail=KeptMail(),
    memory=TransientMemories(),
    reviews=ApprovingPeople(),
    processes=NoProcesses(),
    sandboxes=RecitedSandboxes(),
    now=lambda: MOMENT,
)


async def outputs_of(
    block: Block, inputs: Mapping[str, Any], context: BlockContext = CONTEXT
) -> list[tuple[str, Any]]:
    """
    Return what *block* yields for *inputs*, which are converted and checked like a node's.

    Raises:
        BlockError: If the inputs are refused, the block fails, or an output is none of its pins'.
    """
    kind = type(block)
    spec = spec_of(kind)
    context = replace(context, address=f"{kind.__module__}:{kind.__qualname__}")
    made = make_inputs(type(block), prepare(spec, inputs))
    outputs = []
    try:
        async for name, value in yielded(block, made, context):
            accept(spec, name, value)
            outputs.append((name, value))
    except Exception as exc:
        raise failure_of(spec, exc) from exc
    return outputs


def prepare(spec: BlockSpec, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return *inputs* as a node of this block would get them.

    Raises:
        BlockInputError: If the node could not run with them.
    """
    node = Node(id=NodeId("example"), block_id=spec.id, input_default=dict(inputs))
    graph = Graph(id=GraphId("example"), name="", description="", nodes=(node,))
    prepared = GraphPlan(graph, Catalog([spec])).nodes[0].prepare({}, None)
    if isinstance(prepared, Refusal):
        raise BlockInputError(prepared.reason, block_name=spec.name, block_id=spec.id)
    return prepared


async def yielded(
    block: Block, inputs: Any, context: BlockContext
) -> AsyncIterator[tuple[str, Any]]:
    """Yield what *block* yields, whether it waits for things or not."""
    produced: Any = block.run(inputs, context)
    if not block.waits:
        plain: Iterable[tuple[str, Any]] = produced
        for output in plain:
            yield output
        return
    async for output in produced:
        yield output


async def check_example(block: Block, example: Example, context: BlockContext = CONTEXT) -> None:
    """
    Run *example*; language models answer as it says.

    Raises:
        AssertionError: If the block does not do what the example says.
    """
    models = ScriptedModels(example.answers)
    outputs, reason = await _outcome(block, example, replace(context, models=models))
    if example.error is None:
        assert reason is None, f"{example.inputs} failed: {reason}"
        assert outputs == list(example.outputs), f"{example.inputs} gave {outputs}"
        return
    assert reason is not None, f"{example.inputs} did not fail but gave {outputs}"
    assert example.error in reason, f"{reason!r} does not say {example.error!r}"


async def _outcome(
    block: Block, example: Example, context: BlockContext
) -> tuple[list[tuple[str, Any]], str | None]:
    try:
        return await outputs_of(block, example.inputs, context), None
    except BlockError as exc:
        return [], exc.reason
