"""Make backend/blocks/known.json from the facts about the reference's blocks (run by hand).

``python -m tests.contract.known_blocks`` writes it when ``../shared/spec/blocks.json`` is there.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

from backend.blocks.known import PLACE

FACTS = Path(__file__).parents[2].parent / "shared" / "spec" / "blocks.json"

#: Longer defaults are left out: a placeholder never runs.
LONGEST_DEFAULT = 120


def compact(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what known.json holds of *facts*."""
    aliases = {row["old"]: row["new"] for row in facts["legacy_id_aliases"]}
    blocks = {block["id"]: entry_of(block) for block in facts["blocks"]}
    # Of blocks that came later, or are gone, nothing but the name is known.
    others = {row["id"]: row["name"] for row in facts["head_only_blocks"]}
    others |= {row["id"]: row["names"][-1] for row in facts["historical_block_ids"]}
    named = {key: name for key, name in others.items() if key not in aliases.keys() | blocks.keys()}
    return {"aliases": aliases, "blocks": blocks, "named": named}


def entry_of(block: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of one block; what is false or empty is left out."""
    credentials = {pin["field"]: _credentials(pin) for pin in block["credentials"]}
    entry = {
        "name": block["name"],
        "categories": block["categories"],
        "type": block["block_type"] if block["block_type"] != "Standard" else None,
        "static": block["static_output"],
        "sensitive": block["is_sensitive_action"],
        "credentials": credentials,
    }
    return {
        **{word: value for word, value in entry.items() if value},
        "in": [row_of(pin) for pin in block["inputs"]],
        "out": [row_of(pin) for pin in block["outputs"]],
    }


def _credentials(pin: dict[str, Any]) -> dict[str, Any]:
    row = {
        "providers": pin["providers"],
        "types": pin["types"],
        "credentials_scopes": pin["scopes"],
        "discriminator": pin["discriminator"],
    }
    return {word: value for word, value in row.items() if value}


def row_of(pin: dict[str, Any]) -> list[Any]:
    """Return ``[name, types, required, extras]`` of one pin."""
    schema = pin["schema"]
    extras = {word: schema[word] for word in ("secret", "hidden", "depends_on") if schema.get(word)}
    if "default" in schema and len(orjson.dumps(schema["default"])) <= LONGEST_DEFAULT:
        extras["default"] = schema["default"]
    row = [pin["name"], types_of(schema), int(pin["required"])]
    return [*row, extras] if extras else row


def types_of(schema: dict[str, Any]) -> str:
    """Return the JSON types that *schema* takes, cut by ``|``; empty for any."""
    options = schema.get("anyOf") or schema.get("oneOf") or [schema]
    types = [option.get("type") for option in options]
    return "" if None in types else "|".join(dict.fromkeys(map(str, types)))


if __name__ == "__main__":
    if not FACTS.exists():
        sys.exit(f"{FACTS} is not there")
    PLACE.write_bytes(orjson.dumps(compact(orjson.loads(FACTS.read_bytes()))) + b"\n")
