"""Write docs/reference/cli.md, the page of all commands, from the commands themselves. `make reference`."""

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click

from backend.cli import main as agpt

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"
_OPENING = """
`agpt` is the command line. Names may be written with underscores too: `agpt test populate_db`. `agpt COMMAND --help`
says the same as this page. Results go to standard output, everything else to standard error. Exit code 0: done; 1: it
could not be done, and a sentence says why; 2: the command is wrong; 130: interrupted.

With `--json` a command prints one JSON object (`agpt schedule list`: one list; `agpt logs` and `agpt test websocket`:
an object a line) and nothing else on standard output. What goes wrong is told as without it: by a sentence on standard
error and by the exit code, never in JSON; a command that does several things prints what it did and what was refused
all the same. Bars for long work are shown on a terminal only.

Commands that ask a running server take this machine's own unless they are told another one. The token for that is made
from this machine's key and sent to this machine only; for other servers give one with `--token` or `AGPT_TOKEN`.
"""


def page() -> str:
    """Give the whole page."""
    commands = list(_commands(agpt, "agpt"))
    lines = [
        "# Command line",
        "",
        "<!-- Written by `make reference` from backend/cli. Do not edit. -->",
        _OPENING,
        "| command | what it does |",
        "|---|---|",
        *(f"| [`{name}`](#{name.replace(' ', '-')}) | {_short(one)} |" for name, one in commands),
    ]
    for name, command in commands:
        lines += _section(name, command)
    return "\n".join([*lines, ""])


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def _commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands that do something, in the order of the help."""
    context = click.Context(group, info_name=name)
    for one in group.list_commands(context):
        command = group.get_command(context, one)
        assert command is not None, one
        if isinstance(command, click.Group):
            yield from _commands(command, f"{name} {one}")
        else:
            yield f"{name} {one}", command


def _section(name: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=name)
    yield from ("", f"## {name}", "")
    yield from ("```text", " ".join([name, *command.collect_usage_pieces(context)]), "```", "")
    yield from _text(command.help or "")
    rows = [
        row
        for one in command.params
        if isinstance(one, click.Option) and (row := one.get_help_record(context)) is not None
    ]
    if rows:
        yield from ("", "| option | meaning |", "|---|---|")
        yield from (f"| `{_cell(left)}` | {_cell(right)} |" for left, right in rows)


def _text(text: str) -> Iterator[str]:
    """Yield paragraphs one a line; those that click leaves as they are become a block."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", cleandoc(text))):
        if number:
            yield ""
        if paragraph.startswith("\b"):
            yield from ("```text", *paragraph.removeprefix("\b").strip().splitlines(), "```")
        else:
            yield " ".join(paragraph.split())


def _short(command: click.Command) -> str:
    """Give the first sentence of a command's help, whole."""
    first = " ".join((command.help or "").strip().split("\n\n")[0].split())
    return _cell(re.split(r"(?<=[.;:])\s", first)[0].rstrip(".;:") + ".")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


if __name__ == "__main__":
    sys.exit(main())
