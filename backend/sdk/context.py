"""What the server lends to a block while it runs: who asks, where, and guarded ways out."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from backend.core.credentials import Credentials, secrets_in
from backend.core.errors import NotConfigured
from backend.core.ids import UserId
from backend.core.redaction import Redactor
from backend.core.reviews import Decision
from backend.ports.memory import Memories, UserMemory
from backend.ports.processes import Processes
from backend.ports.web import WebClient

if TYPE_CHECKING:
    from backend.sdk.files import FileDesk, RunFiles

T = TypeVar("T")


class Runs(Protocol):
    """Runs of other graphs."""

    def run(
        self, graph_id: str, graph_version: int, inputs: Mapping[str, Any]
    ) -> AsyncIterator[tuple[str, Any]]:
        """Run a graph to its end as part of this run; yield its outputs as they come."""


class Reviews(Protocol):
    """People who decide for a run."""

    @property
    def wanted(self) -> bool:
        """Whether this agent's owner wants to be asked at all."""

    def decide(self, payload: Any, *, instructions: str | None, editable: bool) -> Decision:
        """
        Return what a person decided about *payload*, JSON.

        Where nobody has decided yet, this ends the block by an exception that it must let pass: its
        node waits, for days if need be, and is run again when somebody has decided. So ask before
        anything is done or yielded.
        """


class Lender(Protocol):
    """Who lends users' credentials to what runs for them."""

    async def lend(self, user_id: UserId, reference: Mapping[str, Any]) -> Credentials:
        """
        Return the credentials of *user_id* that *reference* names, tokens fresh.

        Raises:
            NotFound: If this user has none of that id.
            BadRequest: If they are of another provider or type than *reference* says.
        """


class Threads(Protocol):
    """Threads for what blocks do."""

    async def call(self, work: Callable[..., T], *args: Any) -> T:
        """Return ``work(*args)``, done in a thread."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockContext:
    """
    One node execution, as its block may know it.

    Attributes:
        root_exec_id: The run that started it all: the same as `graph_exec_id` unless an agent runs
            another. Files belong to it.
        idempotency_key: The same for every attempt at this node execution; pass it on to whoever
            takes one.
        timezone: The user's, an IANA name.
        address: Where the block is: ``module:Class``.
        redactor: Takes the secrets that were lent to the block out of what it says; None: none were.
        now: The time, aware; passed in, so that tests decide.
        started_us: When this node execution began to run, microseconds since the epoch. Not given:
            now.
    """

    user_id: str
    graph_id: str = ""
    graph_version: int = 1
    graph_exec_id: str = ""
    root_exec_id: str = ""
    node_id: str = ""
    node_exec_id: str = ""
    idempotency_key: str = ""
    timezone: str = "UTC"
    address: str = ""
    web: WebClient | None = None
    agents: Runs | None = None
    files: "FileDesk | None" = None
    memory: Memories | None = None
    reviews: Reviews | None = None
    lender: Lender | None = None
    redactor: Redactor | None = None
    threads: Threads | None = None
    processes: Processes | None = None
    now: Callable[[], datetime] = _now
    started_us: int = 0

    def __post_init__(self) -> None:
        if not self.started_us:
            object.__setattr__(self, "started_us", int(self.now().timestamp() * 1e6))

    @property
    def started(self) -> datetime:
        """
        Return when this node execution began to run, aware; the same for every attempt at it.

        If it asked a person, when it began again with the answer.
        """
        return datetime.fromtimestamp(self.started_us / 1e6, UTC)

    def guarded_web(self) -> WebClient:
        """
        Return `web`, the one way out over HTTP.

        Raises:
            NotConfigured: If this place has none.
        """
        if self.web is None:
            raise NotConfigured("this block needs the web, and here is no way out to it")
        return self.web

    def run_files(self) -> "RunFiles":
        """
        Return the files of this run, and a way to those that its inputs name.

        Raises:
            NotConfigured: If this place has none.
        """
        if self.files is None:
            raise NotConfigured("this block needs files, and here is no place for them")
        run_id = self.root_exec_id or self.graph_exec_id
        return self.files.of(self.user_id, run_id, self.idempotency_key)

    def own_memory(self) -> UserMemory:
        """
        Return what this user's agents remember.

        Raises:
            NotConfigured: If this place has no memory.
        """
        if self.memory is None:
            raise NotConfigured("this block needs a memory, and here is none")
        return self.memory.of(UserId(self.user_id))

    async def credentials(self, reference: Mapping[str, Any]) -> Credentials:
        """
        Return the credentials that the pin *reference* names, at the moment of their use.

        Ask anew each time, and hand them to nobody but `guarded_web`. What a server says back is
        searched for them before it goes on.

        Raises:
            NotConfigured: If this place has none.
            NotFound, BadRequest: If the run's user has none such.
            SignInNeeded, Unavailable: If an account does not let us in.
        """
        if self.lender is None:
            raise NotConfigured("this block needs credentials, and here are none")
        lent = await self.lender.lend(UserId(self.user_id), reference)
        if self.redactor is None:
            object.__setattr__(self, "redactor", Redactor())
        assert self.redactor is not None
        self.redactor.add(secrets_in(lent))
        return lent

    def people(self) -> Reviews:
        """
        Return the people who decide for this run.

        Raises:
            NotConfigured: If there is nobody to ask here.
        """
        if self.reviews is None:
            raise NotConfigured("this block asks a person, and here is nobody to ask")
        return self.reviews

    async def to_thread(self, work: Callable[..., T], *args: Any) -> T:
        """
        Return ``work(*args)``, done in a thread: for work that blocks.

        A thread cannot be ended: stopped or not, *work* goes on to its own end.
        """
        if self.threads is None:
            return await asyncio.to_thread(work, *args)
        return await self.threads.call(work, *args)

    async def to_process(self, function: Callable[..., Any], *args: Any) -> Any:
        """
        Return ``function(*args)``, done in a worker process: for work that computes, or may crash.

        Args:
            function: One of a module in the block's own package. What it returns is JSON.
            args: JSON, too.

        Raises:
            BadRequest: With its words, if *function* raises ValueError or an error of ours.
            ProcessFailed: If it raises anything else.
            ProcessEnded: If its process dies, or is ended because it needs too long, or too much
                memory.
            NotConfigured: If this place has no processes.
        """
        if self.processes is None:
            raise NotConfigured("this block needs a worker process, and here is none")
        return await self.processes.call(_name_of(function, self.address.partition(":")[0]), args)


def _name_of(function: Callable[..., Any], module: str) -> str:
    """Return ``module:name``. Raises NotConfigured for what another process could not find."""
    place, name = function.__module__, function.__qualname__
    package = module.rpartition(".")[0] or module
    if place not in (module, package) and not place.startswith(f"{package}."):
        raise NotConfigured(f"{place}:{name} is not of the block's own package, {package}")
    if getattr(sys.modules.get(place), name, None) is not function:
        raise NotConfigured(f"{place}:{name} is no function of a module")
    return f"{place}:{name}"
