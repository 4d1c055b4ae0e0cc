"""The copilot: how it is asked, and what it works with. Part of wiring.py."""

from typing import TYPE_CHECKING, Final

from backend.adapters.clock import SystemClock
from backend.adapters.storage import SqlStorage
from backend.core.catalog import Catalog
from backend.core.errors import NotFound
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.ports.bus import EventSubscriber
    from backend.ports.dispatch import Dispatcher
    from backend.services.blocks import BlockService
    from backend.services.chat import ChatService, CopilotModel
    from backend.services.copilot import Copilot
    from backend.services.copilot_tools import CopilotTools
    from backend.services.credits import CreditService
    from backend.services.run_watches import RunWatches

#: Where the operator names none: the first of these whose provider has a key here.
_USUAL: Final = (
    "gpt-5.2-2025-12-11",
    "claude-sonnet-4-5-20250929",
    "google/gemini-2.5-flash",
    "llama-3.3-70b-versatile",
)


def copilot_model(settings: Settings, catalog: Catalog) -> "CopilotModel":
    """Return the model that answers in sessions, or why none can."""
    from backend.services.chat import CopilotModel

    name, problem = _chosen(settings.chat_model.strip(), catalog)
    return CopilotModel(
        name=name,
        problem=problem,
        max_rounds=settings.chat_max_rounds,
        max_tokens=settings.chat_max_tokens,
    )


def _chosen(wanted: str, catalog: Catalog) -> tuple[str, str]:
    """Return the model's name, and why it cannot be asked."""
    names = (wanted,) if wanted else _USUAL
    problems = {name: _problem_of(name, catalog) for name in names}
    good = (name for name in names if not problems[name])
    return next(((name, "") for name in good), (names[0], problems[names[0]]))


def _problem_of(name: str, catalog: Catalog) -> str:
    operators = catalog.operators
    if operators is None:
        return "The copilot is off: this server knows no models."
    try:
        spec = operators.registry.find(name)
    except NotFound:
        return f"The copilot has no model: there is no {name[:200]!r} here (setting CHAT_MODEL)."
    provider = operators.registry.providers[spec.provider]
    if provider.name in operators.provided:
        return ""
    return (
        f"The copilot has no key for its model {spec.name}: set {provider.key_setting} on the"
        " server, or choose another model with CHAT_MODEL."
    )


def open_watches(settings: Settings, subscriber: "EventSubscriber") -> "RunWatches":
    """Return who in this process watches which run."""
    from backend.services.run_watches import RunWatches

    return RunWatches(
        subscriber,
        most=settings.chat_max_streams,
        most_per_user=settings.chat_max_streams_per_user,
    )


def chat_of(
    storage: SqlStorage,
    dispatcher: "Dispatcher",
    model: "CopilotModel",
    watches: "RunWatches",
    credits_: "CreditService | None" = None,
) -> "ChatService":
    """Return the sessions of all users."""
    from backend.adapters.storage.chats import SqlChats
    from backend.services.chat import ChatService

    return ChatService(
        chats=SqlChats(storage.database, storage.values),
        storage=storage,
        dispatcher=dispatcher,
        clock=SystemClock(),
        model=model,
        watches=watches,
        credits_=credits_,
    )


def open_copilot(
    settings: Settings, storage: SqlStorage, catalog: Catalog, dispatcher: "Dispatcher"
) -> "Copilot":
    """Return what turns work with, for the executor; *dispatcher* is its way to itself."""
    from backend.adapters.storage.chats import SqlChats
    from backend.core.chat import copilot_graph
    from backend.services.copilot import Copilot

    return Copilot(
        graph=copilot_graph(time_limit_s=settings.chat_max_turn_s),
        chats=SqlChats(storage.database, storage.values),
        clock=SystemClock(),
        tools=_tools(settings, storage, dispatcher, catalog),
    )


def _tools(
    settings: Settings, storage: SqlStorage, dispatcher: "Dispatcher", catalog: Catalog
) -> "CopilotTools":
    """Return the tools: the services that the REST routes use."""
    from backend.adapters.pages import FolderPages
    from backend.adapters.storage.audit_log import SqlAuditLog
    from backend.core.cron import Dialect
    from backend.services.agent_tools import AgentTools
    from backend.services.audit import AuditService
    from backend.services.copilot_blocks import CopilotBlocks
    from backend.services.copilot_docs import CopilotDocs
    from backend.services.copilot_files import CopilotFiles
    from backend.services.copilot_tools import CopilotTools
    from backend.services.executions import ExecutionService
    from backend.services.graphs import GraphService
    from backend.services.schedules import ScheduleService
    from backend.services.users import UserService
    from backend.wiring_credentials import credentials_store
    from backend.wiring_library import credits_of, library_of
    from backend.wiring_watches import found_files

    clock, credits_ = SystemClock(), credits_of(settings, storage, SystemClock())
    graphs = GraphService(storage=storage, catalog=catalog, clock=clock)
    executions = ExecutionService(
        storage=storage,
        credentials=credentials_store(storage),
        dispatcher=dispatcher,
        graphs=graphs,
        catalog=catalog,
        clock=clock,
        credits_=credits_,
    )
    library = library_of(storage, graphs, clock)
    return CopilotTools(
        agents=AgentTools(library=library, executions=executions, catalog=catalog),
        graphs=graphs,
        executions=executions,
        schedules=ScheduleService(
            storage=storage,
            executions=executions,
            users=UserService(storage=storage, clock=clock),
            clock=clock,
            dialect=Dialect(settings.cron_dialect),
        ),
        catalog=catalog,
        audit=AuditService(log=SqlAuditLog(storage.database), clock=clock),
        blocks=CopilotBlocks(
            blocks=blocks_of(storage, dispatcher, catalog, _unwatched(), credits_), catalog=catalog
        ),
        files=CopilotFiles(files=found_files(settings, clock)),
        docs=CopilotDocs(pages=FolderPages()),
    )


def blocks_of(
    storage: SqlStorage,
    dispatcher: "Dispatcher",
    catalog: Catalog,
    watches: "RunWatches",
    credits_: "CreditService | None" = None,
) -> "BlockService":
    """Return the blocks; one that is run alone is run by the executor, as all others are."""
    from backend.services.block_runs import BlockRuns
    from backend.services.blocks import BlockService
    from backend.wiring_credentials import credentials_store

    runs = BlockRuns(storage=storage, dispatcher=dispatcher, clock=SystemClock(), watches=watches)
    return BlockService(
        catalog=catalog,
        run=runs.run,
        require_pay=None if credits_ is None else credits_.require_price,
        credentials=credentials_store(storage),
    )


def _unwatched() -> "RunWatches":
    """Return watches that nobody feeds: who runs a block from the executor looks at the rows."""
    from backend.adapters.bus.silent import SilentSubscriber
    from backend.services.run_watches import RunWatches

    return RunWatches(SilentSubscriber(), most=0, most_per_user=0)
