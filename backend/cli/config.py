"""`agpt config`: every setting with its source, and everything that would stop a start."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from backend.cli import HyphenGroup
from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of

if TYPE_CHECKING:
    from backend.settings import Settings

#: By the first setting of each group: its title. A new setting is in the group in which it stands.
GROUPS: Final = {
    "agpt_data_dir": "Where things are",
    "agent_api_host": "Addresses",
    "enable_auth": "Who may do what",
    "num_graph_workers": "Work",
    "trust_endpoints_for_requests": "The world outside",
    "app_env": "Running it",
    "jwt_jwks_url": "Signing in",
    "openai_api_key": "Language models",
    "airtable_client_id": "Providers of accounts that people connect",
}
_MASK: Final = "***"
_LOGIN: Final = re.compile(r"(://[^/@:\s]*:)[^/@\s]+(?=@)")
#: PostgreSQL takes passwords there too: its own, and that of a key.
_PARAMETER: Final = re.compile(r"([?&](?:ssl)?password=)[^&#\s]+")


@click.group(cls=HyphenGroup)
def config() -> None:
    """Show the settings; check what would stop a start."""


@config.command()
@json_option
@data_dir_option
def show(*, as_json: bool, data_dir: Path | None) -> None:
    """
    Print every setting with its value and where that comes from. Secrets are not shown.

    Makes the data directory and its keys if they are not there, as a start does.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without

    settings, sources = load_settings(overrides_of(data_dir))
    rows = list(_rows(settings, sources))
    if as_json:
        print_json({"settings": rows})
        return
    width = max(len(row["name"]) for row in rows)
    shown = {row["name"]: _text(row["value"]) for row in rows}
    values = min(max(map(len, shown.values())), 40)
    group = ""
    for row in rows:
        if row["group"] != group:
            click.echo(("\n" if group else "") + row["group"])
            group = row["group"]
        click.echo(f"  {row['name']:<{width}}  {shown[row['name']]:<{values}}  {row['source']}")


@config.command()
@json_option
@data_dir_option
def check(*, as_json: bool, data_dir: Path | None) -> None:
    """
    Check everything that would stop a start, and list all of it.

    The settings, the data directory, its keys, the ports, the database, and the broker, the mail
    server and the store of files if they are set. Exit code 1: something is wrong.
    """
    from backend.cli.config_check import examine  # noqa: PLC0415 -- `agpt --help` does without

    checks = examine(overrides_of(data_dir))
    wrong = sum(len(one.problems) for one in checks)
    if as_json:
        found = [{"check": one.name, "problems": list(one.problems)} for one in checks]
        print_json({"ok": not wrong, "checks": found})
    else:
        for one in checks:
            if not one.problems:
                click.echo(f"ok       {one.name}" + (f": {one.said}" if one.said else ""))
            for problem in one.problems:
                click.echo(f"problem  {one.name}: {problem}", err=True)
    if wrong:
        sys.exit(1)


def _rows(settings: "Settings", sources: dict[str, str]) -> Iterator[dict[str, Any]]:
    from backend.settings import SECRETS  # noqa: PLC0415 -- loaded already

    group = ""
    for name, value in settings.model_dump(mode="json").items():
        group = GROUPS.get(name, group)
        # What `model_dump` puts for a secret is a mask of its own, or empty.
        shown = (_MASK if value else "") if name in SECRETS else _without_passwords(value)
        yield {"group": group, "name": name.upper(), "value": shown, "source": sources[name]}


def _without_passwords(value: Any) -> Any:
    """Return *value* without the passwords that stand in addresses."""
    if isinstance(value, str):
        return _PARAMETER.sub(rf"\1{_MASK}", _LOGIN.sub(rf"\1{_MASK}", value))
    if isinstance(value, list):
        return [_without_passwords(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_passwords(one) for name, one in value.items()}
    return value


def _text(value: Any) -> str:
    """Return *value* as it is written in the environment."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
