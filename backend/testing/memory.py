"""A memory that ends with the process: for the examples of blocks, and for tests."""

from backend.core import json
from backend.core.errors import BadRequest
from backend.core.ids import UserId
from backend.core.json import Json


class TransientMemories:
    """See backend.ports.memory.Memories. Has no limits."""

    def __init__(self) -> None:
        self.kept: dict[tuple[UserId, str], bytes] = {}

    def of(self, user_id: UserId) -> "TransientUserMemory":
        """See the port."""
        return TransientUserMemory(self, user_id)


class TransientUserMemory:
    """See backend.ports.memory.UserMemory."""

    def __init__(self, memories: TransientMemories, user_id: UserId) -> None:
        self._memories = memories
        self._user_id = user_id

    async def remember(self, key: str, value: Json, *, now_us: int) -> None:
        """See the port."""
        del now_us
        if value is None:
            raise BadRequest("None cannot be kept: it means that nothing is")
        self._memories.kept[self._user_id, key] = json.dumps(value)

    async def recall(self, key: str) -> Json:
        """See the port."""
        found = self._memories.kept.get((self._user_id, key))
        value: Json = None if found is None else json.loads(found)
        return value
