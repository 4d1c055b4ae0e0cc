"""Blocks that other servers have and this one has not built yet: placeholders with their pins.

So a graph that uses one can be imported, shown and checked, and says which block it lacks. The
facts lie in known.json and are read when the first such block is asked for.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from backend.sdk import BlockSpec, BlockType, Category, JsonObject, read_json

PLACE: Final = Path(__file__).with_name("known.json")


class Known:
    """The catalogue of known blocks, by id and by name."""

    @cached_property
    def _facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = read_json(PLACE.read_bytes())
        return facts

    @cached_property
    def _ids(self) -> Mapping[str, str]:
        return {entry["name"]: block_id for block_id, entry in self._facts["blocks"].items()}

    @cached_property
    def _made(self) -> dict[str, BlockSpec]:
        return {}

    @property
    def aliases(self) -> Mapping[str, str]:
        """Present ids by the ids that blocks once had."""
        aliases: Mapping[str, str] = self._facts["aliases"]
        return aliases

    def placeholder(self, key: str) -> BlockSpec | None:
        """
        Return the placeholder of the block with the id or name *key*; None if unknown.

        Of blocks of other releases only id and name are known; they are found by their id.
        """
        block_id = self._ids.get(key, key)
        made = self._made.get(block_id)
        if made is None:
            entry = self._facts["blocks"].get(block_id)
            name = self._facts["named"].get(block_id)
            if entry is None and name is None:
                return None
            made = _spec(block_id, entry) if entry else _named(block_id, name)
            self._made[block_id] = made
        return made

    def ids(self) -> list[str]:
        """Return the ids of all blocks whose pins are known."""
        return list(self._facts["blocks"])


def _named(block_id: Any, name: str) -> BlockSpec:
    side: JsonObject = {"type": "object", "properties": {}}
    inputs, outputs = {**side, "title": "Input"}, {**side, "title": "Output"}
    return BlockSpec(
        id=block_id, name=name, placeholder=True, open_pins=True, inputs=inputs, outputs=outputs
    )


def _spec(block_id: Any, entry: Mapping[str, Any]) -> BlockSpec:
    return BlockSpec(
        id=block_id,
        name=entry["name"],
        categories=tuple(Category[name] for name in entry.get("categories", ())),
        block_type=BlockType(entry.get("type", BlockType.STANDARD)),
        static_output=entry.get("static", False),
        sensitive=entry.get("sensitive", False),
        placeholder=True,
        inputs=_side(entry["in"], "Input", entry.get("credentials", {})),
        outputs=_side(entry["out"], "Output", {}),
    )


def _side(
    rows: list[list[Any]], title: str, credentials: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    properties = {
        row[0]: _credentials_pin(credentials[row[0]]) if row[0] in credentials else _pin(row)
        for row in rows
    }
    side: dict[str, Any] = {"properties": properties, "title": title, "type": "object"}
    required = [row[0] for row in rows if row[2]]
    return {**side, "required": required} if required else side


def _pin(row: list[Any]) -> dict[str, Any]:
    """Return the schema of a row ``[name, types, required, extras]``; types are cut by ``|``."""
    name, types, _, *rest = row
    extras = rest[0] if rest else {}
    pin: dict[str, Any] = {"title": name.replace("_", " ").title(), "secret": False, **extras}
    options = [{"type": option} for option in types.split("|") if option]
    if len(options) > 1:
        pin["anyOf"] = options
    elif options:
        pin["type"] = types
    return pin


def _credentials_pin(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "id": {"title": "Id", "type": "string"},
            "title": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Title"},
            "provider": {"title": "Provider", "type": "string"},
            "type": {"title": "Type", "type": "string"},
        },
        "required": ["id", "provider", "type"],
        "credentials_provider": facts["providers"],
        "credentials_types": facts["types"],
        **{word: facts[word] for word in ("credentials_scopes", "discriminator") if word in facts},
    }
