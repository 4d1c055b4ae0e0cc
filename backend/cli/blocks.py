"""`agpt blocks`: which blocks there are and what they do. `agpt new-block`: one more to begin from."""

import io
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.cli.block_run import run_block
from backend.cli.options import json_option, print_json
from backend.core import json
from backend.core.errors import BadRequest, CannotStart, Conflict, NotFound

if TYPE_CHECKING:
    from backend.cli.block_words import PinWords
    from backend.core.block import BlockSpec, Effect, EffectRule
    from backend.core.catalog import Catalog
    from backend.sdk import Block, Example


@click.group()
def blocks() -> None:
    """Show the blocks of this installation, without a server; run one alone on a running one."""


blocks.add_command(run_block)


@blocks.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List all blocks by name, and the block packages that could not be loaded."""
    from backend.discovery import broken  # noqa: PLC0415 -- `agpt --help` does without

    listed = _catalog().listed()
    if as_json:
        entries = [_entry(spec) for spec in listed]
        print_json({"blocks": entries, "broken_block_packages": dict(broken())})
        return
    width = max((len(spec.name) for spec in listed), default=0)
    for spec in listed:
        click.echo(f"{spec.name:<{width}}  {spec.description}")
    for package, reason in broken().items():
        click.echo(f"not loaded: {package}: {reason}")


@blocks.command()
@click.argument("name")
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show what the block NAME does: its pins, its effect, worked examples. An id will do, too."""
    from backend.core.block import wire_form  # noqa: PLC0415 -- `agpt --help` does without

    spec = _named(name)
    block = None if spec.placeholder else _class_of(spec)
    if as_json:
        examples = [_example_entry(example) for example in block.examples] if block else []
        built = {"built": not spec.placeholder, "examples": examples}
        print_json({**wire_form(spec), "effect": _effect_entry(spec.effect), **built})
        return
    for line in _page(spec, block):
        click.echo(line)


@click.command("new-block")
@click.argument("name")
@click.option(
    "--dir",
    "parent",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Make the package's folder there, not here.",
)
@json_option
def new_block(*, name: str, parent: Path, as_json: bool) -> None:
    """
    Write a package with a new block: its tests pass, and it runs once it is installed.

    NAME says what the block does, like shout-words. The folder is called agpt-shout-words, the
    block ShoutWordsBlock. What is there already is never overwritten.
    """
    import uuid  # noqa: PLC0415 -- `agpt --help` does without

    from backend.sdk.scaffold import names_of, package_files  # noqa: PLC0415 -- the same

    try:
        names = names_of(name)
    except BadRequest as exc:
        raise click.UsageError(str(exc)) from exc
    taken = _catalog().named(names.block)
    if taken is not None:
        raise Conflict(f"There is a block {taken.name} already; choose another name.")
    folder = parent / names.distribution
    _write(folder, package_files(names, str(uuid.uuid4())))
    if as_json:
        module = folder / names.module / "block.py"
        print_json({"block": names.block, "folder": str(folder), "file": str(module)})
        return
    click.echo(f"{names.block} is in {folder / names.module / 'block.py'}. Next:")
    click.echo(f"  python -m pytest {folder}")
    click.echo(f"  python -m pip install -e {folder}")
    click.echo(f"  agpt run {folder / 'agent.json'} -i text=hello")


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Make *folder* with all *files*, or nothing."""
    try:
        folder.mkdir()
    except FileExistsError:
        raise Conflict(f"{folder} is there already; nothing was written.") from None
    except OSError as exc:
        raise CannotStart(f"{folder} cannot be made: {exc.strerror}.") from exc
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as exc:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotStart(f"{folder} cannot be written: {exc.strerror}.") from exc


@contextmanager
def _quiet() -> Iterator[None]:
    """
    Keep out of our output what other people's packages print, and we log, while they load.

    Nothing is lost: why a package could not be loaded stands in the list.
    """
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _catalog() -> "Catalog":
    from backend.discovery import load_catalog  # noqa: PLC0415 -- `agpt --help` does without

    with _quiet():
        return load_catalog()


def _class_of(spec: "BlockSpec") -> "type[Block]":
    from backend.discovery import load_blocks  # noqa: PLC0415 -- `agpt --help` does without

    with _quiet():
        return type(load_blocks().get(spec.id))


def _named(name: str) -> "BlockSpec":
    catalog = _catalog()
    found = [catalog.named(name), catalog.named(f"{name}Block"), catalog.get(name)]
    # A placeholder answers to its id and its name alike, so what is built goes first.
    for spec in sorted(filter(None, found), key=lambda spec: spec.placeholder):
        return spec
    raise NotFound(
        f"There is no block {name!r}.{_likely(name, catalog)} `agpt blocks list` shows all."
    )


def _likely(name: str, catalog: "Catalog") -> str:
    import difflib  # noqa: PLC0415 -- only needed after a mistake

    # Without their common ending, which would make all names alike.
    by_lower = {spec.name.lower().removesuffix("block"): spec.name for spec in catalog}
    found = difflib.get_close_matches(name.lower().removesuffix("block"), by_lower)
    return f" Did you mean {', '.join(by_lower[each] for each in found)}?" if found else ""


def _entry(spec: "BlockSpec") -> dict[str, Any]:
    return {
        "id": spec.id,
        "name": spec.name,
        "description": spec.description,
        "categories": [category.name for category in spec.categories],
        "effect": _effect_entry(spec.effect),
    }


def _effect_entry(effect: "Effect | EffectRule") -> Any:
    from backend.core.block import Effect  # noqa: PLC0415 -- `agpt --help` does without

    if isinstance(effect, Effect):
        return effect.value
    effects = {str(value): each.value for value, each in effect.effects.items()}
    return {"pin": effect.pin, "effects": effects, "otherwise": effect.otherwise.value}


def _example_entry(example: "Example") -> dict[str, Any]:
    return {
        "inputs": dict(example.inputs),
        "outputs": [list(output) for output in example.outputs],
        "error": example.error,
    }


def _page(spec: "BlockSpec", block: "type[Block] | None") -> Iterator[str]:
    from backend.cli.block_words import effect_in_words  # noqa: PLC0415 -- help does without

    yield spec.name
    if spec.description:
        yield spec.description
    yield ""
    yield f"id          {spec.id}"
    yield f"categories  {', '.join(category.name for category in spec.categories) or 'none'}"
    if block is None:
        yield "not built   an agent may hold it, but cannot run with it here"
    else:
        yield f"effect      {effect_in_words(spec.effect)}"
        yield f"module      {block.__module__}"
    yield from _side("Inputs", spec.inputs, _given)
    yield from _side("Outputs", spec.outputs, _yielded)
    if block is not None and block.examples:
        yield from _examples(block.examples)


def _side(title: str, side: Mapping[str, Any], words: "Callable[[PinWords], str]") -> Iterator[str]:
    from backend.cli.block_words import pins_in_words  # noqa: PLC0415 -- help does without

    pins = list(pins_in_words(side))
    if not pins:
        return
    yield from ("", title)
    width = max(len(pin.name) for pin in pins)
    for pin in pins:
        text = f". {pin.description}" if pin.description else ""
        yield f"  {pin.name:<{width}}  {words(pin)}{text}"


def _given(pin: "PinWords") -> str:
    if pin.required:
        return f"{pin.kind}, required"
    return f"{pin.kind}, " + ("optional" if pin.default is None else f"default {pin.default}")


def _yielded(pin: "PinWords") -> str:
    return pin.kind


def _examples(examples: "Iterable[Example]") -> Iterator[str]:
    yield from ("", "Examples")
    for example in examples:
        yield f"  {json.text(dict(example.inputs))}"
        for name, value in example.outputs:
            yield f"    {name}: {json.text(value)}"
        if example.error is not None:
            yield f"    fails: {example.error}"
