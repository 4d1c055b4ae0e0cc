"""Sessions of the copilot for contract tests: no executor is there, and no model."""

import asyncio
from collections.abc import AsyncIterator

from backend.adapters.dispatch.local import LocalDispatcher
from backend.adapters.storage import SqlStorage
from backend.adapters.storage.chats import SqlChats
from backend.ports.bus import Change
from backend.services.chat import ChatService, CopilotModel
from backend.services.credits import CreditService
from backend.services.run_watches import RunWatches
from backend.testing.clock import FakeClock

NO_MODEL = CopilotModel(name="gpt-4o", problem="The copilot has no key for its model gpt-4o.")
MODEL = CopilotModel(name="gpt-4o")


class Silence:
    """A bus on which nothing is said."""

    def subscribe(self, topic: str) -> None:
        pass

    def unsubscribe(self, topic: str) -> None:
        pass

    async def changes(self) -> AsyncIterator[tuple[str, Change]]:
        await asyncio.Event().wait()
        yield ("", None)  # type: ignore[misc] # never

    async def close(self) -> None:
        pass


def chats_of(
    storage: SqlStorage,
    dispatcher: LocalDispatcher,
    clock: FakeClock,
    model: CopilotModel,
    credits_: CreditService,
) -> ChatService:
    """Return the sessions of all users."""
    return ChatService(
        chats=SqlChats(storage.database, storage.values),
        storage=storage,
        dispatcher=dispatcher,
        clock=clock,
        model=model,
        watches=RunWatches(Silence(), most=100, most_per_user=3),
        credits_=credits_,
    )
