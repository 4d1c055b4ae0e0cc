"""What holds of all commands: spellings, help, completion, and how light the first word is."""

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from backend.cli import COMMANDS, HyphenGroup, main
from backend.cli.trying import inputs_of

#: What may not be loaded for `agpt --help`: each costs more than all the rest of it.
HEAVY = (
    "pydantic",
    "sqlalchemy",
    "httpx2",
    "asyncio",
    "structlog",
    "psutil",
    "cryptography",
    "jinja2",
)
HELP_BY_CLICK = 2.0
#: Commands that print nothing for programs, with the reason.
WITHOUT_JSON = {
    ("completion",): "a script, which only a shell reads",
    ("notices", "preview"): "a letter, in the form that is asked for",
}


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


def output_of(code: str, *, stream: str = "stdout") -> str:
    """Return what a fresh Python says when it runs *code*."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return str(getattr(ended, stream))


ALL = dict(commands(main))


@pytest.mark.parametrize("path", [path for path in ALL if "-" in "".join(path)], ids=" ".join)
def test_underscores_will_do_for_hyphens(path: tuple[str, ...]) -> None:
    spelled = [name.replace("-", "_") for name in path]

    ended = CliRunner().invoke(main, [*spelled, "--help"])

    assert ended.exit_code == 0
    assert ended.stdout.startswith("Usage: ")


def test_every_group_may_spell_its_commands_so() -> None:
    group = HyphenGroup("group", commands={"two-words": click.Command("two-words")})
    context = click.Context(group)

    assert group.get_command(context, "two_words") is group.get_command(context, "two-words")
    assert group.get_command(context, "three_words") is None


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_says_what_it_does(path: tuple[str, ...]) -> None:
    command = ALL[path]

    assert (command.help or "").strip().split("\n")[0].rstrip().endswith((".", ":", ";", ","))


@pytest.mark.parametrize(
    "path",
    [path for path, one in ALL.items() if not isinstance(one, click.Group)],
    ids=" ".join,
)
def test_every_command_has_a_form_for_programs(path: tuple[str, ...]) -> None:
    takes = "--json" in {option for one in ALL[path].params for option in one.opts}

    assert takes != (path in WITHOUT_JSON)


def test_the_help_of_agpt_is_made_of_the_help_of_its_commands() -> None:
    # The lines stand in a table, so that help loads nothing: they must not say something else.
    assert all(text.endswith(".") for _, text in COMMANDS.values())
    assert list(COMMANDS) == [path[0] for path in ALL if len(path) == 1]


def test_help_loads_nothing_heavy_and_is_quick() -> None:
    cpu_s = "print(time.process_time(), file=sys.stderr)"
    bare = f"import sys, time, click\n{cpu_s}"
    code = (
        "import sys, time; sys.argv = ['agpt', '--help']\n"
        "from backend.cli import main\n"
        "main(standalone_mode=False)\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n{cpu_s}"
    )

    spent, needed = [], []
    for _ in range(3):
        needed.append(float(output_of(bare, stream="stderr")))
        words = output_of(code, stream="stderr").split()
        spent.append(float(words.pop()))
        assert words == []

    # The best of three, by that of its library alone: how fast the machine is, is not ours.
    assert min(spent) < HELP_BY_CLICK * min(needed)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    ended = CliRunner().invoke(main, ["completion", shell])

    assert ended.exit_code == 0
    assert f"_AGPT_COMPLETE={shell}_complete" in ended.stdout
    assert " agpt" in ended.stdout


def test_an_unknown_shell_is_refused() -> None:
    ended = CliRunner().invoke(main, ["completion", "cmd"])

    assert ended.exit_code == 2
    assert "'cmd' is not one of 'bash', 'zsh', 'fish'" in ended.stderr


@pytest.mark.parametrize(
    ("words", "incomplete", "offered"),
    [
        ([], "d", ["db", "doctor"]),
        (["db"], "c", ["check", "compact", "current"]),
        (["schedule", "add"], "--time", ["--timezone"]),
        (["completion"], "", ["bash", "fish", "zsh"]),
        ([], "--v", ["--version"]),
    ],
)
def test_a_shell_is_offered_what_may_follow(
    words: list[str], incomplete: str, offered: list[str]
) -> None:
    completed = ShellComplete(main, {}, "agpt", "_AGPT_COMPLETE").get_completions(words, incomplete)

    assert sorted(one.value for one in completed) == offered


def test_names_are_completed_without_loading_their_commands() -> None:
    code = (
        "import sys\nfrom backend.cli import main\n"
        "main.shell_complete(main.make_context('agpt', [], resilient_parsing=True), '')\n"
        "print(*[name for name in sys.modules if name.startswith('backend.cli.')])"
    )

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == []


def test_a_text_goes_into_each_input_that_takes_any_text() -> None:
    pins = {
        "any": {"title": "Any"},
        "text": {"type": "string"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "number": {"type": "integer"},
        "list": {"type": "array", "items": {}},
        "choice": {"type": "string", "enum": ["a"]},
        "day": {"type": "string", "format": "date"},
    }

    assert inputs_of({"properties": pins}, "hi") == {"any": "hi", "text": "hi", "maybe": "hi"}
    assert inputs_of({}, "hi") == {}
