"""The index of our blocks: made from their classes, read without importing any of them."""

import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    spec_of,
)

PLACE: Final = Path(__file__).with_name("index.json")


@dataclass(frozen=True, kw_only=True)
class Index:
    """The blocks that are built."""

    specs: Sequence[BlockSpec]
    places: Mapping[str, str]  #: ``module:Class`` by block id
    aliases: Mapping[str, str]  #: present ids by former ids


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
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    return orjson.dumps({"aliases": dict(aliases), "blocks": entries}, option=options) + b"\n"


def _entry(block: type[Block]) -> dict[str, Any]:
    spec = spec_of(block)
    effect = spec.effect
    webhook = spec.webhook
    triggered = {"webhook": [webhook.provider, webhook.webhook_type]} if webhook else {}
    return {
        **triggered,
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


def read(data: Mapping[str, Any]) -> Index:
    """Return the index that `text` wrote."""
    return Index(
        specs=[_spec(entry) for entry in data["blocks"]],
        places={entry["id"]: entry["place"] for entry in data["blocks"]},
        aliases=data["aliases"],
    )


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
        retries=entry["retries"],
        place=Place(entry["runs_in"]),
        inline_size=entry["inline_size"],
        inputs=_side(entry["inputs"], "Input"),
        outputs=_side(entry["outputs"], "Output"),
        costs=tuple(entry["costs"]),
        webhook=_webhook(entry.get("webhook")),
    )


def _side(entry: Mapping[str, Any], title: str) -> dict[str, Any]:
    side = {"properties": dict(entry["pins"]), "title": title, "type": "object"}
    return {**side, "required": entry["required"]} if entry["required"] else side


def _webhook(entry: Any) -> WebhookConfig | None:
    return WebhookConfig(provider=entry[0], webhook_type=entry[1]) if entry else None


def _effect(entry: Any) -> Effect | EffectRule:
    if isinstance(entry, str):
        return Effect(entry)
    return EffectRule(
        pin=entry["pin"],
        effects={value: Effect(effect) for value, effect in entry["effects"].items()},
        otherwise=Effect(entry["otherwise"]),
    )
