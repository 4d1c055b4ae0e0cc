"""`agpt completion`: the script that makes a shell complete the commands and options of agpt."""

from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

_HELP: Final = """
Print the script that makes SHELL complete commands and options when Tab is pressed.

\b
bash: agpt completion bash > ~/.local/share/bash-completion/completions/agpt
zsh:  agpt completion zsh > ~/.zfunc/_agpt    (~/.zfunc in fpath, before compinit)
fish: agpt completion fish > ~/.config/fish/completions/agpt.fish

It takes effect in the next shell.
"""
_SHELLS: Final = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(help=_HELP)
@click.argument("shell", type=click.Choice(list(_SHELLS)))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete agpt."""
    from backend.cli import main  # noqa: PLC0415 -- it lists this command

    made = _SHELLS[shell](main, {}, "agpt", "_AGPT_COMPLETE")
    # Not `source()`: for bash that looks for a bash here, which the script's reader may not have.
    click.echo(made.source_template % made.source_vars())
