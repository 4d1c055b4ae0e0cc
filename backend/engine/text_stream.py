"""The text of a model's answer, shown to who watches its run while it comes. Kept nowhere."""

import asyncio
from typing import TYPE_CHECKING, Final

from backend.core.execution import NodeExecution
from backend.engine.tools import EngineTools
from backend.ports.bus import NodeText, run_topic
from backend.sdk import BlockContext

if TYPE_CHECKING:
    from backend.engine.run_loop import RunLoop

#: Pieces that come within this time are one event.
EVERY_S: Final = 0.1
#: A piece is sent at once when it is so long.
_MOST_CHARACTERS: Final = 8_000
#: Of one answer, so much is shown as it comes; all of it is in the node's output.
_SHOWN_CHARACTERS: Final = 1_000_000


class TextStream:
    """One answer. Use it from the event loop's thread."""

    __slots__ = (
        "_context",
        "_execution",
        "_loop",
        "_number",
        "_offset",
        "_text",
        "_timer",
        "_tools",
    )

    def __init__(
        self,
        tools: EngineTools,
        loop: "RunLoop",
        execution: NodeExecution,
        context: BlockContext,
        number: int,
    ) -> None:
        """
        Show what is added.

        Args:
            number: Which call of the model for this answer it is: a later one begins anew.
        """
        self._tools = tools
        self._loop = loop
        self._execution = execution
        self._context = context
        self._number = number
        self._offset = 0
        self._text = ""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, piece: str) -> None:
        """Take a piece; it is shown a moment later, with those that come meanwhile."""
        self._text += piece
        if len(self._text) >= _MOST_CHARACTERS:
            self._show()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY_S, self._show)

    def close(self) -> None:
        """Show what is left."""
        self._show()

    def _show(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        text, self._text = self._text, ""
        if not text or self._offset >= _SHOWN_CHARACTERS:
            return
        offset, self._offset = self._offset, self._offset + len(text)
        publisher, topic = self._tools.journal.publisher, run_topic(self._loop.execution.id)
        if self._loop.over or not publisher.wanted(topic):
            return
        redactor, record = self._context.redactor, self._loop.stored.record
        change = NodeText(
            user_id=record.user_id,
            graph_id=record.graph_id,
            run_id=record.id,
            node_id=self._execution.node.id,
            node_exec_id=self._execution.id,
            call=self._number,
            offset=offset,
            text=text if redactor is None else redactor.text(text),
        )
        publisher.publish(topic, change)
