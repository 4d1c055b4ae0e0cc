"""`agpt budget`, `agpt usage`: what language models may cost, and what they have; with a server or without."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from backend.cli import HyphenGroup
from backend.cli.options import FiniteRange, json_option, print_json
from backend.cli.recorded import recorded
from backend.cli.server import data_dir_option
from backend.cli.storage import with_storage
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import DEFAULT_USER_ID, GraphId, UserId

if TYPE_CHECKING:
    from backend.adapters.storage import SqlStorage
    from backend.core.budgets import BudgetKind

T = TypeVar("T")
_Command = Callable[..., Any]

_MICRO: Final = 1_000_000
_LISTED: Final = 10_000


def _which(command: _Command) -> _Command:
    """Add the options that name one budget."""
    for option in (
        click.option("--total", is_flag=True, help="For ever, not a day; a run's always is."),
        click.option(
            "--unit",
            type=click.Choice(["money", "tokens", "calls"]),
            default="money",
            show_default=True,
            help="What is counted; money is US dollars.",
        ),
        click.option("--run", "run_id", help="Of one run, with all that it runs."),
        click.option("--graph", "graph_id", help="Of one agent, with all that it runs."),
        click.option("--user", default=DEFAULT_USER_ID, help="Whose; the owner's if not given."),
    ):
        command = option(command)
    return command


@click.group(cls=HyphenGroup)
def budget() -> None:
    """List, set and remove budgets of language models."""


@budget.command(name="list")
@click.argument("user", default=DEFAULT_USER_ID, metavar="[USER]")
@json_option
@data_dir_option
def list_(*, user: str, as_json: bool, data_dir: Path | None) -> None:
    """List the budgets of USER, or the owner's, as they stand."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.budgets import SqlBudgets  # noqa: PLC0415 -- the same
    from backend.core.budgets import amount_words, kind_words  # noqa: PLC0415 -- the same

    now_us = SystemClock().now_us()
    found = _with_storage(
        data_dir,
        lambda storage: SqlBudgets(storage.database).listed(
            UserId(user), now_us=now_us, limit=_LISTED
        ),
    )
    if as_json:
        print_json([_form(one) for one in found])
        return
    if not found:
        click.echo("There is no budget.")
    for one in found:
        unit = one.kind.unit
        held = f", {amount_words(one.reserved, unit)} reserved" if one.reserved else ""
        waiting = f"; {one.waiting} steps wait for it" if one.waiting else ""
        click.echo(
            f"{kind_words(one.kind)}: {amount_words(one.used, unit)} of"
            f" {amount_words(one.limit, unit)} used{held}{waiting}"
        )


@budget.command(name="set")
@click.argument("limit", type=FiniteRange(min=0))
@_which
@json_option
@data_dir_option
def set_(*, limit: float, as_json: bool, data_dir: Path | None, **which: Any) -> None:
    """Set a budget, or its limit anew; who waits for it goes on by itself."""
    from backend.adapters.clock import SystemClock  # noqa: PLC0415 -- help does without
    from backend.adapters.storage.budgets import SqlBudgets  # noqa: PLC0415 -- the same
    from backend.core.budgets import (  # noqa: PLC0415 -- the same
        MAX_LIMIT,
        BudgetUnit,
        amount_words,
        kind_words,
    )

    kind = _kind(**which)
    exact = limit * _MICRO if kind.unit is BudgetUnit.MONEY else limit
    amount = round(exact)
    if kind.unit is not BudgetUnit.MONEY and amount != exact:
        raise BadRequest(f"a budget of {kind.unit} is a whole number")
    if limit and not amount:
        raise BadRequest("the smallest budget of money is 0.000001 USD; 0 allows nothing at all")
    if amount > MAX_LIMIT:
        raise BadRequest("no budget is so large; remove it instead")
    now_us = SystemClock().now_us()
    with recorded("set_budget", "user", kind.user_id, user=kind.user_id):
        made = _with_storage(
            data_dir,
            lambda storage: SqlBudgets(storage.database).set(kind, amount, now_us=now_us),
        )
    if as_json:
        print_json(_form(made))
        return
    click.echo(f"{kind_words(kind)}: {amount_words(amount, kind.unit)}")


@budget.command()
@_which
@json_option
@data_dir_option
def remove(*, as_json: bool, data_dir: Path | None, **which: Any) -> None:
    """Remove a budget that `agpt budget set` has set; who waits for it goes on by itself."""
    from backend.adapters.storage.budgets import SqlBudgets  # noqa: PLC0415 -- help does without
    from backend.core.budgets import kind_words  # noqa: PLC0415 -- the same

    kind = _kind(**which)
    with recorded("remove_budget", "user", kind.user_id, user=kind.user_id):
        was_there = _with_storage(
            data_dir, lambda storage: SqlBudgets(storage.database).remove(kind)
        )
    if not was_there:
        raise NotFound(f"There is no {kind_words(kind)}; `agpt budget list` shows what there is.")
    if as_json:
        print_json({"removed": True})
        return
    click.echo(f"{kind_words(kind)}: removed")


@click.command()
@click.argument("user", default=DEFAULT_USER_ID, metavar="[USER]")
@click.option(
    "--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Up to today, UTC."
)
@click.option("--graph", "graph_id", help="Of one agent alone.")
@json_option
@data_dir_option
def usage(
    *, user: str, days: int, graph_id: str | None, as_json: bool, data_dir: Path | None
) -> None:
    """Show what the agents of USER, or the owner's, have asked of language models."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415 -- help does without

    from backend.adapters.storage.usage import SqlUsage  # noqa: PLC0415 -- the same
    from backend.core.node_steps import NO_USE  # noqa: PLC0415 -- the same

    today = datetime.now(UTC)
    found = _with_storage(
        data_dir,
        lambda storage: SqlUsage(storage.database).of(
            UserId(user),
            first=f"{today - timedelta(days=days - 1):%Y-%m-%d}",
            last=f"{today:%Y-%m-%d}",
            graph_id=None if graph_id is None else GraphId(graph_id),
            limit=_LISTED,
        ),
    )
    total = sum((one.use for one in found), NO_USE)
    rows = [(one.day, one.graph_id or "all agents", one.model, one.use) for one in found]
    if as_json:
        from backend.api.wire.budgets import day_form, use_form  # noqa: PLC0415 -- the same

        days_ = [day_form(one) for one in found]
        print_json({"user_id": user, "total": use_form(total), "days": days_})
        return
    for day, graph, model, use in [*rows, ("in all", "", "", total)]:
        click.echo(
            f"{day:<10}  {graph:<36}  {model:<24}  {use.calls:>7} calls"
            f"  {use.input_tokens + use.output_tokens:>10} tokens"
            f"  {use.cost_micro_usd / _MICRO:.6f} USD".replace("  " + " " * 36, "  ")
            + (f"  {use.cached_calls} cached" if use.cached_calls else "")
            + (f"  {use.estimated_calls} estimated" if use.estimated_calls else "")
        )


def _form(one: Any) -> dict[str, Any]:
    kind = one.kind
    return {
        "id": one.id,
        "user_id": kind.user_id,
        "set_by": kind.set_by.value,
        "scope": kind.scope.value,
        "scope_id": kind.scope_id or None,
        "period": kind.period.value,
        "unit": kind.unit.value,
        "limit": one.limit,
        "used": one.used,
        "reserved": one.reserved,
        "waiting": one.waiting,
    }


def _kind(
    *, user: str, graph_id: str | None, run_id: str | None, unit: str, total: bool
) -> "BudgetKind":
    from backend.core.budgets import (  # noqa: PLC0415 -- help does without
        BudgetKind,
        BudgetPeriod,
        BudgetScope,
        BudgetSetter,
        BudgetUnit,
    )

    if graph_id and run_id:
        raise BadRequest("a budget is of an agent or of a run: give one of --graph and --run")
    scope = BudgetScope.USER
    if graph_id or run_id:
        scope = BudgetScope.GRAPH if graph_id else BudgetScope.RUN
    return BudgetKind(
        user_id=user,
        set_by=BudgetSetter.OPERATOR,
        scope=scope,
        scope_id=graph_id or run_id or "",
        period=BudgetPeriod.TOTAL if total or run_id else BudgetPeriod.DAY,
        unit=BudgetUnit(unit),
    )


def _with_storage(data_dir: Path | None, work: "Callable[[SqlStorage], Awaitable[T]]") -> T:
    """Return what *work* does with the database, beside a running server or without one."""
    return with_storage(data_dir, lambda _, storage: work(storage))
