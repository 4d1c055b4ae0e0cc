"""`agpt chat`: talk with the copilot of a running server, in a terminal or from a script."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from backend.cli.chat_turns import Told, Turn
from backend.cli.client import Server, data_dir_overrides, server_at
from backend.cli.options import json_option, print_json
from backend.cli.schedule_options import server_options
from backend.core.clean_text import one_line, without_deceit
from backend.core.errors import AgentServerError

INTERRUPTED: Final = 130
_SESSIONS: Final = "/api/chat/sessions"
#: Sessions that are listed; there may be more.
_LISTED: Final = 50
#: A question that comes from standard input, in characters: the server takes no longer one.
_MOST: Final = 100_000
_END: Final = ("/exit", "/quit")


@click.command()
@click.argument("question", required=False)
@click.option("--session", metavar="ID", help="Go on with that session; else a new one begins.")
@click.option("--list", "is_list", is_flag=True, help="List your sessions, last changed first.")
@json_option
@server_options
def chat(
    *,
    question: str | None,
    session: str | None,
    is_list: bool,
    as_json: bool,
    server: str | None,
    token: str | None,
    data_dir: Path | None,
) -> None:
    """
    Ask the copilot QUESTION and print its answer; without one, talk with it line by line.

    QUESTION `-` is read from standard input to its end. The answer goes to standard output, what
    the copilot does meanwhile and the id of the session to standard error. Ctrl-C stops an answer,
    Ctrl-D or /exit ends the talk; the session stays, and --session goes on with it.

    Exit code 1: it was not answered. 130: it was interrupted.
    """
    if is_list and (question is not None or session is not None):
        raise click.UsageError("--list goes without a QUESTION and --session.")
    with server_at(server, token, data_dir_overrides(data_dir)) as running:
        if is_list:
            _list(running, as_json=as_json)
            return
        talk = _Talk(running, session, as_json=as_json)
        if question is None:
            _talk(talk)
        elif not talk.ask(_whole(question)):
            sys.exit(INTERRUPTED if talk.was_stopped else 1)


def _list(running: Server, *, as_json: bool) -> None:
    found = running.ask("GET", f"{_SESSIONS}?limit={_LISTED}")
    if as_json:
        print_json(found)
        return
    for one in found["sessions"]:
        title = one_line(one["title"] or "nothing was said yet", most=100)
        click.echo(f"{one['id']}  {one['updated_at'][:16].replace('T', ' ')}  {title}")
    if not found["sessions"]:
        click.echo("There is no session; `agpt chat` begins one.", err=True)
    elif found["total"] > _LISTED:
        click.echo(f"... and {found['total'] - _LISTED} more", err=True)


def _whole(question: str) -> str:
    """Return a question, read from standard input where it is to be found there."""
    text = sys.stdin.read(_MOST + 1) if question == "-" else question
    if not text.strip():
        raise click.UsageError("The question is empty.")
    return text


def _talk(talk: "_Talk") -> None:
    """Ask each line that comes; exit with 1 if nobody is at the other end and one went wrong."""
    is_watched = sys.stdin.isatty()
    if is_watched:
        talk.recall()
    is_good = True
    for line in _lines(is_watched=is_watched):
        if line in _END:
            break
        is_good = _answered(talk, line, is_watched=is_watched)
        if not is_good and not is_watched:
            break
    talk.say_how_to_go_on()
    if not is_good and not is_watched:
        sys.exit(INTERRUPTED if talk.was_stopped else 1)


def _answered(talk: "_Talk", line: str, *, is_watched: bool) -> bool:
    """Ask one line. A talk that somebody watches goes on after what went wrong with one."""
    try:
        return talk.ask(line)
    except AgentServerError as exc:
        if not is_watched or not talk.session:
            raise
        click.echo(f"agpt: {exc}", err=True)
        return False


def _lines(*, is_watched: bool) -> Iterator[str]:
    """Yield what is typed, without empty lines, until it ends."""
    if is_watched:
        with suppress(ImportError):
            # Loaded, it lets lines be edited, and earlier ones be found with the arrows.
            import readline  # noqa: F401, PLC0415 -- not everywhere, and help does without
    while True:
        try:
            line = input("> " if is_watched else "").strip()
        except (EOFError, KeyboardInterrupt):
            if is_watched:
                click.echo(err=True)
            return
        if line:
            yield line


class _Talk:
    """One session, begun with the first question if it is not named."""

    def __init__(self, running: Server, session: str | None, *, as_json: bool) -> None:
        self.session = session or ""
        self.was_stopped = False
        self._running = running
        self._as_json = as_json

    def ask(self, text: str) -> bool:
        """Ask, show the answer as it comes, and say whether it came whole."""
        if not self.session:
            self.session = str(self._running.ask("POST", _SESSIONS)["id"])
            if not self._as_json and not sys.stdin.isatty():
                click.echo(f"session {self.session}", err=True)
        turn = Turn(self._running, f"{_SESSIONS}/{quote(self.session, safe='')}/stream", text)
        shown, self.was_stopped = _Shown(is_quiet=self._as_json), False
        try:
            for told in turn.told():
                shown.show(told)
        except KeyboardInterrupt:
            turn.stop()
            self.was_stopped = True
        shown.end()
        if self._as_json:
            print_json({"session_id": self.session, **turn.form()})
        if turn.problem:
            raise AgentServerError(turn.problem)
        if self.was_stopped:
            click.echo("agpt: the answer was stopped.", err=True)
        return not self.was_stopped

    def recall(self) -> None:
        """Show what was last said in a session that goes on."""
        if not self.session:
            return
        path = f"{_SESSIONS}/{quote(self.session, safe='')}"
        said = [one for one in self._running.ask("GET", path)["messages"] if one.get("content")]
        last: dict[str, str] = {one["role"]: str(one["content"]) for one in said}
        for role, sign in (("user", "> "), ("assistant", "")):
            if role in last:
                click.echo(f"{sign}{without_deceit(last[role])}")

    def say_how_to_go_on(self) -> None:
        """Say by which words the session goes on, to who sits at a terminal."""
        if self.session and sys.stdin.isatty():
            click.echo(f"agpt chat --session {self.session} goes on with this.", err=True)


class _Shown:
    """What of a turn is on the screen."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._is_open = False  # a line of the answer has begun

    def show(self, told: Told) -> None:
        """Show a piece of the answer, or what is done meanwhile."""
        if self._is_quiet:
            return
        if told.is_text:
            # It may repeat what a stranger has written: a terminal must not obey it.
            text = without_deceit(told.text)
            if text:
                click.echo(text, nl=False)
                self._is_open = not text.endswith("\n")
            return
        self.end()
        line = one_line(told.text, most=200)
        click.echo(click.style(f"  {line}", dim=True), err=True)

    def end(self) -> None:
        """End the line that is open."""
        if self._is_open:
            click.echo()
            self._is_open = False
