"""The command `agpt`. Commands live in the modules of this package and load when they are used."""

import importlib
from typing import TYPE_CHECKING, Any, Final

import click

from backend import __version__
from backend.core.errors import AgentServerError
from backend.util.entry import refuse_windows

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from backend.cli.background import MainApp
    from backend.cli.pidfile import get_pid, get_pid_path, write_pid

__all__ = ["MainApp", "get_pid", "get_pid_path", "main", "write_pid"]

#: By name: where the command is, and its line in `agpt --help`, so that help imports nothing.
COMMANDS: Final = {
    "start": ("backend.cli.server:start", "Start the server in the background."),
    "stop": ("backend.cli.server:stop", "Stop the background server."),
    "status": ("backend.cli.server:status", "Say whether the server runs, and where."),
    "logs": ("backend.cli.logs:logs", "Show the logs of the services."),
    "run": ("backend.cli.run:run", "Run one agent and print its outputs; needs no server."),
    "import": ("backend.cli.graphs:import_", "Save agent files on the running server."),
    "export": ("backend.cli.graphs:export", "Print a graph of the running server as a file."),
    "chat": ("backend.cli.chat:chat", "Talk with the copilot of the running server."),
    "blocks": ("backend.cli.blocks:blocks", "Show the blocks of this installation; run one."),
    "models": ("backend.cli.models:models", "List the language models, and which have a key."),
    "new-block": ("backend.cli.blocks:new_block", "Write a package with a new block."),
    "schedule": (
        "backend.cli.schedules:schedule",
        "List, add, change, pause and remove schedules.",
    ),
    "alerts": ("backend.cli.alerts:alerts", "Say of which runs of an agent you are told."),
    "webhooks": ("backend.cli.webhooks:webhooks", "Show webhooks, and what was delivered."),
    "jobs": ("backend.cli.jobs:jobs", "Show and run the server's own jobs."),
    "user": ("backend.cli.users:user", "Say who may come in: accounts and passwords."),
    "config": ("backend.cli.config:config", "Show the settings; check what would stop a start."),
    "db": ("backend.cli.database:database", "Look at the database; bring it up to date."),
    "backup": ("backend.cli.backup:backup", "Write all rows and files into one archive."),
    "restore": ("backend.cli.backup:restore", "Put an archive of rows and files back."),
    "migrate": ("backend.cli.move:migrate", "Take all rows into another database."),
    "audit": ("backend.cli.audit:audit", "Show who changed what; check the log of it."),
    "notices": ("backend.cli.notices:notices", "Show which notices left, and send them again."),
    "secrets": ("backend.cli.secrets:secrets", "Check what is sealed; seal it with a new key."),
    "doctor": ("backend.cli.doctor:doctor", "Find rows that cannot be, and runs that do not move."),
    "pause": ("backend.cli.pauses:pause", "Hold a run, a graph or the whole server."),
    "resume": ("backend.cli.pauses:resume", "Let what is paused go on."),
    "pauses": ("backend.cli.pauses:pauses", "List what is paused."),
    "parked": ("backend.cli.parked:parked", "List runs that took their executor down too often."),
    "retry": ("backend.cli.parked:retry", "Let a run that is parked go on."),
    "selfcheck": (
        "backend.cli.selfcheck:selfcheck",
        "Kill a private server again and again, and prove it.",
    ),
    "why": ("backend.cli.why:why", "Say why a run does not move."),
    "test": ("backend.cli.testing:test", "Try a running server out."),
    "token": ("backend.cli.server:token", "Print a token for the owner of this server."),
    "key": ("backend.cli.keys:key", "Make, list, rotate and revoke API keys."),
    "oauth-app": (
        "backend.cli.oauth_apps:oauth_app",
        "Make, list and switch off apps that users may let in.",
    ),
    "budget": ("backend.cli.budgets:budget", "List, set and remove budgets of models."),
    "channels": (
        "backend.cli.channels:channels",
        "List, add, try out and remove channels of notices.",
    ),
    "usage": ("backend.cli.budgets:usage", "Show what was asked of models, and what it cost."),
    "credits": ("backend.cli.credits:credits", "Show and grant credits."),
    "files": ("backend.cli.files:files", "Take files into a bucket, and back."),
    "gen-encrypt-key": ("backend.cli.server:gen_encrypt_key", "Print a key for ENCRYPTION_KEY."),
    "completion": ("backend.cli.completion:completion", "Print what makes a shell complete agpt."),
}
#: Other names of commands: what one does with one thing is said with one word.
_ALIASES: Final = {"block": "blocks"}
#: What else this package offers, loaded on first use: it needs POSIX, and help does not.
_FACES: Final = {
    "MainApp": "backend.cli.background",
    "get_pid_path": "backend.cli.pidfile",
    "get_pid": "backend.cli.pidfile",
    "write_pid": "backend.cli.pidfile",
}


def __getattr__(name: str) -> Any:
    if name in _FACES:
        return getattr(importlib.import_module(_FACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class HyphenGroup(click.Group):
    """A group in whose names underscores count as hyphens."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return one command; None if there is no such one."""
        return super().get_command(ctx, cmd_name.replace("_", "-"))


class LazyGroup(click.Group):
    """
    A group whose commands load when they are used. Underscores in names count as hyphens.

    It is also where an error of ours becomes one sentence and exit code 1.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click
        """Return all names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click
        """Load one command; None if there is no such one."""
        name = cmd_name.replace("_", "-")
        place = COMMANDS.get(_ALIASES.get(name, name))
        if place is None:
            return None
        module, _, attribute = place[0].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete names without loading the commands: a key press must not wait for them."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 -- only shells ask

        names = [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        refuse_windows()
        try:
            return super().invoke(ctx)
        except AgentServerError as exc:
            click.echo(f"agpt: {exc}", err=True)
            ctx.exit(1)
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads any more
        except OSError as exc:
            click.echo(f"agpt: {exc.strerror or exc}: {exc.filename or 'output'}", err=True)
            ctx.exit(1)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agpt")
def main() -> None:
    """Draw agents as graphs of blocks, run them durably, watch them live."""
