"""`agpt selfcheck`: kills a private server, or cluster, again and again, on this machine and its storage."""

import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import click

from backend.cli.options import FiniteRange, json_option, print_json

INTERRUPTED: Final = 130
_MOST_KILLS: Final = 100_000
_MOST_MINUTES: Final = 7 * 24 * 60
#: Drawn when none is given: short enough to be typed again.
_SEEDS: Final = 1_000_000
#: A tenth is told where no bar can be shown.
_PARTS: Final = 10


@click.command()
@click.option(
    "--kills",
    type=click.IntRange(1, _MOST_KILLS),
    default=60,
    show_default=True,
    help="How often something is killed: one process, several, or all.",
)
@click.option(
    "--minutes",
    type=FiniteRange(0, _MOST_MINUTES, min_open=True),
    help="Spread the kills over so long; else as fast as the server comes back.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    help="The same seed plans the same runs and kills; else one is drawn and told.",
)
@click.option(
    "--data-dir",
    "parent",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    metavar="PARENT",
    help="Make the private folder in there: on the disk that is to be checked.",
)
@click.option("--keep", is_flag=True, help="Keep the private folder whatever is found.")
@click.option(
    "--database",
    metavar="URL",
    help="Check a cluster, with a database of its own on this server: postgresql://…",
)
@click.option(
    "--broker", metavar="URL", help="The broker of that cluster: amqp://…; goes with --database."
)
@json_option
def selfcheck(
    *,
    kills: int,
    minutes: float | None,
    seed: int | None,
    parent: Path | None,
    keep: bool,
    database: str | None,
    broker: str | None,
    as_json: bool,
) -> None:
    """
    Kill a private server again and again while agents run, and prove that nothing was lost.

    It has a folder and ports of its own; a server that runs is left alone, and so is its data.
    What is killed, and when, is drawn from the seed. The folder is removed at the end unless a
    rule was broken.

    With --database and --broker it is a cluster of five members, three of them with an executor.
    It has a database of its own there, which is dropped at the end, and other names at the broker
    than any other installation.

    Exit code 0: all rules hold. 1: one is violated, or the server could not be started. 2: the
    command is wrong. 130: it was interrupted.
    """
    _refuse_haste(kills, minutes)
    servers = _servers(database, broker)
    from backend.selfcheck.check import Order, selfcheck  # noqa: PLC0415 -- `agpt --help` does without
    from backend.selfcheck.report import as_data, as_lines  # noqa: PLC0415 -- the same

    chosen = random.randrange(_SEEDS) if seed is None else seed  # noqa: S311 -- a plan, no secret
    order = Order(
        seed=chosen, kills=kills, minutes=minutes, parent=parent, keep=keep, servers=servers
    )
    click.echo(f"Checking with seed {chosen}: {kills} kills.", err=True)
    try:
        with _terminate_as_interrupt(), _progress(kills) as on_kill:
            report = selfcheck(order, on_kill=on_kill)
    except KeyboardInterrupt:
        click.echo("agpt: interrupted; nothing of the check is left.", err=True)
        sys.exit(INTERRUPTED)
    if as_json:
        print_json(as_data(report))
    else:
        for line in as_lines(report):
            click.echo(line)
    if not report.is_clean:
        sys.exit(1)


def _servers(database: str | None, broker: str | None) -> tuple[str, str] | None:
    if database is None and broker is None:
        return None
    if not database or not broker:
        raise click.UsageError("--database and --broker go together.")
    for option, url, schemes in (
        ("--database", database, ("postgresql", "postgres")),
        ("--broker", broker, ("amqp", "amqps")),
    ):
        if url.partition("://")[0] not in schemes:
            raise click.UsageError(f"{option} begins with {schemes[0]}://")
    return database, broker


def _refuse_haste(kills: int, minutes: float | None) -> None:
    from backend.selfcheck.plan import MOST_A_MINUTE  # noqa: PLC0415 -- `agpt --help` does without

    if minutes is None:
        return
    if kills > minutes * MOST_A_MINUTE:
        raise click.UsageError(
            f"{kills} kills do not fit into {minutes:g} minutes: at most {MOST_A_MINUTE} a minute."
        )


@contextmanager
def _progress(kills: int) -> Iterator[Callable[[], None]]:
    """Show a bar on a terminal, and elsewhere a line now and then."""
    if sys.stderr.isatty():
        with click.progressbar(length=kills, label="kills", file=sys.stderr) as bar:
            yield lambda: bar.update(1)
        return
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done * _PARTS // kills != (done - 1) * _PARTS // kills:
            click.echo(f"{done} of {kills} kills", err=True)

    yield count


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does: the private server must not stay behind."""

    def interrupt(_: int, __: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
