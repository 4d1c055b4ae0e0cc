"""Conversations: a row each, one for each message, and the run that answers."""

from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update

from backend.adapters.storage import new_runs, rows
from backend.adapters.storage.database import Database
from backend.adapters.storage.tables import executions
from backend.adapters.storage.tables_chat import chat_messages, chats
from backend.adapters.storage.values import Reader, Values
from backend.core import json
from backend.core.chat import Chat, ChatId, ChatMessage, Turn, title_of
from backend.core.errors import Conflict, NotFound, StaleAttempt, TooLarge
from backend.core.ids import ExecutionId, UserId
from backend.core.records import ExecutionRecord, NewExecution
from backend.core.status import UNFINISHED, Status

_C: Final = chats.c
_M: Final = chat_messages.c
_E: Final = executions.c
#: Messages that one conversation may have.
MOST_MESSAGES: Final = 1_000
_AT_WORK: Final = tuple(sorted(status.value for status in UNFINISHED | {Status.REVIEW}))
_ONE: Final = select(chats).where(_C.id == bindparam("chat"), _C.user_id == bindparam("user"))
_PAGE: Final = (
    select(chats)
    .where(_C.user_id == bindparam("user"))
    .order_by(_C.updated_us.desc(), _C.id.desc())
    .offset(bindparam("skipped"))
    .limit(bindparam("most"))
)
_COUNT: Final = select(func.count()).select_from(chats).where(_C.user_id == bindparam("user"))
_NEWEST: Final = (
    select(chat_messages)
    .where(_M.chat_id == bindparam("chat"), _M.number > bindparam("after"))
    .order_by(_M.number.desc())
    .limit(bindparam("most"))
)
_OLD: Final = (
    select(_C.id)
    .where(_C.updated_us < bindparam("before"))
    .order_by(_C.updated_us)
    .limit(bindparam("most"))
)


class SqlChats:
    """See backend.ports.chat.Chats."""

    def __init__(self, database: Database, values: Values) -> None:
        self._database = database
        self._values = values

    def of(self, user_id: UserId) -> "SqlUserChats":
        return SqlUserChats(self._database, self._values, user_id)


class SqlUserChats:
    """See backend.ports.chat.UserChats."""

    def __init__(self, database: Database, values: Values, user_id: UserId) -> None:
        self._database = database
        self._values = values
        self._user_id = user_id

    async def add(self, chat_id: ChatId, *, now_us: int, most: int) -> Chat:
        return await self._database.write(
            lambda c: add(c, self._user_id, chat_id, now_us, most), about=chat_id
        )

    async def page(self, *, skip: int, most: int) -> tuple[list[Chat], int]:
        return await self._database.read(lambda c: page(c, self._user_id, skip, most))

    async def get(self, chat_id: ChatId) -> Chat | None:
        return await self._database.read(lambda c: get(c, self._user_id, chat_id))

    async def messages(
        self, chat_id: ChatId, *, limit: int, run_id: ExecutionId | None = None, after: int = -1
    ) -> list[ChatMessage]:
        return await self._database.read(
            lambda c: messages(c, self._user_id, chat_id, limit, run_id, after)
        )

    async def begin(self, chat_id: ChatId, run: NewExecution, message: ChatMessage) -> Turn:
        staging = self._values.staging()
        row = new_runs.new_row(run, staging, limited=True)
        text = json.dumps(message.body)
        if len(text) > self._values.value_bytes:
            raise TooLarge("The message is larger than a value may be (setting MAX_VALUE_MB).")
        await self._values.write(staging)
        reader = self._values.shown()
        return await self._database.write_grouped(
            lambda c: begin(c, chat_id, run, row, message, text.decode(), reader)
        )

    async def say(self, chat_id: ChatId, message: ChatMessage) -> None:
        text = json.text(message.body)
        await self._database.write_grouped(lambda c: say(c, self._user_id, chat_id, message, text))


class SqlChatRetention:
    """See backend.ports.chat.ChatRetention."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete_old(self, before_us: int, *, limit: int) -> int:
        return await self._database.write(lambda c: delete_old(c, before_us, limit))


def add(connection: Connection, user_id: UserId, chat_id: ChatId, now_us: int, most: int) -> Chat:
    """Begin a conversation; see UserChats.add."""
    if connection.execute(_COUNT, {"user": user_id}).scalar_one() >= most:
        raise Conflict(f"There are {most} conversations already, and no more than that are kept.")
    values = {"id": chat_id, "user_id": user_id, "created_us": now_us, "updated_us": now_us}
    connection.execute(insert(chats).values(messages=0, **values))
    return Chat(id=chat_id, user_id=user_id, created_us=now_us, updated_us=now_us)


def page(connection: Connection, user_id: UserId, skip: int, most: int) -> tuple[list[Chat], int]:
    """Return a page; see UserChats.page."""
    total = int(connection.execute(_COUNT, {"user": user_id}).scalar_one())
    found = connection.execute(_PAGE, {"user": user_id, "skipped": skip, "most": most})
    return [_chat(row) for row in found], total


def get(connection: Connection, user_id: UserId, chat_id: ChatId) -> Chat | None:
    """Return a conversation; see UserChats.get."""
    row = connection.execute(_ONE, {"chat": chat_id, "user": user_id}).one_or_none()
    return None if row is None else _chat(row)


def messages(
    connection: Connection,
    user_id: UserId,
    chat_id: ChatId,
    limit: int,
    run_id: ExecutionId | None,
    after: int,
) -> list[ChatMessage]:
    """Return messages; see UserChats.messages."""
    if get(connection, user_id, chat_id) is None:
        return []
    query = _NEWEST if run_id is None else _NEWEST.where(_M.run_id == run_id)
    found = connection.execute(query, {"chat": chat_id, "after": after, "most": limit}).all()
    return [_message(row) for row in reversed(found)]


def begin(
    connection: Connection,
    chat_id: ChatId,
    run: NewExecution,
    row: new_runs.NewRow,
    message: ChatMessage,
    text: str,
    reader: Reader,
) -> Turn:
    """Add a message and its run; see UserChats.begin."""
    chat = get(connection, run.user_id, chat_id)
    if chat is None:
        raise NotFound(f"Session {chat_id} not found.")
    known = _known_turn(connection, chat, run, reader)
    if known is not None:
        return known
    _require_rest(connection, chat)
    new_runs.add_missing(connection, [row])
    _add_message(connection, chat_id, chat.messages, run.id, text, message)
    connection.execute(
        update(chats)
        .where(_C.id == chat_id)
        .values(
            title=chat.title or title_of(str(message.body.get("content") or "")) or None,
            messages=chat.messages + 1,
            run_id=run.id,
            updated_us=message.created_us,
        )
    )
    return Turn(chat_id=chat_id, run=new_runs.as_record(run), first=chat.messages)


def _known_turn(
    connection: Connection, chat: Chat, run: NewExecution, reader: Reader
) -> Turn | None:
    row = connection.execute(
        select(executions).where(_E.id == run.id, _E.user_id == run.user_id)
    ).one_or_none()
    if row is None:
        return None
    first = connection.execute(
        select(func.min(_M.number)).where(_M.chat_id == chat.id, _M.run_id == run.id)
    ).scalar()
    if first is None:
        raise Conflict(f"Run #{run.id} is no turn of this session.")
    record: ExecutionRecord = rows.execution_record(row, reader)
    return Turn(chat_id=chat.id, run=record, first=first, is_new=False)


def _require_rest(connection: Connection, chat: Chat) -> None:
    """Refuse a turn beside another one, or one too many."""
    if chat.messages >= MOST_MESSAGES:
        raise Conflict(f"A session has {MOST_MESSAGES} messages at most: begin another one.")
    if chat.run_id is None:
        return
    status = connection.execute(select(_E.status).where(_E.id == chat.run_id)).scalar()
    if status in _AT_WORK:
        raise Conflict(
            f"The copilot is still answering in this session: run #{chat.run_id} is {status}. Wait"
            " for its end, or stop it."
        )


def say(
    connection: Connection, user_id: UserId, chat_id: ChatId, message: ChatMessage, text: str
) -> None:
    """Add what a turn says; see UserChats.say."""
    told = connection.execute(
        update(chats)
        .where(
            _C.id == chat_id,
            _C.user_id == user_id,
            _C.run_id == message.run_id,
            _C.messages == message.number,
        )
        .values(messages=message.number + 1, updated_us=message.created_us)
    ).rowcount
    if told:
        _add_message(connection, chat_id, message.number, message.run_id, text, message)
        return
    there = connection.execute(
        select(_M.body)
        .join(chats, _C.id == _M.chat_id)
        .where(_M.chat_id == chat_id, _M.number == message.number, _C.user_id == user_id)
        .where(_M.run_id == message.run_id)
    ).scalar()
    if there != text:
        raise StaleAttempt


def _add_message(
    connection: Connection,
    chat_id: ChatId,
    number: int,
    run_id: ExecutionId,
    text: str,
    message: ChatMessage,
) -> None:
    connection.execute(
        insert(chat_messages).values(
            chat_id=chat_id,
            number=number,
            run_id=run_id,
            body=text,
            tokens=message.tokens,
            created_us=message.created_us,
        )
    )


def delete_old(connection: Connection, before_us: int, limit: int) -> int:
    """Delete rows of old conversations; see ChatRetention."""
    at_work = select(_E.id).where(_E.id == _C.run_id, _E.status.in_(_AT_WORK)).exists()
    wanted = {"before": before_us, "most": limit}
    ids = list(connection.execute(_OLD.where(~at_work), wanted).scalars())
    if not ids:
        return 0
    some = select(_M.chat_id, _M.number).where(_M.chat_id.in_(ids)).limit(limit)
    gone = connection.execute(
        delete(chat_messages).where(tuple_(_M.chat_id, _M.number).in_(some))
    ).rowcount
    if gone < limit:  # none of theirs is left
        gone += connection.execute(delete(chats).where(_C.id.in_(ids))).rowcount
    return gone


def _chat(row: Any) -> Chat:
    return Chat(
        id=ChatId(row.id),
        user_id=UserId(row.user_id),
        title=row.title,
        messages=row.messages,
        run_id=None if row.run_id is None else ExecutionId(row.run_id),
        created_us=row.created_us,
        updated_us=row.updated_us,
    )


def _message(row: Any) -> ChatMessage:
    return ChatMessage(
        number=row.number,
        run_id=ExecutionId(row.run_id),
        body=json.loads(row.body),
        tokens=row.tokens,
        created_us=row.created_us,
    )
