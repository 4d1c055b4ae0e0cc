"""A copilot over the storage of a test's house, with the services that the server gives it."""

from dataclasses import replace
from typing import Any, Final

from backend.adapters.pages import FolderPages
from backend.adapters.storage.audit_log import SqlAuditLog
from backend.adapters.storage.chats import SqlChats
from backend.adapters.storage.credentials import SqlCredentials
from backend.core.chat import (
    GRAPH_ID,
    NODE_ID,
    TRIGGER,
    VERSION,
    ChatId,
    ChatMessage,
    copilot_graph,
)
from backend.core.ids import ExecutionId, UserId
from backend.core.records import ExecutionRecord, NewExecution
from backend.ports.models import ModelClient
from backend.services.agent_tools import AgentTools
from backend.services.audit import AuditService
from backend.services.copilot import Copilot
from backend.services.copilot_blocks import CopilotBlocks
from backend.services.copilot_docs import CopilotDocs
from backend.services.copilot_files import CopilotFiles
from backend.services.copilot_tools import CopilotTools
from backend.services.executions import ExecutionService
from backend.services.files import FileService
from backend.services.graphs import GraphService
from backend.services.schedules import ScheduleService
from backend.services.users import UserService
from backend.testing.files import TransientFiles
from backend.wiring_library import library_of
from tests.unit.engine.engine_alone import Alone
from tests.unit.engine.engine_blocks import CATALOG
from tests.unit.engine.engine_deciding import KEY, MODEL, SPECS
from tests.unit.engine.engine_house import ANN, Fault, House

TALK: Final = ChatId("talk")
TURN: Final = ExecutionId("turn")


def copilot_of(house: House) -> Copilot:
    """Return what turns work with in *house*."""
    storage, clock = house.storage, house.clock
    graphs = GraphService(storage=storage, catalog=CATALOG, clock=clock)
    executions = ExecutionService(
        storage=storage,
        credentials=SqlCredentials(storage.database),
        dispatcher=house.signals,
        graphs=graphs,
        catalog=CATALOG,
        clock=clock,
    )
    users = UserService(storage=storage, clock=clock)
    return Copilot(
        graph=copilot_graph(time_limit_s=60),
        chats=SqlChats(storage.database, storage.values),
        clock=clock,
        tools=CopilotTools(
            agents=AgentTools(
                library=library_of(storage, graphs, clock), executions=executions, catalog=CATALOG
            ),
            graphs=graphs,
            executions=executions,
            schedules=ScheduleService(
                storage=storage, executions=executions, users=users, clock=clock
            ),
            catalog=CATALOG,
            audit=AuditService(log=SqlAuditLog(storage.database), clock=clock),
            blocks=CopilotBlocks(blocks=Alone(house).blocks, catalog=CATALOG),
            files=CopilotFiles(files=FileService(files=TransientFiles(), clock=clock)),
            docs=CopilotDocs(pages=FolderPages()),
        ),
    )


class Talk:
    """Ann's one session."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.copilot = copilot_of(house)
        self._chats = SqlChats(house.storage.database, house.storage.values).of(ANN)

    async def ask(self, text: str, run_id: str = "turn", **pins: Any) -> ExecutionId:
        """Begin a turn; nothing runs it yet."""
        if await self._chats.get(TALK) is None:
            await self._chats.add(TALK, now_us=1, most=10)
        given = {"session_id": TALK, "model": MODEL, "credentials": KEY, **pins}
        run = NewExecution(
            id=ExecutionId(run_id),
            user_id=ANN,
            graph_id=GRAPH_ID,
            graph_version=VERSION,
            inputs={},
            masks={NODE_ID: given},
            trigger=TRIGGER,
            created_us=self.house.clock.now_us(),
        )
        body = {"role": "user", "content": text}
        message = ChatMessage(number=0, run_id=run.id, body=body, created_us=run.created_us)
        return (await self._chats.begin(TALK, run, message)).run.id

    async def said(self) -> list[Any]:
        """Return the messages of the session."""
        return [one.body for one in await self._chats.messages(TALK, limit=1_000)]

    async def answered(self, model: ModelClient, run_id: ExecutionId = TURN) -> ExecutionRecord:
        """Let a turn come to its end in an engine."""
        async with self.house.engine(models=model, model_specs=SPECS, turns=self.copilot):
            return await self.house.ended(run_id)

    async def dies(self, model: ModelClient, fault: Fault, run_id: ExecutionId = TURN) -> bool:
        """Let a turn run until *fault* kills the engine; False if it ended before."""
        async with self.house.engine(fault, models=model, model_specs=SPECS, turns=self.copilot):
            return await self.house.until_dead(run_id, fault)


async def add_as(house: House, user: UserId, graph: Any) -> None:
    """Save a graph of somebody."""
    owned = replace(graph, user_id=user)
    await house.storage.of(user).add_graphs([owned], now_us=house.clock.now_us())
