"""The ledger: a balance a user, and a row for each of its changes, in one transaction."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from backend.adapters.storage import notices
from backend.adapters.storage.database import Database
from backend.adapters.storage.dialects import insert_on
from backend.adapters.storage.tables_credits import credit_balances, credit_transactions
from backend.core.credits import (
    MAX_BALANCE,
    Charge,
    Transaction,
    TransactionType,
    refill_key,
)
from backend.core.errors import BadRequest, InsufficientBalance
from backend.core.ids import UserId
from backend.core.notices import low_balance, zero_balance

_B: Final = credit_balances.c
_T: Final = credit_transactions.c


class SqlLedger:
    """See backend.ports.credits.Ledger."""

    def __init__(
        self, database: Database, *, refill: int = 0, low: int = 0, billing_url: str = ""
    ) -> None:
        """
        Use the tables of *database*; fill each balance up to *refill* once a month.

        Users are told when a charge leaves them with less than *low*, and when a node cannot be
        paid for; what they are told names *billing_url*.
        """
        self.database = database
        self.refill = refill
        self._low = low
        self._billing_url = billing_url

    def of(self, user_id: UserId) -> "SqlUserLedger":
        return SqlUserLedger(self, user_id)

    async def charge(self, charge: Charge, *, now_us: int) -> None:
        try:
            await self.database.write(lambda c: self._take(c, charge, now_us))
        except InsufficientBalance:
            if charge.graph_id is not None:
                await self.database.write(lambda c: self._tell_refused(c, charge, now_us))
            raise

    def _take(self, connection: Connection, charge: Charge, now_us: int) -> None:
        left = take(connection, charge, now_us, self.refill)
        if left is not None and left < self._low <= left + charge.amount:
            told = low_balance(
                key=charge.key,
                user_id=charge.user_id,
                balance=left,
                billing_url=self._billing_url,
                now_us=now_us,
            )
            notices.add(connection, [told])

    def _tell_refused(self, connection: Connection, charge: Charge, now_us: int) -> None:
        told = zero_balance(
            charge,
            balance=_balance(connection, charge.user_id),
            since=_last_income(connection, charge.user_id),
            billing_url=self._billing_url,
            now_us=now_us,
        )
        notices.add(connection, [told])


class SqlUserLedger:
    """See backend.ports.credits.UserLedger."""

    def __init__(self, ledger: SqlLedger, user_id: UserId) -> None:
        self._ledger = ledger
        self._user_id = user_id

    async def balance(self, *, now_us: int) -> int:
        database, user_id, refill = self._ledger.database, self._user_id, self._ledger.refill
        filled, found = await database.read(lambda c: _looked(c, user_id, refill_key(now_us)))
        if filled or not refill:
            return found
        return await database.write(lambda c: refilled(c, user_id, refill, now_us))

    async def grant(self, amount: int, *, key: str, reason: str, now_us: int) -> int:
        return await self._ledger.database.write(
            lambda c: add(c, self._user_id, key, TransactionType.GRANT, amount, now_us, reason)
        )

    async def history(
        self, *, before_us: int | None, kind: TransactionType | None, limit: int
    ) -> list[Transaction]:
        return await self._ledger.database.read(
            lambda c: history(c, self._user_id, before_us, kind, limit)
        )


def _looked(connection: Connection, user_id: UserId, key: str) -> tuple[bool, int]:
    return _is_known(connection, user_id, key), _balance(connection, user_id)


def _is_known(connection: Connection, user_id: UserId, key: str) -> bool:
    known = connection.execute(select(_T.key).where(_T.user_id == user_id, _T.key == key)).first()
    return known is not None


def _balance(connection: Connection, user_id: UserId) -> int:
    found = connection.execute(select(_B.balance).where(_B.user_id == user_id)).scalar()
    return int(found or 0)


def _last_income(connection: Connection, user_id: UserId) -> str:
    """Return the key of the last row that brought a user credits; empty if there is none."""
    income = (TransactionType.TOP_UP.value, TransactionType.GRANT.value)
    found = connection.execute(
        select(_T.key)
        .where(_T.user_id == user_id, _T.type.in_(income), _T.amount > 0)
        .order_by(_T.created_us.desc(), _T.key)
        .limit(1)
    ).scalar()
    return found or ""


def take(connection: Connection, charge: Charge, now_us: int, refill: int) -> int | None:
    """Take a charge, once, and return what is left; None if it was taken before."""
    if _is_known(connection, charge.user_id, charge.key):
        return None
    if refill:
        refilled(connection, charge.user_id, refill, now_us)  # nobody may have looked this month
    taken = connection.execute(
        update(credit_balances)
        .where(_B.user_id == charge.user_id, _B.balance >= charge.amount)
        .values(balance=_B.balance - charge.amount)
    ).rowcount
    left = _balance(connection, charge.user_id)
    if not taken:
        raise InsufficientBalance(
            f"Insufficient balance: {charge.block} costs {charge.amount} credits, "
            f"and there are {left}."
        )
    connection.execute(
        insert(credit_transactions).values(
            user_id=charge.user_id,
            key=charge.key,
            type=TransactionType.USAGE.value,
            amount=-charge.amount,
            balance=left,
            created_us=now_us,
            reason=charge.block,
            graph_id=charge.graph_id,
            run_id=charge.run_id,
        )
    )
    return left


def add(
    connection: Connection,
    user_id: UserId,
    key: str,
    kind: TransactionType,
    amount: int,
    now_us: int,
    reason: str,
) -> int:
    """Add to a balance, once, and return it; see UserLedger.grant."""
    before = _balance(connection, user_id)
    if _is_known(connection, user_id, key):
        return before
    after = before + amount
    if after < 0:
        raise InsufficientBalance(f"Insufficient balance: there are {before} credits.")
    if after > MAX_BALANCE:
        raise BadRequest(f"a balance is at most {MAX_BALANCE} credits")
    connection.execute(
        insert_on(connection, credit_balances)
        .values(user_id=user_id, balance=after)
        .on_conflict_do_update(index_elements=["user_id"], set_={"balance": after})
    )
    connection.execute(
        insert(credit_transactions).values(
            user_id=user_id,
            key=key,
            type=kind.value,
            amount=amount,
            balance=after,
            created_us=now_us,
            reason=reason,
        )
    )
    return after


def refilled(connection: Connection, user_id: UserId, refill: int, now_us: int) -> int:
    """Fill a balance up to *refill*, once a month, and return it."""
    missing = max(0, refill - _balance(connection, user_id))
    kind, key = TransactionType.TOP_UP, refill_key(now_us)
    return add(connection, user_id, key, kind, missing, now_us, "Monthly refill")


def history(
    connection: Connection,
    user_id: UserId,
    before_us: int | None,
    kind: TransactionType | None,
    limit: int,
) -> list[Transaction]:
    """Return the newest rows; see UserLedger.history."""
    query = select(credit_transactions).where(_T.user_id == user_id)
    if before_us is not None:
        query = query.where(_T.created_us < before_us)
    if kind is not None:
        query = query.where(_T.type == kind.value)
    found = connection.execute(query.order_by(_T.created_us.desc(), _T.key).limit(limit)).all()
    rows: dict[str, list[Row[Any]]] = {}
    for row in found:
        rows.setdefault(row.run_id or row.key, []).append(row)
    return [_grouped(key, of_one) for key, of_one in rows.items()]


def _grouped(key: str, found: Sequence[Row[Any]]) -> Transaction:
    newest = found[0]
    is_usage = newest.type == TransactionType.USAGE.value
    return Transaction(
        key=key,
        type=TransactionType(newest.type),
        amount=sum(row.amount for row in found),
        balance=newest.balance,
        at_us=newest.created_us,
        reason=newest.reason,
        graph_id=newest.graph_id,
        run_id=newest.run_id,
        count=len(found) if is_usage else 0,
        first_us=found[-1].created_us if is_usage else None,
    )
