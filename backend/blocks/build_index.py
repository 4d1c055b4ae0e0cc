"""The index of our blocks: made from their classes, read without importing any of them.

Its first line names the blocks, each further line is one of them. So what nobody asks for is never
read, and costs all processes of a server the length of its line, once.
"""

import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import orjson

from backend import blocks
from backend.sdk import (
    Block,
    BlockSpec,
    BlockType,
    Category,
    Effect,
    EffectRule,
    Place,
    WebhookConfig,
    read_json,
    spec_of,
)

PLACE: Final = Path(__file__).with_name("index.json")
#: Ends the first line.
_OPEN: Final = b',"blocks":['


class Index:
    """
    The blocks that are built; each is read when it is first asked for.

    Attributes:
        aliases: Present ids by former ids.
        names: Ids by the names of the blocks, in the order of the names.
        places: ``module:Class`` by id.

    Safe to share between threads: at worst two read the same line, and one of them counts.
    """

    def __init__(self, content: bytes) -> None:
        """Take what `text` wrote."""
        first, *lines = content.split(b"\n")
        head: Any = read_json(first.removesuffix(_OPEN) + b"}")
        self.aliases: Mapping[str, str] = head["aliases"]
        self.names: Mapping[str, str] = {name: key for key, name, _ in head["heads"]}
        self.places: Mapping[str, str] = {key: place for key, _, place in head["heads"]}
        self._lines = dict(zip(self.places, lines, strict=False))
        self._read: dict[str, BlockSpec] = {}

    def get(self, block_id: str) -> BlockSpec | None:
        """Return the block of this id, always the same one; None if there is none."""
        found = self._read.get(block_id)
        if found is None and (line := self._lines.get(block_id)) is not None:
            spec = _spec(read_json(line.removesuffix(b",")))
            found = self._read.setdefault(block_id, spec)
        return found


def discover() -> list[type[Block]]:
    """Import every module under `backend.blocks` and return the blocks in them, by name."""
    found: dict[str, type[Block]] = {}
    for module in _modules():
        for block in vars(import_module(module)).values():
            if _is_block_of(block, module):
                other = found.setdefault(block.id, block)
                assert other is block, f"{block.__name__} and {other.__name__} share an id"
    return sorted(found.values(), key=lambda block: block.__name__)


def _modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(blocks.__path__, f"{blocks.__name__}."):
        if module.name != __name__ and not module.ispkg:
            yield module.name


def _is_block_of(thing: object, module: str) -> bool:
    """Say whether *thing* is a block of *module*; bases, whose names end in Base, are none."""
    return (
        isinstance(thing, type)
        and issubclass(thing, Block)
        and thing.__module__ == module
        and not thing.__name__.endswith("Base")
    )


def text(found: Sequence[type[Block]], aliases: Mapping[str, str]) -> bytes:
    """Return the text of the index; the same for the same blocks."""
    entries = [_entry(block) for block in found]
    heads = [[entry["id"], entry["name"], entry["place"]] for entry in entries]
    head = orjson.dumps({"aliases": dict(aliases), "heads": heads}, option=orjson.OPT_SORT_KEYS)
    lines = [orjson.dumps(entry, option=orjson.OPT_SORT_KEYS) for entry in entries]
    return head.removesuffix(b"}") + _OPEN + b"\n" + b",\n".join(lines) + b"\n]}\n"


def _entry(block: type[Block]) -> dict[str, Any]:
    spec = spec_of(block)
    effect = spec.effect
    webhook = spec.webhook
    triggered = {"webhook": _webhook_entry(webhook)} if webhook else {}
    return {
        **triggered,
        **({"keyless": True} if spec.keyless else {}),
        "id": spec.id,
        "name": spec.name,
        "place": f"{block.__module__}:{block.__name__}",
        "description": spec.description,
        "categories": [category.name for category in spec.categories],
        "contributors": list(spec.contributors),
        "block_type": spec.block_type.name,
        "static_output": spec.static_output,
        "sensitive": spec.sensitive,
        "disabled": spec.disabled,
        "effect": effect if isinstance(effect, Effect) else _rule_entry(effect),
        "time_limit_s": spec.time_limit_s,
        **({"takes_turns": True} if spec.takes_turns else {}),
        **({"tool_choice": spec.tool_choice} if spec.tool_choice else {}),
        "retries": spec.retries,
        "runs_in": spec.place,
        "inline_size": spec.inline_size,
        # In a list, because the order of the pins counts and the keys here are sorted.
        "inputs": _side_entry(spec.inputs),
        "outputs": _side_entry(spec.outputs),
        "costs": list(spec.costs),
    }


def _side_entry(side: Mapping[str, Any]) -> dict[str, Any]:
    return {"pins": list(side["properties"].items()), "required": side.get("required", [])}


def _rule_entry(rule: EffectRule) -> dict[str, Any]:
    effects = {str(value): effect for value, effect in rule.effects.items()}
    return {"pin": rule.pin, "effects": effects, "otherwise": rule.otherwise}


def _spec(entry: Mapping[str, Any]) -> BlockSpec:
    return BlockSpec(
        id=entry["id"],
        name=entry["name"],
        description=entry["description"],
        categories=tuple(Category[name] for name in entry["categories"]),
        contributors=tuple(entry["contributors"]),
        block_type=BlockType[entry["block_type"]],
        static_output=entry["static_output"],
        sensitive=entry["sensitive"],
        disabled=entry["disabled"],
        effect=_effect(entry["effect"]),
        time_limit_s=entry["time_limit_s"],
        takes_turns=entry.get("takes_turns", False),
        tool_choice=entry.get("tool_choice", ""),
        retries=entry["retries"],
        place=Place(entry["runs_in"]),
        inline_size=entry["inline_size"],
        keyless=entry.get("keyless", False),
        inputs=_side(entry["inputs"], "Input"),
        outputs=_side(entry["outputs"], "Output"),
        costs=tuple(entry["costs"]),
        webhook=_webhook(entry.get("webhook")),
    )


def _side(entry: Mapping[str, Any], title: str) -> dict[str, Any]:
    side = {"properties": dict(entry["pins"]), "title": title, "type": "object"}
    return {**side, "required": entry["required"]} if entry["required"] else side


def _webhook_entry(webhook: WebhookConfig) -> list[str]:
    """Return a trigger's configuration as a list; what is like the default at its end is left out."""
    more = (webhook.event_filter_input, webhook.event_format, webhook.resource_format)
    is_plain = more == ("", "{event}", "")
    return [webhook.provider, webhook.webhook_type, *(() if is_plain else more)]


def _webhook(entry: Any) -> WebhookConfig | None:
    names = ("provider", "webhook_type", "event_filter_input", "event_format", "resource_format")
    return WebhookConfig(**dict(zip(names, entry, strict=False))) if entry else None


def _effect(entry: Any) -> Effect | EffectRule:
    if isinstance(entry, str):
        return Effect(entry)
    return EffectRule(
        pin=entry["pin"],
        effects={value: Effect(effect) for value, effect in entry["effects"].items()},
        otherwise=Effect(entry["otherwise"]),
    )
