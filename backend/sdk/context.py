"""What the server lends to a block while it runs: who asks, where, and guarded ways out."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from backend.core.block import Effect
from backend.core.credentials import Credentials, secrets_in
from backend.core.errors import NotConfigured
from backend.core.ids import UserId
from backend.core.models import ModelAnswer, ModelRequest, ModelSpec
from backend.core.redaction import Redactor
from backend.core.reviews import Decision
from backend.ports.mail import MailWay
from backend.ports.mcp import ToolServers
from backend.ports.memory import Memories, UserMemory
from backend.ports.processes import Processes
from backend.ports.sandbox import Sandboxes
from backend.ports.web import WebClient
from backend.sdk.chat import ChatDesk, ChatDesks
from backend.sdk.tools import USUAL_BOUNDS, DecisionBounds, Tools

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


class Models(Protocol):
    """Language models, as one node execution may use them."""

    def spec(self, name: str) -> ModelSpec:
        """Return what is known of a model, or of the one that succeeds it. Raises NotFound."""

    async def ask(
        self,
        request: ModelRequest,
        *,
        credentials: Mapping[str, Any] | None = None,
        stream: bool = False,
    ) -> ModelAnswer:
        """
        Return the answer to *request*: journaled, counted and within the budgets.

        The same request at the same place of the same node execution is asked once: after a crash
        what was answered is taken from the journal. What a provider puts off (429, 5xx) is asked
        again, within bounds, when it says.

        Args:
            credentials: What the node's credentials pin holds; None: the operator's.
            stream: Show the text to who watches the node, as it comes.

        Raises:
            As `backend.ports.models.ModelClient.ask`.
        """


class Steps(Protocol):
    """The journal of one node execution's steps."""

    async def once(
        self, name: str, work: Callable[[str], Awaitable[Any]], effect: Effect | None = None
    ) -> Any:
        """See `BlockContext.once`."""


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
        chats: Conversations with the copilot; only in a run that is a turn of one.
        tools: Other nodes of the graph that this one may call; None: there are none.
        bounds: How far a model may go on its own.
        idempotency_key: The same for every attempt at this node execution; pass it on to whoever
            takes one.
        timezone: The user's, an IANA name.
        address: Where the block is: ``module:Class``.
        base_urls: Where providers are, by name, if the operator puts them in another place
            (PROVIDER_BASE_URLS); `backend.sdk.services` looks there.
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
    mail: MailWay | None = None
    base_urls: Mapping[str, str] = field(default_factory=dict)
    agents: Runs | None = None
    files: "FileDesk | None" = None
    memory: Memories | None = None
    reviews: Reviews | None = None
    lender: Lender | None = None
    models: Models | None = None
    tools: Tools | None = None
    bounds: DecisionBounds = USUAL_BOUNDS
    steps: Steps | None = None
    redactor: Redactor | None = None
    threads: Threads | None = None
    processes: Processes | None = None
    sandboxes: Sandboxes | None = None
    tool_servers: ToolServers | None = None
    chats: ChatDesks | None = None
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

    def guarded_mail(self) -> MailWay:
        """
        Return `mail`, the one way out to mail servers.

        Raises:
            NotConfigured: If this place has none.
        """
        if self.mail is None:
            raise NotConfigured("this block sends mail, and here is no way out for it")
        return self.mail

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

    def language_models(self) -> Models:
        """
        Return the language models, on behalf of this node.

        Raises:
            NotConfigured: If this place has none.
        """
        if self.models is None:
            raise NotConfigured("this block needs a language model, and here is none")
        return self.models

    async def once(
        self, name: str, work: Callable[[str], Awaitable[T]], *, effect: Effect | None = None
    ) -> T:
        """
        Return what ``work(key)`` comes to, JSON, done once in this node execution.

        That it begins is on disk before *work* is called, and what it came to after it: from then
        on, after a crash or in a further try of the node, this is returned and *work* is not called
        again. What was in flight when the server was killed, or raised, is called again with the
        same key. Run outside of a run, nothing is kept.

        Args:
            name: Of the step, the same whenever the node comes to this place, and of no other step
                of it; 200 characters at most.
            work: Given an idempotency key of the step's own.
            effect: What doing it twice would do; None: as the block says. What is
                `Effect.AT_MOST_ONCE` is not called again.

        Raises:
            UnknownOutcome: If it must not be repeated, was begun, and nobody knows how it ended.
            Conflict: If a step of this name is under way.
            NotJson, TooLarge: If what *work* returns cannot be kept.
        """
        if self.steps is None:
            return await work(f"{self.idempotency_key}:{name}")
        result: T = await self.steps.once(name, work, effect)
        return result

    def people(self) -> Reviews:
        """
        Return the people who decide for this run.

        Raises:
            NotConfigured: If there is nobody to ask here.
        """
        if self.reviews is None:
            raise NotConfigured("this block asks a person, and here is nobody to ask")
        return self.reviews

    def code_sandboxes(self) -> Sandboxes:
        """
        Return the sandboxes, where code of users is run.

        Raises:
            NotConfigured: If this place has none.
        """
        if self.sandboxes is None:
            raise NotConfigured("this block runs code, and here is no sandbox for it")
        return self.sandboxes

    def mcp_servers(self) -> ToolServers:
        """
        Return the way to servers that speak MCP.

        Raises:
            NotConfigured: If this place has none.
        """
        if self.tool_servers is None:
            raise NotConfigured("this block calls a tool server, and here is no way out to one")
        return self.tool_servers

    def conversation(self, chat_id: str) -> ChatDesk:
        """
        Return a conversation of this run's user.

        Raises:
            NotConfigured: If this run is no turn of one.
        """
        if self.chats is None:
            raise NotConfigured("this block answers in sessions of the copilot, and this is none")
        return self.chats.of(chat_id)

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
