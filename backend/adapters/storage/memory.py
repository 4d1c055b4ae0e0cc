"""What agents remember: one row a user and key, the value as JSON text."""

from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.sql import func

from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables import key_values
from backend.core import json
from backend.core.errors import BadRequest, TooLarge
from backend.core.ids import UserId
from backend.core.json import Json

KEY_CHARACTERS: Final = 1000


class SqlMemories:
    """See backend.ports.memory.Memories."""

    def __init__(
        self, database: Database, *, value_bytes: int = 1024 * 1024, keys: int = 10_000
    ) -> None:
        """
        Use the table of *database*.

        Args:
            value_bytes: Of the JSON text of one value, at most.
            keys: Of one user, at most.
        """
        self.database = database
        self.value_bytes = value_bytes
        self.keys = keys

    def of(self, user_id: UserId) -> "SqlUserMemory":
        return SqlUserMemory(self, user_id)


class SqlUserMemory:
    """See backend.ports.memory.UserMemory."""

    def __init__(self, memories: SqlMemories, user_id: UserId) -> None:
        self._memories = memories
        self._user_id = user_id

    async def remember(self, key: str, value: Json, *, now_us: int) -> None:
        if value is None:
            raise BadRequest("None cannot be kept: it means that nothing is")
        if len(key) > KEY_CHARACTERS:
            raise TooLarge(f"the key is longer than {KEY_CHARACTERS} characters")
        text = json.dumps(value)
        limit = self._memories.value_bytes
        if len(text) > limit:
            raise TooLarge(
                f"the value is larger than {limit // 1024} KB (setting MAX_MEMORY_VALUE_KB)"
            )
        await self._memories.database.write(
            lambda c: save(c, self._user_id, key, text.decode(), now_us, self._memories.keys)
        )

    async def recall(self, key: str) -> Json:
        return await self._memories.database.read(lambda c: get(c, self._user_id, key))


_K: Final = key_values.c


def save(
    connection: Connection, user_id: UserId, key: str, text: str, now_us: int, keys: int
) -> None:
    """Keep a value. Raises TooLarge if it would be one key too many."""
    if not _is_there(connection, user_id, key) and _count(connection, user_id) >= keys:
        raise TooLarge(
            f"{keys} keys are kept already, and no more (setting MAX_MEMORY_KEYS_PER_USER)"
        )
    values = {"value": text, "updated_us": now_us}
    connection.execute(
        insert_on(connection, key_values)
        .values(user_id=user_id, key=key, **values)
        .on_conflict_do_update(index_elements=["user_id", "key"], set_=values)
    )


def get(connection: Connection, user_id: UserId, key: str) -> Json:
    """Return a value; None if there is none."""
    text = connection.execute(
        select(_K.value).where(_K.user_id == user_id, _K.key == key)
    ).scalar_one_or_none()
    value: Json = None if text is None else json.loads(text)
    return value


def _is_there(connection: Connection, user_id: UserId, key: str) -> bool:
    found = connection.execute(select(_K.key).where(_K.user_id == user_id, _K.key == key))
    return found.first() is not None


def _count(connection: Connection, user_id: UserId) -> int:
    return connection.execute(
        select(func.count()).select_from(key_values).where(_K.user_id == user_id)
    ).scalar_one()
