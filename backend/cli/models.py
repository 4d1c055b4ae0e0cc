"""`agpt models`: the language models that agents may ask, and whether there is a key for each."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.cli.options import json_option, print_json
from backend.cli.server import data_dir_option, overrides_of

if TYPE_CHECKING:
    from backend.core.model_keys import OperatorKeys
    from backend.core.models import ModelSpec


@click.command()
@click.option("--provider", default="", metavar="NAME", help="Only those of this provider.")
@json_option
@data_dir_option
def models(*, provider: str, as_json: bool, data_dir: Path | None) -> None:
    """
    List the language models that agents may ask, with their prices.

    Prices are US dollars for a million tokens: of the question, of the answer. A model without a
    key can be asked with credentials of the agent's user.
    """
    from backend.settings import load_settings  # noqa: PLC0415 -- `agpt --help` does without
    from backend.wiring_credentials import operator_keys  # noqa: PLC0415 -- the same

    settings, _ = load_settings(overrides_of(data_dir))
    keys = operator_keys(settings)
    if provider and provider not in keys.registry.providers:
        known = ", ".join(sorted(keys.registry.providers))
        raise click.BadParameter(f"there are {known}", param_hint="--provider")
    rows = [row for row in _rows(keys) if provider in ("", row["provider"])]
    if as_json:
        print_json({"models": rows})
        return
    if not rows:
        click.echo("No models.")
        return
    width = max(len(row["name"]) for row in rows)
    click.echo(f"{'MODEL':<{width}}  {'PROVIDER':<12} {'CONTEXT':>9} {'IN':>7} {'OUT':>7}  KEY")
    for row in rows:
        price = f"{row['input_price']:>7g} {row['output_price']:>7g}"
        key = "yes" if row["key"] else f"no: {row['key_setting']}"
        click.echo(
            f"{row['name']:<{width}}  {row['provider']:<12} {row['context']:>9} {price}  {key}"
        )


def _rows(keys: "OperatorKeys") -> Iterator[Mapping[str, Any]]:
    for spec in keys.registry.models.values():
        if not spec.successor:
            yield _row(spec, keys)


def _row(spec: "ModelSpec", keys: "OperatorKeys") -> Mapping[str, Any]:
    provider = keys.registry.providers[spec.provider]
    return {
        "name": spec.name,
        "provider": provider.name,
        "title": spec.title,
        "context": spec.context,
        "max_output": spec.max_output,
        "input_price": spec.input_price,
        "output_price": spec.output_price,
        "tools": spec.tools,
        "json_schema": spec.json_schema,
        "images": spec.images,
        "address": provider.base_url,
        "key": provider.name in keys.provided,
        "key_setting": provider.key_setting if provider.needs_key else "",
    }
