"""Writes shapes.json: what the contract's operations answer, as compact facts without its words.

    python -m tests.contract.write_shapes path/to/openapi.json path/to/tiers.md

A type is a word (string, time, integer, number, boolean, null, any), the name of a type after an
``@``, or an object with one key: ``[]`` a list of it, ``{}`` a map to it, ``=`` one of these
values, ``fields`` an object with at least the fields that have no ``?``. A list is alternatives.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from tests.contract.write_operations import METHODS

TARGET = Path(__file__).with_name("shapes.json")
_ROW = re.compile(r"^\| `([A-Z]+) (/(?:api|health)[^`]*)` \|", re.MULTILINE)


def shapes(contract: dict[str, Any], tiers: str) -> dict[str, Any]:
    """Return the facts of an OpenAPI document, and which operations are of which tier."""
    named = contract["components"]["schemas"]
    answers: dict[str, Any] = {}
    ids: dict[str, str] = {}
    for path, methods in sorted(contract["paths"].items()):
        for method in METHODS:
            if method in methods:
                said = methods[method]
                ids[f"{method.upper()} {path}"] = said["operationId"]
                answers[said["operationId"]] = _answer(said)
    used: dict[str, Any] = {}
    _collect(answers, named, used)
    return {
        "tiers": {name: _tier(name, tiers, ids) for name in ("T1", "T2", "T3")},
        "answers": answers,
        "types": dict(sorted(used.items())),
    }


def _tier(name: str, tiers: str, ids: dict[str, str]) -> list[str]:
    start = tiers.index(f"\n## {name} ")
    end = tiers.find("\n## ", start + 1)
    part = tiers[start:] if end < 0 else tiers[start:end]
    return sorted(ids[f"{method} {path}"] for method, path in _ROW.findall(part))


def _answer(said: dict[str, Any]) -> Any:
    success = next(status for status in said["responses"] if status.startswith("2"))
    content = said["responses"][success].get("content", {})
    return _type(content.get("application/json", {}).get("schema", {}))


def _type(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return "@" + schema["$ref"].rsplit("/", 1)[1]
    if "anyOf" in schema:
        return [_type(one) for one in schema["anyOf"]]
    if "const" in schema or "enum" in schema:
        return {"=": schema.get("enum") or [schema["const"]]}
    return _plain(schema)


def _plain(schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "array":
            return {"[]": _type(schema.get("items", {}))}
        case "object":
            return _object(schema)
        case "string" if schema.get("format") == "date-time":
            return "time"
        case None:
            return "any"
        case simple:
            return simple


def _object(schema: dict[str, Any]) -> Any:
    if "properties" not in schema:
        more = schema.get("additionalProperties", True)
        return {"{}": _type(more) if isinstance(more, dict) else "any"}
    needed = schema.get("required", ())
    return {
        "fields": {
            name if name in needed else f"{name}?": _type(one)
            for name, one in schema["properties"].items()
        }
    }


def _collect(value: Any, named: dict[str, Any], used: dict[str, Any]) -> None:
    """Add to *used* the types that *value* names, and those that they name."""
    if isinstance(value, str) and value.startswith("@"):
        if value[1:] not in used:
            used[value[1:]] = _type(named[value[1:]])
            _collect(used[value[1:]], named, used)
    elif isinstance(value, dict):
        for inner in value.values():
            _collect(inner, named, used)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, named, used)


def text(found: dict[str, Any]) -> str:
    """Return *found* as JSON, a fact a line."""
    parts = []
    for name, facts in found.items():
        lines = ",\n".join(
            f"  {json.dumps(key)}: {json.dumps(fact, ensure_ascii=False)}"
            for key, fact in facts.items()
        )
        parts.append(f'"{name}": {{\n{lines}\n}}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    contract, tiers = (Path(one).read_text("utf-8") for one in sys.argv[1:3])
    TARGET.write_text(text(shapes(json.loads(contract), tiers)), "utf-8")
