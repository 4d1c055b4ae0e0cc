"""`agpt credits`: the ledger of this server, shown and filled beside a running server or without."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option
from backend.cli.storage import with_storage
from backend.core.ids import DEFAULT_USER_ID, UserId

if TYPE_CHECKING:
    from backend.services.credits import CreditService

T = TypeVar("T")


@click.group(cls=HyphenGroup)
def credits() -> None:  # noqa: A001 - the command's name
    """Show and grant credits; they count where ENABLE_CREDIT is on."""


@credits.command()
@click.argument("user", default=DEFAULT_USER_ID, metavar="[USER]")
@json_option
@data_dir_option
def show(*, user: str, as_json: bool, data_dir: Path | None) -> None:
    """Show the balance of USER, or the owner's, and what changed it last."""
    from backend.api.wire.credits import transaction_form  # noqa: PLC0415 -- help does without

    async def look(service: "CreditService") -> tuple[int, list[dict[str, object]]]:
        balance = await service.balance(UserId(user))
        found = await service.history(UserId(user), limit=20)
        return balance, [transaction_form(one, UserId(user), balance) for one in found]

    balance, rows = _with_credits(data_dir, look)
    if as_json:
        print_json({"user_id": user, "credits": balance, "transactions": rows})
        return
    click.echo(f"{balance} credits")
    for row in rows:
        click.echo(
            f"{row['transaction_time']}  {row['transaction_type']:<6}  {row['amount']:+}  "
            f"{row['description'] or ''}"
        )


@credits.command()
@click.argument("user")
@click.argument("amount", type=int)
@click.option("--reason", default="Granted by the operator", help="Stands in the ledger.")
@json_option
@data_dir_option
def grant(*, user: str, amount: int, reason: str, as_json: bool, data_dir: Path | None) -> None:
    """Give USER so many credits; with an amount below zero (after --), take them."""
    with recorded("grant_credits", "user", user, user=user):
        balance, key = _with_credits(
            data_dir, lambda service: service.grant(UserId(user), amount, reason=reason)
        )
    if as_json:
        print_json({"user_id": user, "credits": balance, "transaction_key": key})
    else:
        click.echo(f"{balance} credits")


def _with_credits(data_dir: Path | None, work: "Callable[[CreditService], Awaitable[T]]") -> T:
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.wiring_library import credits_of  # noqa: PLC0415 -- the same

    return with_storage(
        data_dir, lambda settings, storage: work(credits_of(settings, storage, SystemClock()))
    )
