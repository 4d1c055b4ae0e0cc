"""Write docs/reference/blocks: a page for each category of blocks, and the list of all. `make reference`."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from backend.blocks.build_index import discover
from backend.cli.block_words import PinWords, effect_in_words, pins_in_words
from backend.core.block import BlockSpec, BlockType, Category
from backend.sdk import Block, Example, spec_of

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "blocks"
INDEX: Final = "README.md"
_WRITTEN: Final = "<!-- Written by `make reference` from backend/blocks. Do not edit. -->"
#: A longer text, list or object of an example shows its beginning.
_MOST_CHARACTERS: Final = 200
_MOST_ITEMS: Final = 20


@cache
def pages() -> Mapping[str, str]:
    """Give all pages by file name. A block stands on the page of its first category."""
    by_category: dict[str, list[type[Block]]] = {}
    for block in discover():
        if not block.disabled:
            by_category.setdefault(_category_of(block), []).append(block)
    categories = dict(sorted(by_category.items()))
    found = {_file(name): _category_page(name, blocks) for name, blocks in categories.items()}
    return {INDEX: _index_page(categories), **found}


def main() -> int:
    """Write all pages, and remove those of categories that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in pages():
            path.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def _category_of(block: type[Block]) -> str:
    return block.categories[0].name if block.categories else "OTHER"


def _title(category: str) -> str:
    return category.replace("_", " ").capitalize() if category not in ("AI", "CRM") else category


def _file(category: str) -> str:
    return f"{category.lower().replace('_', '-')}.md"


def _index_page(categories: Mapping[str, list[type[Block]]]) -> str:
    count = sum(map(len, categories.values()))
    lines = [
        "# Blocks",
        "",
        _WRITTEN,
        "",
        f"All {count} blocks that come with the server. On a machine, `agpt blocks list` shows those of other",
        "packages too, and `agpt blocks show NAME` what stands here. To write your own, see",
        "[a block in ten minutes](../../howto/a-block-in-ten-minutes.md).",
    ]
    for category, blocks in categories.items():
        lines += ["", f"## [{_title(category)}]({_file(category)})", ""]
        lines += ["| block | what it does |", "|---|---|"]
        lines += [
            f"| [{block.__name__}]({_file(category)}#{block.__name__.lower()}) | "
            f"{_cell(spec_of(block).description)} |"
            for block in blocks
        ]
    return "\n".join(lines) + "\n"


def _category_page(category: str, blocks: Iterable[type[Block]]) -> str:
    opening = (
        Category[category].value.rstrip(".") + "."
        if category != "OTHER"
        else "Blocks without a category."
    )
    lines = [f"# Blocks: {_title(category)}", "", _WRITTEN, "", opening]
    for block in blocks:
        lines += _section(block)
    return "\n".join(lines) + "\n"


def _section(block: type[Block]) -> Iterator[str]:
    spec = spec_of(block)
    yield from ("", f"## {spec.name}", "")
    if spec.description:
        yield from (_plain(spec.description), "")
    yield f"- Id: `{spec.id}`"
    yield f"- Effect: {effect_in_words(spec.effect)}."
    yield from _traits(spec)
    yield from _inputs(spec, block)
    yield from _outputs(spec)
    yield from _examples(block.examples)


def _traits(spec: BlockSpec) -> Iterator[str]:
    if spec.block_type is not BlockType.STANDARD:
        yield f"- Kind: {spec.block_type.value}."
    if len(spec.categories) > 1:
        yield f"- Also: {', '.join(_title(category.name) for category in spec.categories[1:])}."
    if spec.static_output:
        yield "- Its outputs stay: what they feed may use the same value any number of times."
    if spec.sensitive:
        yield "- It may need a person's approval before it runs."


def _inputs(spec: BlockSpec, block: type[Block]) -> Iterator[str]:
    made = _made_defaults(block)
    pins = list(pins_in_words(spec.inputs))
    if pins:
        yield from ("", "| input | type | default | |", "|---|---|---|---|")
    for pin in pins:
        yield (
            f"| `{pin.name}` | {_cell(pin.kind)} | {_default(pin, made)} | {_cell(pin.description)} |"
        )


def _made_defaults(block: type[Block]) -> dict[str, Any]:
    """Give the defaults that are made anew each time; their schemas do not tell them."""
    return {
        field.name: field.default_factory()
        for field in fields(block.Input)
        if field.default_factory is not MISSING
    }


def _default(pin: PinWords, made: Mapping[str, Any]) -> str:
    if pin.required:
        return "required"
    return _code(_json(made[pin.name]) if pin.default is None else pin.default)


def _outputs(spec: BlockSpec) -> Iterator[str]:
    pins = list(pins_in_words(spec.outputs))
    if pins:
        yield from ("", "| output | type | |", "|---|---|---|")
    for pin in pins:
        yield f"| `{pin.name}` | {_cell(pin.kind)} | {_cell(pin.description)} |"


def _examples(examples: Iterable[Example]) -> Iterator[str]:
    lines = [_example(example) for example in examples]
    if lines:
        yield from ("", "Examples, each a line: what goes in, and what comes out or why it fails.")
        yield from ("", "```text", *lines, "```")


def _example(example: Example) -> str:
    given = _json(dict(example.inputs))
    if example.answers:
        given += f" (models answer {_json(list(example.answers))})"
    if example.error is not None:
        return f"{given} fails: {_shortened(example.error)}"
    outputs = "; ".join(f"{name} = {_json(value)}" for name, value in example.outputs)
    return f"{given} -> {outputs or 'nothing'}"


def _json(value: Any) -> str:
    # One line, which begins with a brace or a name: backticks inside it end no fenced block.
    return json.dumps(_shortened(value), ensure_ascii=False, default=str)


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}…"
    if isinstance(value, Mapping):
        entries = [(key, _shortened(each)) for key, each in value.items()]
        return dict(entries[:_MOST_ITEMS]) | ({"…": "…"} if len(entries) > _MOST_ITEMS else {})
    if isinstance(value, list | tuple):
        return [*map(_shortened, value[:_MOST_ITEMS]), *(["…"] if len(value) > _MOST_ITEMS else [])]
    return value


def _code(text: str) -> str:
    """Give *text* as code in a cell; more backticks around it than it has in a row."""
    text = text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
    ticks = "``" if "`" in text else "`"
    inside = f" {text} " if "`" in text else text
    return f"{ticks}{inside}{ticks}".replace("|", "\\|")


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Give *text* so that Markdown shows its characters, and takes none of them for a mark."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("*", "\\*")
    return text.replace("](", "]\\(").replace("__", "\\_\\_")


if __name__ == "__main__":
    sys.exit(main())
