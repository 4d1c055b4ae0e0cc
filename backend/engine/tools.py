"""What all runs of one executor share."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from backend.core.budgets import NO_DEFAULTS, BudgetDefaults
from backend.core.call_prices import CallPrices
from backend.core.catalog import Catalog
from backend.core.credits import Prices
from backend.core.execution import Execution
from backend.core.graph import Graph
from backend.core.ids import ExecutionId, UserId
from backend.core.model_registry import ModelRegistry
from backend.core.records import NoticeRecord
from backend.engine.journal import Journal
from backend.engine.places import Rooms
from backend.ports.clock import Clock
from backend.ports.credits import Ledger
from backend.ports.mail import MailWay
from backend.ports.mcp import ToolServers
from backend.ports.memory import Memories
from backend.ports.models import ModelClient
from backend.ports.node_steps import NodeSteps
from backend.ports.sandbox import Sandboxes
from backend.ports.storage import StoredRun
from backend.ports.web import WebClient
from backend.sdk import Block, DecisionBounds
from backend.sdk.chat import ChatDesks
from backend.sdk.context import Lender
from backend.sdk.files import FileDesk
from backend.sdk.tools import USUAL_BOUNDS

if TYPE_CHECKING:
    from backend.engine.budgets import BudgetWatch
    from backend.engine.nesting import Nesting


class TurnDesks(Protocol):
    """What turns of conversations work with."""

    @property
    def graph(self) -> Graph:
        """The agent whose runs are turns; it is in no table."""

    def of(self, user_id: UserId, run_id: ExecutionId) -> ChatDesks:
        """Return the conversations of *user_id*, for the turn that is this run."""


class Blocks(Protocol):
    """Where the code of blocks comes from."""

    def get(self, block_id: str) -> Block:
        """Return the block, importing its module on first use."""

    def address(self, block_id: str) -> str:
        """Return ``module:Class`` without importing anything. Raises NotFound like `get`."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much one run may take. Each names the setting that moves it when it bites."""

    parallel_nodes: int = 100
    node_executions: int = 1_000_000
    outputs_per_node: int = 100_000
    value_bytes: int = 16 * 1024 * 1024
    nesting: int = 20
    runs_per_graph: int = 25  #: at once, of one user and graph
    runs_per_user: int = 0  #: at once, of one user; 0: three quarters of the slots
    node_s: float = 86_400.0  #: for one try of a node that says nothing else; 0: none
    run_s: float = 0.0  #: for a run, without what it waits for people; 0: none
    block_threads: int = 32  #: at once, of all runs together
    model_tries: int = 5  #: calls for one question to a model
    budgets: BudgetDefaults = NO_DEFAULTS
    call_prices: CallPrices = field(default_factory=dict)  #: of paid calls that ask no model
    decisions: DecisionBounds = USUAL_BOUNDS
    model_wait_s: float = 60.0  #: between two of them; who asks for more is not asked again


@dataclass(kw_only=True)
class EngineTools:
    """See the module. `nesting` is set by the worker, which it belongs to."""

    journal: Journal
    steps: NodeSteps
    clock: Clock
    catalog: Catalog
    blocks: Blocks
    web: WebClient
    base_urls: Mapping[str, str] = field(default_factory=dict)  #: of providers, by name
    files: FileDesk | None = None
    mail: MailWay | None = None
    memory: Memories | None = None
    lender: Lender | None = None
    sandboxes: Sandboxes | None = None
    tool_servers: ToolServers | None = None
    rooms: Rooms = field(default_factory=Rooms)
    limits: Limits = field(default_factory=Limits)
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    end_notice: Callable[[StoredRun, Execution], NoticeRecord | None] = lambda *_: None
    models: ModelClient | None = None
    registry: ModelRegistry = field(default_factory=ModelRegistry)
    turns: TurnDesks | None = None  #: None: there is no copilot here
    ledger: Ledger | None = None  #: None: nothing is paid for
    prices: Prices = field(default_factory=dict)
    nesting: "Nesting" = field(init=False)
    budgets: "BudgetWatch" = field(init=False)
    left_alone: "set[asyncio.Task[None]]" = field(default_factory=set)

    def leave_alone(self, work: "asyncio.Task[None]") -> None:
        """Wait no more for *work*, which does not end though it was cancelled; count it."""
        self.left_alone.add(work)
        work.add_done_callback(self._has_ended)

    def _has_ended(self, work: "asyncio.Task[None]") -> None:
        self.left_alone.discard(work)
        if not work.cancelled():
            work.exception()  # what it says so late does not matter
